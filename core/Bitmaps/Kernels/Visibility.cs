// The kernels are internal; their tests and benchmarks compare the widths one by one.
// The two wide kernels are one generic type; these names are how everything else calls them.
global using Vector256Kernel = FastBackup.Bitmaps.Kernels.VectorKernel<
    FastBackup.Bitmaps.Kernels.Vector256Lane,
    System.Runtime.Intrinsics.Vector256<ulong>
>;
global using Vector512Kernel = FastBackup.Bitmaps.Kernels.VectorKernel<
    FastBackup.Bitmaps.Kernels.Vector512Lane,
    System.Runtime.Intrinsics.Vector512<ulong>
>;
using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("FastBackup.Tests.Unit")]
[assembly: InternalsVisibleTo("FastBackup.Tests.Fuzz")]
[assembly: InternalsVisibleTo("FastBackup.Bench.Micro")]
