// Chunks on their way to the target: zero detection, and segments.
//
// Zeroes: where the target reads as zero already, runs of at least 4 KiB are not written at all, so holes
// stay holes at the granularity of file systems; elsewhere runs of a whole cluster become write-zeroes. The test stops
// at the first byte that is not zero, so random data costs one look per 4 KiB; each is a line that no processor has
// yet, so it is asked for some looks ahead.
// At most SegmentsInFlightMax target requests of one chunk are out at once.
// Does not say what becomes of a chunk: it says when nothing of it is out any more.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps.Kernels;
using FastBackup.Devices;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's.</summary>
sealed class TargetWriter
{
    const ulong SparseBytes = 4 * Units.KiB;
    const uint LooksAhead = 8;

    readonly IBlockDevice _target;
    readonly CopyMemory _memory;
    readonly ulong _clusterBytes;
    readonly ulong _zeroUnitBytes;

    /// <param name="target">Written to.</param>
    /// <param name="memory">Where chunks are.</param>
    /// <param name="clusterBytes">Of the copy.</param>
    public TargetWriter(IBlockDevice target, CopyMemory memory, ulong clusterBytes)
    {
        (_target, _memory, _clusterBytes) = (target, memory, clusterBytes);
        SkipsZeroes = target.ReadsAsZero;
        _zeroUnitBytes = SkipsZeroes ? Math.Max(SparseBytes, target.Limits.RequestAlignBytes) : clusterBytes;
    }

    /// <summary>The target reads as zero; nobody else writes to it while this copy lives.</summary>
    public bool SkipsZeroes { get; }

    /// <summary>Makes the target zero where the chunk is.</summary>
    public void StartZeroing(CopyTask task)
    {
        task.Step = CopyTask.State.Zeroing;
        task.WrittenZeroBytes = task.Extent.LengthBytes;
        task.PendingCount = 1;
        BlockRequest request = _memory.Request(task, BlockOperation.WriteZeroes, task.Extent);
        request.Flags = BlockFlags.MayUnmap;
        task.HasReachedTarget = true;
        _target.Submit(request);
    }

    /// <summary>Writes what the chunk has in memory.</summary>
    /// <returns>As <see cref="OnCompleted"/>.</returns>
    public bool Start(CopyTask task)
    {
        task.Step = CopyTask.State.Writing;
        return Advance(task);
    }

    /// <summary>A request has ended.</summary>
    /// <returns>Whether nothing of the chunk is out any more, and nothing is left to do, or something failed.</returns>
    public bool OnCompleted(CopyTask task, in BlockResult result)
    {
        task.PendingCount--;
        if (result.Fault.IsFault && task.FirstFault.IsNone)
            task.FirstFault = result.Fault;
        return Advance(task);
    }

    /// <summary>Hands the next segments to the target.</summary>
    bool Advance(CopyTask task)
    {
        // The count is held up by one while segments are handed out, so that the task cannot end in between.
        task.PendingCount++;
        while (
            task.Step == CopyTask.State.Writing
            && task.FirstFault.IsNone
            && task.CursorBytes < task.Extent.LengthBytes
            && task.PendingCount <= CopyEngine.SegmentsInFlightMax
        )
            WriteSegment(task);
        task.PendingCount--;
        bool isAllHandedOut =
            task.Step == CopyTask.State.Zeroing
            || task.FirstFault.IsFault
            || task.CursorBytes == task.Extent.LengthBytes;
        return task.PendingCount == 0 && isAllHandedOut;
    }

    void WriteSegment(CopyTask task)
    {
        ulong start = task.CursorBytes;
        ulong limit = task.EndOfRun(start, _clusterBytes, out bool isCaptured);
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
        if (isZero && SkipsZeroes)
        {
            task.SkippedZeroBytes += extent.LengthBytes;
            return;
        }
        BlockRequest request = _memory.Request(
            task,
            isZero ? BlockOperation.WriteZeroes : BlockOperation.Write,
            extent
        );
        if (isZero)
        {
            request.Flags = BlockFlags.MayUnmap;
            task.WrittenZeroBytes += extent.LengthBytes;
        }
        else
        {
            task.WrittenBytes += extent.LengthBytes;
        }
        task.PendingCount++;
        task.HasReachedTarget = true;
        _target.Submit(request);
    }

    /// <summary>Whether the unit of the chunk that starts here is all zero, and where it ends.</summary>
    bool IsZeroAt(CopyTask task, ulong startBytes, ulong limitBytes, out ulong endBytes)
    {
        endBytes = Math.Min(startBytes + _zeroUnitBytes, limitBytes);
        _memory.Expect(task, startBytes + LooksAhead * _zeroUnitBytes);
        return BitmapKernels.IsAllZero(_memory.Span(task, startBytes, endBytes - startBytes));
    }
}
