// The one way data moves from source to target. A cluster is copied by whoever clears its bit in the copy
// bitmap: claim a run of bits, read it into one buffer, look for zeroes, write the rest; any failure sets
// every bit of the chunk back, so that nothing is lost and whoever comes next copies it again.
//
//   claim -> Reading -> Writing -> done          Zeroing: a hole, known without reading
//               \          \-> bits set back
//                \-> bits set back
//
// Zeroes: where the target reads as zero already, runs of at least 4 KiB are not written at all, so holes
// stay holes at the granularity of file systems; elsewhere runs of a whole cluster become write-zeroes.
// At most SegmentsInFlightMax target requests of one chunk are out at once.
//
// Cost: one read and, for data without zeroes, one write per chunk; a zero test stops at the first byte
// that is not zero, so random data costs one look per 4 KiB. Nothing is allocated after construction.
// Does not choose what to copy, nor in which order, nor how much at once: the job does.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Bitmaps.Kernels;
using FastBackup.BlockIo;
using FastBackup.Memory;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's. Dispose when nothing is in flight.</summary>
public sealed class CopyEngine : IBlockOwner
{
    const uint SegmentsInFlightMax = 8;
    const ulong SparseBytes = 4 * Units.KiB;

    // --- fixed at construction
    readonly IBlockDevice _source;
    readonly IBlockDevice _target;
    readonly BufferPool _pool;
    readonly SlotTable<CopyTask> _tasks;
    readonly ulong _zeroUnitBytes;

    // --- touched only by the reactor's thread
    CopyCounters _counters;

    /// <param name="source">Read from.</param>
    /// <param name="target">Written to; at least as large as the source.</param>
    /// <param name="todo">The copy bitmap: one bit per cluster, over the source's capacity.</param>
    /// <param name="pool">Where chunks are held; a chunk is at most one buffer.</param>
    /// <param name="taskMax">Chunks in flight at once.</param>
    public CopyEngine(IBlockDevice source, IBlockDevice target, HierarchicalBitmap todo, BufferPool pool, uint taskMax)
    {
        Check.That(target.Limits.CapacityBytes >= source.Limits.CapacityBytes);
        Check.That(todo.SizeBytes == source.Limits.CapacityBytes);
        Check.That(pool.BufferBytes >= todo.GranularityBytes);
        (_source, _target, Todo, _pool) = (source, target, todo, pool);
        _tasks = new SlotTable<CopyTask>(taskMax);
        _zeroUnitBytes = target.Limits.IsZeroInitialised
            ? Math.Max(SparseBytes, target.Limits.RequestAlignBytes)
            : todo.GranularityBytes;
    }

    /// <summary>The clusters still to be copied.</summary>
    public HierarchicalBitmap Todo { get; }

    public uint InFlightCount => _tasks.TakenCount;

    public ulong InFlightBytes { get; private set; }

    public ref readonly CopyCounters Counters => ref _counters;

    public bool CanStart => _tasks.TakenCount < _tasks.Capacity && _pool.FreeCount > 0;

    /// <summary>Claims the next marked run and starts to copy it.</summary>
    /// <param name="firstCluster">Where to look from.</param>
    /// <param name="endCluster">Where to stop looking.</param>
    /// <param name="lengthBytesMax">Longest chunk; one cluster at least, one buffer at most is taken.</param>
    /// <param name="owner">Told of the end.</param>
    /// <param name="claimed">What was claimed.</param>
    /// <returns>False when nothing is marked there, or <see cref="CanStart"/> is false.</returns>
    public bool TryStart(
        ulong firstCluster,
        ulong endCluster,
        ulong lengthBytesMax,
        ICopyOwner owner,
        out Extent claimed
    )
    {
        claimed = default;
        if (!CanStart)
            return false;
        ulong clusterMax = Math.Max(1, Math.Min(lengthBytesMax, _pool.BufferBytes) / Todo.GranularityBytes);
        if (!TryClaim(firstCluster, endCluster, clusterMax, owner, out ulong key, out CopyTask task))
            return false;
        claimed = task.Extent;
        Check.That(_pool.TryRent(out task.Lease));
        task.Step = CopyTask.State.Reading;
        Submit(_source, BlockOperation.Read, BlockFlags.Padded, task, key, task.Extent, 0);
        return true;
    }

