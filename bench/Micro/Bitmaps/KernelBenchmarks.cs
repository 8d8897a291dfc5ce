// The kernels one by one: size (first-level cache, second-level cache, memory) x density, the scalar kernel as the
// baseline. A width that the machine does not have reports the scalar kernel's times.
using System;
using System.Runtime.Intrinsics;
using BenchmarkDotNet.Attributes;
using FastBackup.Bitmaps.Kernels;

namespace FastBackup.Bench.Micro.Bitmaps;

public class KernelBenchmarks
{
    IKernel _kernel = null!;
    ulong[] _words = [];
    ulong[] _other = [];

    public enum Width
    {
        Scalar,
        Vector256,
        Vector512,
    }

    [Params(Width.Scalar, Width.Vector256, Width.Vector512)]
    public Width Kernel { get; set; }

    [Params(16 << 10, 256 << 10, 64 << 20)]
    public int Bytes { get; set; }

    /// <summary>
    /// 0 is what zero detection hopes for; the other two end a scan at once and load the counting loops.
    /// </summary>
    [Params(0, 0.0001, 0.5)]
    public double Density { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _kernel = Kernel switch
        {
            Width.Vector256 when Vector256Lane.IsSupported => new Of<VectorKernel<Vector256Lane, Vector256<ulong>>>(),
            Width.Vector512 when Vector512Lane.IsSupported => new Of<VectorKernel<Vector512Lane, Vector512<ulong>>>(),
            _ => new Of<ScalarKernel>(),
        };
        ulong bits = (ulong)Bytes * 8;
        _words = BitSource.MakeWords(1, Density, bits);
        _other = (ulong[])_words.Clone();
    }

    [Benchmark]
    public ulong FirstNonZero() => _kernel.FirstNonZero(_words);

    [Benchmark]
    public ulong FirstDifference() => _kernel.FirstDifference(_words, _other);

    [Benchmark]
    public ulong PopCount() => _kernel.PopCount(_words);

    [Benchmark]
    public ulong Or() => _kernel.Or(_words, _other);

    interface IKernel
    {
        ulong FirstNonZero(ulong[] words);

        ulong FirstDifference(ulong[] left, ulong[] right);

        ulong PopCount(ulong[] words);

        ulong Or(ulong[] target, ulong[] source);
    }

    sealed class Of<T> : IKernel
        where T : struct, IBitmapKernel
    {
        public ulong FirstNonZero(ulong[] words) => T.FirstNonZero(in words[0], (nuint)words.Length);

        public ulong FirstDifference(ulong[] left, ulong[] right) =>
            T.FirstDifference(in left[0], in right[0], (nuint)left.Length);

        public ulong PopCount(ulong[] words) => T.PopCount(in words[0], (nuint)words.Length);

        public ulong Or(ulong[] target, ulong[] source) => T.Or(ref target[0], in source[0], (nuint)target.Length);
    }
}
