// The helper program runs the kernel tests again with vector widths switched off by environment variables.
// A variable that the runtime does not know is ignored in silence; these tests make that a failure.
using System;
using System.Linq;
using System.Reflection;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using FastBackup.Base;
using Xunit;

namespace FastBackup.Tests.Unit.Base;

public sealed class JitWidthTests
{
    [Fact]
    public void EnableAvx512_0_LeavesNo512BitVectors() =>
        Assert.False(IsOff("DOTNET_EnableAVX512") && (Vector512.IsHardwareAccelerated || Avx512F.IsSupported));

    [Fact]
    public void EnableAvx2_0_LeavesNo256BitVectors() =>
        Assert.False(IsOff("DOTNET_EnableAVX2") && (Vector256.IsHardwareAccelerated || Avx2.IsSupported));

    [Fact]
    public void EnableHwIntrinsic_0_LeavesNoVectors() =>
        Assert.False(IsOff("DOTNET_EnableHWIntrinsic") && Vector128.IsHardwareAccelerated);

    [Fact]
    public void KernelTests_AreWhereTheNarrowRunsLookForThem()
    {
        const string TestNamespace = "FastBackup.Tests.Unit.Bitmaps"; // as in tests/dev/SuitePlan.cs
        bool areKernels = HasNamespace(typeof(Check).Assembly, "FastBackup.Bitmaps");
        Assert.Equal(areKernels, HasNamespace(typeof(JitWidthTests).Assembly, TestNamespace));
    }

    static bool HasNamespace(Assembly assembly, string name) =>
        assembly.GetTypes().Any(type => type.Namespace?.StartsWith(name, StringComparison.Ordinal) == true);

    static bool IsOff(string variable) => Environment.GetEnvironmentVariable(variable) == "0";
}
