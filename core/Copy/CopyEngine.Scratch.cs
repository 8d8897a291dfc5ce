// Captured data that memory has no room for: written to the scratch file, and back when its turn has come.
//
// The youngest chunks go there first. The target takes from memory before it takes from scratch: a chunk in memory
// costs the devices one write, one in scratch two and a read, so only the excess over the target's speed makes the
// detour. What is in scratch leaves in the order in which it came.
// A failed write keeps the data in memory and ends the use of the file. A failed read loses the only copy: the
// snapshot breaks with that fault.
using System;
using FastBackup.Base;
using FastBackup.BlockIo;

namespace FastBackup.Copy;

public sealed partial class CopyEngine
{
    const uint SpillingMax = 8;
    const ulong ScratchPlaceBit = 1UL << 31; // never set in a task's key, whose slot is below 2^24

    uint _spillingCount;
    ulong _spillingBytes;
    ICopyOwner? _scratchOwner;

    /// <summary>Old data in scratch space, of which one run may be on its way to the target already.</summary>
    public ulong ScratchBytes => _rules.Scratch?.UsedBytes ?? 0;

    public ulong ScratchLimitBytes => _rules.Scratch?.LimitBytes ?? 0;

    /// <summary>Why scratch takes nothing any more; None while it does, or when there is none.</summary>
    public Fault ScratchFault => _rules.Scratch?.Fault ?? Fault.None;

    /// <summary>Where a cluster is in scratch space; it stays readable there until it is unpinned.</summary>
    /// <param name="offsetBytes">Device offset; its cluster's place is Scratch.</param>
    /// <param name="device">The scratch device.</param>
    /// <param name="scratchOffsetBytes">Of that very byte.</param>
    /// <param name="lengthBytes">How much of the disk lies there in one piece from that byte on.</param>
    /// <returns>The key for <see cref="UnpinScratch"/>.</returns>
    public uint PinScratch(
        ulong offsetBytes,
        out IBlockDevice device,
        out ulong scratchOffsetBytes,
        out ulong lengthBytes
    )
    {
        Check.That(_index.TryGet(offsetBytes / Map.ClusterBytes, out ulong place));
        Check.That(IsScratchPlace(place));
        uint entry = (uint)(place & ~ScratchPlaceBit);
        ScratchSpace scratch = _rules.Scratch!;
        scratch.Run(entry, out ulong first, out ulong count);
        Extent run = Map.Bytes(first, count);
        device = scratch.Device;
        scratchOffsetBytes = scratch.OffsetBytes(entry) + (offsetBytes - run.OffsetBytes);
        lengthBytes = run.EndBytes - offsetBytes;
        scratch.Pin(entry);
        return entry;
    }

    public void UnpinScratch(uint entry) => _rules.Scratch!.Unpin(entry);

    static bool IsScratchPlace(ulong place) => (place & ScratchPlaceBit) != 0;

    /// <summary>So little is left for guests' copies that some should leave memory.</summary>
    bool IsTight
    {
        get
        {
            ulong freeBytes = _pool.FreeBytes + _spillingBytes;
            ulong heldBytes = CaptureBytes - Math.Min(_spillingBytes, CaptureBytes);
            return freeBytes < Math.Max(Map.ClusterBytes, _rules.ReserveBytes / 2)
                || heldBytes / 3 > _rules.CaptureBytesMax / 4
                || heldBytes + Map.ClusterBytes > _rules.CaptureBytesMax
                || IsCrowded;
        }
    }

    void Spill()
    {
        if (_rules.Scratch is not { } scratch || _rules.ReleasePoint != ReleasePoint.Captured)
            return;
        while (_spillingCount < SpillingMax && _captured.Last is { } task && task.IsWhole && IsTight)
        {
            PieceMap run = task.Pieces;
            if (!scratch.TryReserve(run.FirstCluster, run.ClusterCount, out uint entry))
                return;
            _captured.Remove(task);
            (task.Step, task.ScratchEntry, task.PendingCount) = (CopyTask.State.Spilling, entry, 1);
            _spillingCount++;
            _spillingBytes += MemoryOf(task);
            scratch.Device.Submit(ScratchRequest(task, BlockOperation.Write));
        }
    }