    /// <summary>Claims the next marked run of a range that is known to read as zero and makes the target so.</summary>
    /// <inheritdoc cref="TryStart"/>
    public bool TryStartZeroes(
        ulong firstCluster,
        ulong endCluster,
        ulong lengthBytesMax,
        ICopyOwner owner,
        out Extent claimed
    )
    {
        claimed = default;
        if (_tasks.TakenCount == _tasks.Capacity)
            return false;
        ulong clusterMax = Math.Max(1, lengthBytesMax / Todo.GranularityBytes);
        if (!TryClaim(firstCluster, endCluster, clusterMax, owner, out ulong key, out CopyTask task))
            return false;
        claimed = task.Extent;
        task.Step = CopyTask.State.Zeroing;
        if (_target.Limits.IsZeroInitialised)
        {
            task.SkippedZeroBytes = task.Extent.LengthBytes;
            Finish(key, task);
            return true;
        }
        task.WrittenZeroBytes = task.Extent.LengthBytes;
        task.PendingCount = 1;
        Submit(_target, BlockOperation.WriteZeroes, BlockFlags.MayUnmap, task, key, task.Extent, 0);
        return true;
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        CopyTask task = _tasks.Get(userData);
        if (task.Step == CopyTask.State.Reading)
        {
            OnRead(userData, task, result.Fault);
            return;
        }
        task.PendingCount--;
        if (result.Fault.IsFault)
            Fail(task, result.Fault, isSource: false);
        Advance(userData, task);
    }

    bool TryClaim(
        ulong firstCluster,
        ulong endCluster,
        ulong clusterMax,
        ICopyOwner owner,
        out ulong key,
        out CopyTask task
    )
    {
        (key, task) = (0, null!);
        if (!Todo.TryClaimRun(firstCluster, endCluster, clusterMax, out ulong first, out ulong count))
            return false;
        Check.That(_tasks.TryTake(out key, out task));
        ulong offsetBytes = first * Todo.GranularityBytes;
        ulong endBytes = Math.Min((first + count) * Todo.GranularityBytes, Todo.SizeBytes);
        (task.FirstCluster, task.ClusterCount) = (first, count);
        task.Extent = new Extent(offsetBytes, endBytes - offsetBytes);
        task.Owner = owner;
        task.Lease = default;
        (task.CursorBytes, task.PendingCount) = (0, 0);
        (task.FirstFault, task.IsSourceFault) = (Fault.None, false);
        (task.WrittenBytes, task.SkippedZeroBytes, task.WrittenZeroBytes) = (0, 0, 0);
        InFlightBytes += task.Extent.LengthBytes;
        return true;
    }

    void OnRead(ulong key, CopyTask task, Fault fault)
    {
        if (fault.IsFault)
        {
            Fail(task, fault, isSource: true);
            Finish(key, task);
            return;
        }
        _counters.ReadBytes += task.Extent.LengthBytes;
        task.Step = CopyTask.State.Writing;
        Advance(key, task);
    }

    static void Fail(CopyTask task, Fault fault, bool isSource)
    {
        if (task.FirstFault.IsFault)
            return;
        task.FirstFault = fault;
        task.IsSourceFault = isSource;
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
        if (task.PendingCount == 0 && isAllHandedOut)
            Finish(key, task);
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
            Submit(_target, BlockOperation.Write, BlockFlags.None, task, key, extent, start);
        }
        else if (_target.Limits.IsZeroInitialised)
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

    void Finish(ulong key, CopyTask task)
    {
        CopyOutcome outcome = new(task.Extent, task.FirstFault, task.IsSourceFault);
        if (task.FirstFault.IsFault)
        {
            Todo.SetBits(task.FirstCluster, task.ClusterCount);
        }
        else
        {
            _counters.WrittenBytes += task.WrittenBytes;
            _counters.SkippedZeroBytes += task.SkippedZeroBytes;
            _counters.WrittenZeroBytes += task.WrittenZeroBytes;
        }
        if (!task.Lease.IsNone)
            _pool.Return(task.Lease);
        InFlightBytes -= task.Extent.LengthBytes;
        ICopyOwner owner = task.Owner;
        _tasks.Free(key);
        owner.OnCopied(outcome);
    }
}
