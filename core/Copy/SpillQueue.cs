// Captured data that memory has no room for: written to the scratch file, and back when its turn has come.
//
// The youngest chunks go there first. The target takes from memory before it takes from scratch: a chunk in memory
// costs the devices one write, one in scratch two and a read, so only the excess over the target's speed makes the
// detour. What is in scratch leaves in the order in which it came.
// A failed write keeps the data in memory and ends the use of the file. A failed read loses the only copy: the
// snapshot breaks with that fault.
// Does not decide when: the engine does, which knows what else is in memory.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Ports;

namespace FastBackup.Copy;

/// <summary>What became of a chunk that was written to scratch.</summary>
enum SpillEnd : byte
{
    /// <summary>Scratch has it; its task and its memory can go.</summary>
    Spilled,

    /// <summary>It could not be written: it stays in memory.</summary>
    Kept,

    /// <summary>It was written when the job had ended already: it is given up.</summary>
    Dropped,
}

/// <summary>Threads: the reactor's.</summary>
/// <param name="space">The file.</param>
/// <param name="map">Of the copy.</param>
/// <param name="tasks">Of the copy.</param>
/// <param name="memory">Of the copy.</param>
/// <param name="trace">Told what goes there and comes back.</param>
sealed class SpillQueue(ScratchSpace space, CopyMap map, TaskTable tasks, CopyMemory memory, Tracer trace) : IDisposable
{
    const uint SpillingMax = 8;

    readonly ScratchIndex _index = new(map.ClusterCount);
    ICopyOwner? _owner;

    /// <summary>Chunks on their way there.</summary>
    public uint SpillingCount { get; private set; }

    /// <summary>The memory that they will leave.</summary>
    public ulong SpillingBytes { get; private set; }

    /// <summary>Runs that are only there.</summary>
    public uint WaitingCount => space.WaitingCount;

    public ulong UsedBytes => space.UsedBytes;

    public ulong LimitBytes => space.LimitBytes;

    /// <summary>Why it takes nothing any more; None while it does.</summary>
    public Fault Fault => space.Fault;

    public bool Has(ulong cluster) => _index.TryGet(cluster, out _);

    /// <inheritdoc cref="CopyEngine.PinScratch"/>
    public uint Pin(ulong offsetBytes, out IBlockDevice device, out ulong scratchOffsetBytes, out ulong lengthBytes)
    {
        Check.That(_index.TryGet(offsetBytes / map.ClusterBytes, out uint entry));
        space.Run(entry, out ulong first, out ulong count);
        Extent run = map.Bytes(first, count);
        device = space.Device;
        scratchOffsetBytes = space.OffsetBytes(entry) + (offsetBytes - run.OffsetBytes);
        lengthBytes = run.EndBytes - offsetBytes;
        space.Pin(entry);
        return entry;
    }

    public void Unpin(uint entry) => space.Unpin(entry);

    /// <summary>Begins to write the youngest captured chunk there, out of the list.</summary>
    /// <returns>False when there is none that can go, or no place for it.</returns>
    public bool TrySpillLast(CapturedList captured)
    {
        if (SpillingCount >= SpillingMax || captured.Last is not { IsWhole: true } task)
            return false;
        PieceMap run = task.Pieces;
        if (!space.TryReserve(run.FirstCluster, run.ClusterCount, out uint entry))
            return false;
        captured.Remove(task);
        (task.Step, task.ScratchEntry, task.PendingCount) = (CopyTask.State.Spilling, entry, 1);
        SpillingCount++;
        SpillingBytes += memory.Of(task);
        space.Device.Submit(Request(task, BlockOperation.Write));
        return true;
    }

