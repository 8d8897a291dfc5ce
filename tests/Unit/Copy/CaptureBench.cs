// What captured chunks live in, without an engine: tasks and memory of one copy, and a scratch device whose requests
// stand until the test says what became of them. Clusters and units of the pool are as long; the last cluster is short.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Copy;

sealed class CaptureBench : ICopyOwner, IBlockOwner, IDisposable
{
    public const uint Cluster = 4096;
    public const ulong ClusterCount = 64;
    public const ulong LastBytes = 1000;
    const ulong SizeBytes = (ClusterCount - 1) * Cluster + LastBytes;

    readonly SimulatedLoop _loop = new(1);
    readonly List<CopyTask> _taken = [];

    /// <param name="scratchClusters">Of the scratch space; 0 = there is none.</param>
    /// <param name="scratchAlignBytes">What its requests are aligned to.</param>
    /// <param name="unitCount">Clusters that memory holds.</param>
    /// <param name="releasePoint">Of the copy.</param>
    /// <param name="reserveClusters">What the background leaves alone.</param>
    /// <param name="captureClusters">What guests' copies may hold.</param>
    /// <param name="captureMax">How many they may be.</param>
    public CaptureBench(
        uint scratchClusters = 16,
        uint scratchAlignBytes = 512,
        uint unitCount = 32,
        ReleasePoint releasePoint = ReleasePoint.Captured,
        ulong reserveClusters = 16,
        ulong captureClusters = 32,
        uint captureMax = 20
    )
    {
        Assert.True(BufferPool.TryCreate(4 * Cluster, Cluster, unitCount, out BufferPool? pool).IsNone);
        Pool = pool!;
        Device = new StandingDevice(Math.Max(1, scratchClusters) * Cluster, scratchAlignBytes);
        Assert.True(CopyMap.TryCreate(SizeBytes, Cluster, out CopyMap? map).IsNone);
        Map = map!;
        Assert.True(ScratchSpace.TryCreate(Device, ulong.MaxValue, Cluster, out ScratchSpace? space).IsNone);
        Space = space!;
        CopyRules rules = new()
        {
            BackgroundMax = 4,
            CaptureMax = captureMax,
            TargetMax = 4,
            ReserveBytes = reserveClusters * Cluster,
            CaptureBytesMax = captureClusters * Cluster,
            ReleasePoint = releasePoint,
            Scratch = scratchClusters > 0 ? Space : null,
        };
        Tasks = new TaskTable(Map, rules, Pool.SizeBytes);
        Memory = new CopyMemory(Pool, rules, readAlignBytes: 512, this);
        Spill = new SpillQueue(Space, Map, Tasks, Memory, new Tracer(_loop.Reactor, "disk"));
        Captures = new CaptureQueue(Pool, rules, Memory, Tasks, scratchClusters > 0 ? Spill : null);
    }

    public BufferPool Pool { get; }

    public StandingDevice Device { get; }

    public CopyMap Map { get; }

    public ScratchSpace Space { get; }

    public TaskTable Tasks { get; }

    public CopyMemory Memory { get; }

    public SpillQueue Spill { get; }

    public CaptureQueue Captures { get; }

    bool ICopyOwner.IsSnapshotWhole => true;

    /// <summary>A chunk for a guest, read, in the list of those that wait.</summary>
    public CopyTask Capture(ulong firstCluster, ulong clusterCount = 1)
    {
        CopyTask task = Tasks.Take(firstCluster, clusterCount, CopyLane.CopyBeforeWrite, clusterCount);
        task.Owner = this;
        Memory.Take(task);
        Tasks.Index(task);
        (task.Captured, task.Released) = (task.Pieces.All, task.Pieces.All);
        task.Step = CopyTask.State.Captured;
        Captures.Waiting.Append(task);
        _taken.Add(task);
        return task;
    }

    /// <summary>Out of memory: written to scratch, or through.</summary>
    public void Free(CopyTask task)
    {
        _taken.Remove(task);
        Memory.Return(task);
        Tasks.Free(task);
    }

    /// <summary>The write of the youngest begins, and ends well.</summary>
    public CopyTask SpillLast()
    {
        CopyTask task = Captures.Waiting.Last!;
        Assert.True(Spill.TrySpillLast(Captures.Waiting));
        Assert.Equal(SpillEnd.Spilled, Spill.OnSpilled(task, Fault.None, isDropping: false));
        Free(task);
        return task;
    }

    public CopyTask TakeFirst()
    {
        CopyTask task = Spill.TakeFirst();
        _taken.Add(task);
        return task;
    }

    void ICopyOwner.OnReleased(ulong firstCluster, ulong clusterCount) { }

    void ICopyOwner.OnCopied(in CopyOutcome outcome) { }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result) => Assert.Fail("nothing is completed");

    public void Dispose()
    {
        foreach (CopyTask task in _taken.ToArray())
            Free(task);
        Spill.Dispose();
        Tasks.Dispose();
        Space.Dispose();
        Map.Dispose();
        Pool.Dispose();
        _loop.Dispose();
    }
}
