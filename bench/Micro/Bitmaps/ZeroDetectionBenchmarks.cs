// Zero detection of I/O buffers: a whole 1 MiB request and a 64 KiB cluster, all zero and with one byte set at the
// start, the middle or the end; beside the span search of the framework.
using System;
using BenchmarkDotNet.Attributes;
using FastBackup.Bitmaps.Kernels;

namespace FastBackup.Bench.Micro.Bitmaps;

public class ZeroDetectionBenchmarks
{
    byte[] _buffer = [];

    [Params(64 << 10, 1 << 20)]
    public int Bytes { get; set; }

    /// <summary>Percent of the way in; above 100 for none.</summary>
    [Params(0, 50, 101)]
    public int FirstByteAtPercent { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _buffer = new byte[Bytes];
        if (FirstByteAtPercent <= 100)
            _buffer[(long)(Bytes - 1) * FirstByteAtPercent / 100] = 1;
    }

    [Benchmark(Baseline = true)]
    public bool FrameworkIndexOf() => _buffer.AsSpan().IndexOfAnyExcept((byte)0) < 0;

    [Benchmark]
    public bool IsAllZero() => BitmapKernels.IsAllZero(_buffer);
}