    /// <summary>The write has ended.</summary>
    /// <param name="task">Its chunk.</param>
    /// <param name="fault">Of the scratch file.</param>
    /// <param name="isDropping">The job has ended: nothing is kept.</param>
    public SpillEnd OnSpilled(CopyTask task, Fault fault, bool isDropping)
    {
        uint entry = task.ScratchEntry;
        (task.ScratchEntry, task.PendingCount) = (ScratchSpace.NoEntry, 0);
        SpillingCount--;
        SpillingBytes -= memory.Of(task);
        if (fault.IsFault)
        {
            trace.Emit(TracePoint.ScratchFailed, task.Extent, fault.Errno);
            space.Fail(entry, fault);
            return SpillEnd.Kept;
        }
        if (isDropping)
        {
            space.Free(entry);
            return SpillEnd.Dropped;
        }
        trace.Emit(TracePoint.Spill, task.Extent);
        _owner = task.Owner;
        space.Append(entry);
        space.Run(entry, out ulong first, out ulong count);
        tasks.Unindex(first, count);
        _index.SetRun(first, count, entry);
        return SpillEnd.Spilled;
    }

    /// <summary>The run that has waited longest, and what it needs in memory.</summary>
    public bool TryPeekFirst(out ulong needBytes)
    {
        bool hasFirst = space.TryPeekFirst(out ulong count);
        needBytes = count * map.ClusterBytes;
        return hasFirst;
    }

    /// <inheritdoc cref="ScratchSpace.AddWaiting"/>
    public void AddWaiting(HierarchicalBitmap marks) => space.AddWaiting(marks);

    /// <summary>A task with memory for that run; it stays readable in scratch until its task ends.</summary>
    public CopyTask TakeFirst()
    {
        Check.That(space.TryTakeFirst(out uint entry));
        space.Run(entry, out ulong first, out ulong count);
        CopyTask task = tasks.Take(first, count, CopyLane.CopyBeforeWrite, count);
        (task.Owner, task.ScratchEntry) = (_owner!, entry);
        (task.Captured, task.Released) = (task.Pieces.All, task.Pieces.All);
        memory.Take(task);
        (task.Step, task.PendingCount) = (CopyTask.State.Recalling, 1);
        return task;
    }

    /// <summary>Reads it back.</summary>
    public void Recall(CopyTask task)
    {
        BlockRequest request = Request(task, BlockOperation.Read);
        request.Flags = BlockFlags.Padded;
        space.Device.Submit(request);
    }

    /// <summary>A recalled chunk has ended, as far as these clusters are concerned.</summary>
    public void Unindex(ulong firstCluster, ulong clusterCount) => _index.RemoveRun(firstCluster, clusterCount);

    /// <summary>A recalled chunk has ended.</summary>
    public void Free(uint entry) => space.Free(entry);

    /// <summary>Gives up the runs that have waited longest; their bits are set.</summary>
    /// <param name="runsMax">At once.</param>
    /// <returns>Bytes of the disk.</returns>
    public ulong Drop(uint runsMax)
    {
        ulong droppedBytes = 0;
        for (uint dropped = 0; dropped < runsMax && space.TryTakeFirst(out uint entry); dropped++)
        {
            space.Run(entry, out ulong first, out ulong count);
            Extent extent = map.Bytes(first, count);
            trace.Emit(TracePoint.SetBack, extent);
            map.Todo.SetBits(first, count);
            _index.RemoveRun(first, count);
            droppedBytes += extent.LengthBytes;
            space.Free(entry);
        }
        return droppedBytes;
    }

    public void Dispose() => _index.Dispose();

    /// <summary>Whole clusters, but for padding at the end of the disk, so that it stays aligned.</summary>
    BlockRequest Request(CopyTask task, BlockOperation operation)
    {
        BlockRequest request = memory.Request(task, operation, task.Extent);
        request.OffsetBytes = space.OffsetBytes(task.ScratchEntry);
        ulong paddedBytes = Units.AlignUp(task.Extent.LengthBytes, space.Device.Limits.RequestAlignBytes);
        ulong roomBytes = Math.Min(memory.Of(task), task.Pieces.ClusterCount * map.ClusterBytes);
        request.LengthBytes = Math.Min(paddedBytes, roomBytes);
        return request;
    }
}