    /// <summary>Whole clusters, but for padding at the end of the disk, so that it stays aligned.</summary>
    BlockRequest ScratchRequest(CopyTask task, BlockOperation operation)
    {
        ScratchSpace scratch = _rules.Scratch!;
        BlockRequest request = NewRequest(task, operation, task.Extent);
        request.OffsetBytes = scratch.OffsetBytes(task.ScratchEntry);
        ulong paddedBytes = Units.AlignUp(task.Extent.LengthBytes, scratch.Device.Limits.RequestAlignBytes);
        ulong roomBytes = Math.Min(MemoryOf(task), task.Pieces.ClusterCount * Map.ClusterBytes);
        request.LengthBytes = Math.Min(paddedBytes, roomBytes);
        return request;
    }

    void OnSpilled(CopyTask task, Fault fault)
    {
        ScratchSpace scratch = _rules.Scratch!;
        uint entry = task.ScratchEntry;
        (task.ScratchEntry, task.PendingCount) = (ScratchSpace.NoEntry, 0);
        _spillingCount--;
        _spillingBytes -= MemoryOf(task);
        if (fault.IsFault)
        {
            _trace.Emit(TracePoint.ScratchFailed, task.Extent, fault.Errno);
            scratch.Fail(entry, fault);
            WaitForTarget(task);
            return;
        }
        if (_isDropping)
        {
            scratch.Free(entry);
            Finish(task, CopyEnd.TargetFailed);
            return;
        }
        _trace.Emit(TracePoint.Spill, task.Extent);
        _counters.SpilledBytes += task.Extent.LengthBytes;
        _scratchOwner = task.Owner;
        scratch.Append(entry);
        scratch.Run(entry, out ulong first, out ulong count);
        _index.SetRun(first, count, ScratchPlaceBit | entry);
        FreeTask(task); // wakes who waits for memory
        Pump();
    }

    void Recall()
    {
        if (_rules.Scratch is not { } scratch)
            return;
        while (_captured.First == null && scratch.TryPeekFirst(out ulong count) && HasTask(CopyLane.CopyBeforeWrite))
        {
            ulong needBytes = count * Map.ClusterBytes;
            ulong leftBytes = _pool.FreeBytes - Math.Min(needBytes, _pool.FreeBytes);
            if (!MayWrite(needBytes) || (leftBytes < _rules.ReserveBytes / 2 && CaptureBytes > 0))
                return;
            if (CaptureLeftBytes < (ulong)_pool.UnitsFor(needBytes) * _pool.UnitBytes)
                return;
            if (_pool.LongestFreeBytes(needBytes) < needBytes)
            {
                if (Waiter != null)
                    _pool.WaitForBuffer(Waiter);
                return;
            }
            Check.That(scratch.TryTakeFirst(out uint entry));
            scratch.Run(entry, out ulong first, out _);
            TakeTask(first, count, CopyLane.CopyBeforeWrite, out CopyTask task);
            (task.Owner, task.ScratchEntry) = (_scratchOwner!, entry);
            (task.Captured, task.Released) = (task.Pieces.All, task.Pieces.All);
            TakeMemory(task);
            (task.Step, task.PendingCount) = (CopyTask.State.Recalling, 1);
            EnterDevices(task);
            BlockRequest request = ScratchRequest(task, BlockOperation.Read);
            request.Flags = BlockFlags.Padded;
            scratch.Device.Submit(request);
        }
    }

    void OnRecalled(CopyTask task, Fault fault)
    {
        task.PendingCount = 0;
        if (fault.IsNone)
        {
            _trace.Emit(TracePoint.Recall, task.Extent);
            StartWriting(task);
            return;
        }
        task.FirstFault = fault;
        Finish(task, CopyEnd.TargetFailed);
    }

    void DropScratch()
    {
        if (_rules.Scratch is not { } scratch)
            return;
        while (scratch.TryTakeFirst(out uint entry))
        {
            scratch.Run(entry, out ulong first, out ulong count);
            Extent extent = Map.Bytes(first, count);
            _trace.Emit(TracePoint.SetBack, extent);
            Map.Todo.SetBits(first, count);
            _index.RemoveRun(first, count);
            InFlightBytes -= extent.LengthBytes;
            scratch.Free(entry);
        }
    }
}
