// The transfer half of the copy engine: read completions, zero detection, segments to the target.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps.Kernels;
using FastBackup.BlockIo;

namespace FastBackup.Copy;

public sealed partial class CopyEngine
{
    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        CopyTask task = _tasks.Get(userData);
        if (task.Step == CopyTask.State.Reading)
        {
            OnRead(userData, task, result.Fault);
            return;
        }
        task.PendingCount--;
        bool isSilent = result.Fault.Kind == FaultKind.NoSpace && Planted.Is(PlantedBug.R39FullTargetIsSilent);
        if (result.Fault.IsFault && task.FirstFault.IsNone && !isSilent)
            task.FirstFault = result.Fault;
        Advance(userData, task);
    }

    void OnRead(ulong key, CopyTask task, Fault fault)
    {
        if (fault.IsNone && !task.Owner.IsSnapshotWhole)
            fault = new Fault(FaultKind.SnapshotLost, 0, task.Extent.OffsetBytes);
        if (fault.IsFault)
        {
            task.FirstFault = fault;
            Finish(key, task, CopyEnd.SourceFailed);
            return;
        }
        _counters.ReadBytes += task.Extent.LengthBytes;
        _trace.Emit(TracePoint.Capture, task.Extent);
        task.Step = CopyTask.State.Writing;
        if (_rules.ReleasePoint == ReleasePoint.Captured && !task.IsReleased)
            Release(task);
        Advance(key, task);
    }

    void StartZeroing(ulong key, CopyTask task)
    {
        task.Step = CopyTask.State.Zeroing;
        task.WrittenZeroBytes = task.Extent.LengthBytes;
        task.PendingCount = 1;
        Submit(_target, BlockOperation.WriteZeroes, BlockFlags.MayUnmap, task, key, task.Extent, 0);
    }

    /// <summary>Hands the next segments to the target, or ends the task when all is done.</summary>
    void Advance(ulong key, CopyTask task)
    {
        // The count is held up by one while segments are handed out, so that the task cannot end in between.
        task.PendingCount++;
        while (
            task.Step == CopyTask.State.Writing
            && task.FirstFault.IsNone
            && task.CursorBytes < task.Extent.LengthBytes
            && task.PendingCount <= SegmentsInFlightMax
        )
            WriteSegment(key, task);
        task.PendingCount--;
        bool isAllHandedOut =
            task.Step == CopyTask.State.Zeroing
            || task.FirstFault.IsFault
            || task.CursorBytes == task.Extent.LengthBytes;
        bool isEarly = Planted.Is(PlantedBug.R15TaskFreedEarly);
        if ((task.PendingCount > 0 && !isEarly) || !isAllHandedOut)
            return;
        if (task.FirstFault.IsNone)
            Finish(key, task, CopyEnd.Done);
        else if (task.IsReleased)
            Park(key, task);
        else
            Finish(key, task, CopyEnd.TargetFailed);
    }

    void WriteSegment(ulong key, CopyTask task)
    {
        ulong start = task.CursorBytes;
        bool isZero = IsZeroAt(task, start, out ulong end);
        while (end < task.Extent.LengthBytes && IsZeroAt(task, end, out ulong next) == isZero)
            end = next;
        task.CursorBytes = end;
        Extent extent = new(task.Extent.OffsetBytes + start, end - start);
        if (!isZero)
        {
            task.WrittenBytes += extent.LengthBytes;
            task.PendingCount++;
            ulong bufferOffset = Planted.Is(PlantedBug.R41SegmentsFromBufferStart) ? 0 : start;
            Submit(_target, BlockOperation.Write, BlockFlags.None, task, key, extent, bufferOffset);
        }
        else if (_canSkipZeroes)
        {
            task.SkippedZeroBytes += extent.LengthBytes;
        }
        else
        {
            task.WrittenZeroBytes += extent.LengthBytes;
            task.PendingCount++;
            Submit(_target, BlockOperation.WriteZeroes, BlockFlags.MayUnmap, task, key, extent, start);
        }
    }

    /// <summary>Whether the unit of the chunk that starts here is all zero, and where it ends.</summary>
    unsafe bool IsZeroAt(CopyTask task, ulong startBytes, out ulong endBytes)
    {
        endBytes = Math.Min(startBytes + _zeroUnitBytes, task.Extent.LengthBytes);
        // SAFETY: the chunk fits its buffer, which this task holds until it ends.
        ReadOnlySpan<byte> unit = new(_pool.Address(task.Lease) + startBytes, (int)(endBytes - startBytes));
        return BitmapKernels.IsAllZero(unit);
    }

    unsafe void Submit(
        IBlockDevice device,
        BlockOperation operation,
        BlockFlags flags,
        CopyTask task,
        ulong key,
        in Extent extent,
        ulong bufferOffsetBytes
    )
    {
        BlockRequest request = default;
        request.Operation = operation;
        request.Flags = flags;
        request.OffsetBytes = extent.OffsetBytes;
        request.LengthBytes = extent.LengthBytes;
        if (!task.Lease.IsNone)
            // SAFETY: inside the buffer that this task holds until the last request on it has completed.
            request.Buffer = (nint)(_pool.Address(task.Lease) + bufferOffsetBytes);
        request.Owner = this;
        request.UserData = key;
        device.Submit(request);
    }
}
