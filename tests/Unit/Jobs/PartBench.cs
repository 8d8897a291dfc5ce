// What the parts of a job work on, without the job: a disk, a filter that has everything marked, a pacer. The target
// takes anything.
using System;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Pacing;
using FastBackup.Tests.Simulated;
using FastBackup.Tests.Unit.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

sealed class PartBench : IDisposable
{
    readonly BufferPool _pool;

    /// <param name="loop">Turned by the test.</param>
    /// <param name="source">The disk's device.</param>
    /// <param name="clusterBytes">Of the copy; a buffer of the pool is as long.</param>
    /// <param name="speedBytesPerSecond">0 = no limit.</param>
    /// <param name="priority">Of the guests.</param>
    public PartBench(
        SimulatedLoop loop,
        IBlockDevice source,
        uint clusterBytes,
        ulong speedBytesPerSecond = 0,
        GuestPriority priority = GuestPriority.Off
    )
    {
        Assert.True(BufferPool.TryCreate(clusterBytes, 8, out BufferPool? pool).IsNone);
        _pool = pool!;
        Disk = new Disk(loop.Reactor, source, "disk", slotCount: 16);
        Target = new VastDevice(loop.Reactor, source.Limits.CapacityBytes);
        Assert.True(CopyMap.TryCreate(source.Limits.CapacityBytes, clusterBytes, out CopyMap? map).IsNone);
        Map = map!;
        Map.MarkAll();
        BackupOptions options = new()
        {
            Filter = new FilterOptions { ClusterBytes = clusterBytes },
            SpeedBytesPerSecond = speedBytesPerSecond,
            GuestPriority = priority,
        };
        Filter = CopyBeforeWriteFilter.Create(Disk, Target, _pool, Map, options.Filter);
        Timer = new JobTimer(loop.Reactor, () => DueCount++);
        Pacer = new BackupPacer(Work, Timer, Filter.Engine, _pool.BufferBytes, Disk.Pulse, options);
    }

    public Disk Disk { get; }

    public VastDevice Target { get; }

    public CopyMap Map { get; }

    public CopyBeforeWriteFilter Filter { get; }

    public WorkProbe Work { get; } = new();

    public JobTimer Timer { get; }

    public int DueCount { get; private set; }

    public BackupPacer Pacer { get; }

    /// <summary>A walk over all of it.</summary>
    public BackupWalk NewWalk(BackupSync sync = BackupSync.Full, Action? onMapped = null) =>
        new(Disk, Filter, Pacer, sync, onMapped ?? (() => { }));

    public void Dispose()
    {
        // After a failed assertion things are still in flight; only a clean end is checked by the disposals.
        if (Filter.Engine.InFlightCount > 0)
            return;
        Timer.Cancel();
        Filter.Leave();
        Filter.Dispose();
        Map.Dispose();
        Disk.Dispose();
        Target.Dispose();
        _pool.Dispose();
    }
}
