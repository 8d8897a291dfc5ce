// What a tracked disk's write pays for being remembered: marking a granule in the live map. One that is marked already
// is a read; the first mark also goes into the mirror that outlives a kill, a call into the kernel.
using System;
using System.IO;
using BenchmarkDotNet.Attributes;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Live;

namespace FastBackup.Bench.Micro.Tracking;

public class TrackerMarkBenchmarks : IDisposable
{
    const int Marks = 4096;
    const ulong GranuleBytes = 64 * Units.KiB;
    const ulong DiskBytes = 64 * Units.GiB; // 2^20 granules

    string _folder = "";
    readonly HierarchicalBitmap _bits = HierarchicalBitmap.Create(DiskBytes, GranuleBytes);
    LiveFile? _mirror;
    LiveMap _map = null!;

    [GlobalSetup]
    public void Setup()
    {
        _folder = Directory.CreateDirectory($"/dev/shm/fb-bench-{Guid.NewGuid():n}").FullName;
        TrackerHeader header = new()
        {
            TrackerId = 1,
            Sequence = 1,
            Shape = new TrackerShape(DiskBytes, 16, TrackerShape.RegionShiftUsual),
            DiskId = default,
            State = TrackerState.Open,
            MapId = 1,
            LastMapId = 1,
            Areas = [],
        };
        _mirror =
            LiveFile.TryCreate(_folder, header, _bits)
            ?? throw new InvalidOperationException("no live map could be made in /dev/shm");
        _map = new LiveMap(_bits, _mirror);
    }

    [IterationSetup(Target = nameof(First))]
    public void Clean() => _bits.ResetAll();

    [Benchmark(OperationsPerInvoke = Marks)]
    public bool First() => Mark();

    [IterationSetup(Target = nameof(Again))]
    public void Fill() => _bits.SetAll();

    [Benchmark(Baseline = true, OperationsPerInvoke = Marks)]
    public bool Again() => Mark();

    bool Mark()
    {
        bool isMarked = true;
        for (ulong i = 0; i < Marks; i++)
            isMarked &= _map.TryMark(new Extent(i * 251 * GranuleBytes % DiskBytes, 4096));
        return isMarked;
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _mirror?.Dispose();
        _bits.Dispose();
        if (_folder.Length > 0)
            Directory.Delete(_folder, recursive: true);
        GC.SuppressFinalize(this);
    }
}
