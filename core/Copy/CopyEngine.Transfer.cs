// The write half of the copy engine: zero detection, segments to the target, and the end of a chunk.
//
// Zeroes: where the target reads as zero already, runs of at least 4 KiB are not written at all, so holes
// stay holes at the granularity of file systems; elsewhere runs of a whole cluster become write-zeroes. The test stops
// at the first byte that is not zero, so random data costs one look per 4 KiB.
// At most SegmentsInFlightMax target requests of one chunk are out at once.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps.Kernels;
using FastBackup.BlockIo;

namespace FastBackup.Copy;

public sealed partial class CopyEngine
{
    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        uint piece = (uint)userData >> PieceShift;
        CopyTask task = _tasks.Get(userData & ~(0xFFUL << PieceShift));
        if (_isOrphaned)
        {
            OnOrphanCompleted(task);
            return;
        }
        switch (task.Step)
        {
            case CopyTask.State.Reading:
                OnRead(task, piece, result.Fault);
                return;
            case CopyTask.State.Spilling:
                OnSpilled(task, result.Fault);
                return;
            case CopyTask.State.Recalling:
                OnRecalled(task, result.Fault);
                return;
            default:
                break;
        }
        task.PendingCount--;
        bool isSilent = result.Fault.Kind == FaultKind.NoSpace && Planted.Is(PlantedBug.R39FullTargetIsSilent);
        if (result.Fault.IsFault && task.FirstFault.IsNone && !isSilent)
            task.FirstFault = result.Fault;
        Advance(task);
    }

    void StartZeroing(CopyTask task)
    {
        task.Step = CopyTask.State.Zeroing;
        task.WrittenZeroBytes = task.Extent.LengthBytes;
        task.PendingCount = 1;
        BlockRequest request = NewRequest(task, BlockOperation.WriteZeroes, task.Extent);
        request.Flags = BlockFlags.MayUnmap;
        _target.Submit(request);
    }

    void StartWriting(CopyTask task)
    {
        task.Step = CopyTask.State.Writing;
        Advance(task);
    }

    /// <summary>Hands the next segments to the target, or ends the task when all is done.</summary>
    void Advance(CopyTask task)
    {
        // The count is held up by one while segments are handed out, so that the task cannot end in between.
        task.PendingCount++;
        while (
            task.Step == CopyTask.State.Writing
            && task.FirstFault.IsNone
            && task.CursorBytes < task.Extent.LengthBytes
            && task.PendingCount <= SegmentsInFlightMax
        )
            WriteSegment(task);
        task.PendingCount--;
        bool isAllHandedOut =
            task.Step == CopyTask.State.Zeroing
            || task.FirstFault.IsFault
            || task.CursorBytes == task.Extent.LengthBytes;
        bool isEarly = Planted.Is(PlantedBug.R15TaskFreedEarly);
        if ((task.PendingCount > 0 && !isEarly) || !isAllHandedOut)
            return;
        if (task.FirstFault.IsNone)
            Finish(task, CopyEnd.Done);
        else if (task.Released != 0)
            Park(task);
        else
            Finish(task, CopyEnd.TargetFailed);
    }

    void WriteSegment(CopyTask task)
    {
        ulong start = task.CursorBytes;
        ulong limit = EndOfRun(task, start, out bool isCaptured);
        if (!isCaptured)
        {
            task.CursorBytes = limit; // could not be read: somebody else's work now
            return;
        }
        bool isZero = IsZeroAt(task, start, limit, out ulong end);
        while (end < limit && IsZeroAt(task, end, limit, out ulong next) == isZero)
            end = next;
        task.CursorBytes = end;
        Extent extent = new(task.Extent.OffsetBytes + start, end - start);
        if (isZero && _canSkipZeroes)
        {
            task.SkippedZeroBytes += extent.LengthBytes;
            return;
        }
        BlockRequest request = NewRequest(task, isZero ? BlockOperation.WriteZeroes : BlockOperation.Write, extent);
        if (isZero)
        {
            request.Flags = BlockFlags.MayUnmap;
            task.WrittenZeroBytes += extent.LengthBytes;
        }
        else
        {
            task.WrittenBytes += extent.LengthBytes;
        }
        if (Planted.Is(PlantedBug.R41SegmentsFromBufferStart))
            request.Buffer -= (nint)start;
        task.PendingCount++;
        _target.Submit(request);
    }

    /// <summary>Whether the unit of the chunk that starts here is all zero, and where it ends.</summary>
    unsafe bool IsZeroAt(CopyTask task, ulong startBytes, ulong limitBytes, out ulong endBytes)
    {
        endBytes = Math.Min(startBytes + _zeroUnitBytes, limitBytes);
        // SAFETY: the chunk fits its buffer, which this task holds until it ends.
        ReadOnlySpan<byte> unit = new(_pool.Address(task.Lease) + startBytes, (int)(endBytes - startBytes));
        return BitmapKernels.IsAllZero(unit);
    }

    /// <summary>A request of the background's lane for a part of the chunk, at its place in the buffer.</summary>
    unsafe BlockRequest NewRequest(CopyTask task, BlockOperation operation, in Extent extent)
    {
        BlockRequest request = default;
        request.Operation = operation;
        request.Lane = IoLane.Background;
        request.OffsetBytes = extent.OffsetBytes;
        request.LengthBytes = extent.LengthBytes;
        if (!task.Lease.IsNone)
            // SAFETY: inside the buffer that this task holds until the last request on it has completed.
            request.Buffer = (nint)(_pool.Address(task.Lease) + (extent.OffsetBytes - task.Extent.OffsetBytes));
        request.Owner = this;
        request.UserData = task.Key;
        return request;
    }

    unsafe void Park(CopyTask task)
    {
        task.Step = CopyTask.State.Parked;
        if (Planted.Is(PlantedBug.R35ParkedBufferGivenBack) && !task.Lease.IsNone)
        {
            ulong lengthBytes = MemoryOf(task);
            _pool.Return(task.Lease);
            // The same, unless somebody else was faster: here after a write.
            Check.That(_pool.TryRent(lengthBytes, out task.Lease));
            new Span<byte>((void*)_pool.Address(task.Lease), 64).Fill(0xEE);
        }
        _trace.Emit(TracePoint.Park, task.Extent, task.FirstFault.Errno);
        ParkedCount++;
        LeaveDevices(task);
        task.Owner.OnCopied(new CopyOutcome(task.Extent, task.Lane, CopyEnd.Parked, task.FirstFault, task.Key));
        Pump();
    }

    /// <summary>The end of a chunk: its bits, its memory, its task, and then its owner is told.</summary>
    void Finish(CopyTask task, CopyEnd end)
    {
        LeaveDevices(task);
        if (end == CopyEnd.Done)
            Count(task);
        // A chunk that nothing was read of is set back whole; else what was not read has been set back already.
        ulong live = task.Captured == 0 ? task.Pieces.All : task.Captured;
        InFlightBytes -= LiveBytes(task);
        bool hadPlace = !task.Lease.IsNone || task.ScratchEntry != ScratchSpace.NoEntry;
        for (ulong rest = live; task.Pieces.TryTakeRun(ref rest, out ulong first, out ulong count); )
        {
            if (end == CopyEnd.Done)
                EndRun(task, first, count);
            else
                SetBack(task, first, count, task.FirstFault, end == CopyEnd.SourceFailed);
            if (hadPlace)
                _index.RemoveRun(first, count);
        }
        (ICopyOwner owner, CopyLane lane, Fault fault) = (task.Owner, task.Lane, task.FirstFault);
        PieceMap pieces = task.Pieces;
        bool wasRead = !task.Lease.IsNone;
        FreeTask(task);
        while (pieces.TryTakeRun(ref live, out ulong first, out ulong count))
            owner.OnCopied(new CopyOutcome(Map.Bytes(first, count), lane, end, fault, 0) { WasRead = wasRead });
        Pump();
    }

    void EndRun(CopyTask task, ulong firstCluster, ulong clusterCount)
    {
        _trace.Emit(TracePoint.Copied, Map.Bytes(firstCluster, clusterCount));
        if (!task.HasReleased(firstCluster))
            Release(task, task.Captured & ~task.Released);
    }

    void FreeTask(CopyTask task)
    {
        if (task.ScratchEntry != ScratchSpace.NoEntry && !_isOrphaned)
            _rules.Scratch!.Free(task.ScratchEntry);
        if (task.Lane == CopyLane.Background)
        {
            _backgroundCount--;
            _zeroingCount -= task.Lease.IsNone ? 1u : 0u;
        }
        ReturnMemory(task);
        _tasks.Free(task.Key);
    }

    /// <summary>From here on the chunk counts in <see cref="DeviceBytes"/>.</summary>
    void EnterDevices(CopyTask task)
    {
        Check.That(!task.IsAtDevices);
        task.IsAtDevices = true;
        _atDevicesBytes += task.Extent.LengthBytes;
        if (task.Lane != CopyLane.Background)
            _writingCount++;
    }

    void LeaveDevices(CopyTask task)
    {
        if (!task.IsAtDevices)
            return;
        task.IsAtDevices = false;
        _atDevicesBytes -= task.Extent.LengthBytes;
        if (task.Lane == CopyLane.Background)
            return;
        _writingCount--;
        Pacer?.OnWritten();
    }

    void Count(CopyTask task)
    {
        _counters.WrittenBytes += task.WrittenBytes;
        _counters.SkippedZeroBytes += task.SkippedZeroBytes;
        _counters.WrittenZeroBytes += task.WrittenZeroBytes;
        if (task.Lane == CopyLane.CopyBeforeWrite)
            _counters.CopyBeforeWriteBytes += LiveBytes(task);
    }
}
