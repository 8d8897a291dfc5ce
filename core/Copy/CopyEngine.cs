// The one way data moves from source to target. A cluster is copied by whoever clears its bit in the copy
// bitmap: claim a run of bits, read it into one buffer, look for zeroes, write the rest.
//
//   claim -> Reading -> captured -> Writing -> done          Zeroing: a hole, known without reading
//               |                      |
//               v                      v
//           set back          not released yet: set back; else Parked, with the only copy in our memory
//
// A guest may overwrite a cluster at the release point: captured (its data is in our memory) or done. Before
// that point a failure sets every bit of the chunk back, so whoever comes next copies it again; after it, a
// set-back would copy the guest's new data, so the chunk is parked, and written again or given up.
//
// Zeroes: where the target reads as zero already, runs of at least 4 KiB are not written at all, so holes
// stay holes at the granularity of file systems; elsewhere runs of a whole cluster become write-zeroes.
// At most SegmentsInFlightMax target requests of one chunk are out at once.
//
// Cost: one read and, for data without zeroes, one write per chunk; a zero test stops at the first byte
// that is not zero, so random data costs one look per 4 KiB. Nothing is allocated after construction.
// Some tasks and buffers are kept back for guests that wait, so that the background cannot starve them.
// Does not choose what to copy, nor in which order, nor how much at once: its users do.
using System;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Memory;

namespace FastBackup.Copy;

/// <summary>Sizes and rules of one engine.</summary>
/// <param name="TaskMax">Chunks in flight at once.</param>
/// <param name="ReserveCount">Of these, kept for guests that wait; less than TaskMax and than the pool's
/// buffers.</param>
/// <param name="ReleasePoint">When the guest may overwrite.</param>
public readonly record struct CopyRules(uint TaskMax, uint ReserveCount, ReleasePoint ReleasePoint);

/// <summary>Threads: the reactor's. Dispose of what it uses when nothing is in flight.</summary>
public sealed partial class CopyEngine : IBlockOwner
{
    /// <summary>Requests to the target of one chunk at once.</summary>
    public const uint SegmentsInFlightMax = 8;
    const ulong SparseBytes = 4 * Units.KiB;

    // --- fixed at construction
    readonly IBlockDevice _source;
    readonly IBlockDevice _target;
    readonly BufferPool _pool;
    readonly SlotTable<CopyTask> _tasks;
    readonly ulong _zeroUnitBytes;
    readonly bool _canSkipZeroes; // nobody else writes to the target while this engine lives
    readonly CopyRules _rules;
    readonly Tracer _trace;

    // --- touched only by the reactor's thread
    CopyCounters _counters;

    /// <param name="source">Read from.</param>
    /// <param name="target">Written to; at least as large as the source.</param>
    /// <param name="map">One bit per cluster, over the source's capacity.</param>
    /// <param name="pool">Where chunks are held; a chunk is at most one buffer.</param>
    /// <param name="rules">Sizes and the release point.</param>
    /// <param name="trace">Told of claims and what becomes of them.</param>
    public CopyEngine(
        IBlockDevice source,
        IBlockDevice target,
        CopyMap map,
        BufferPool pool,
        CopyRules rules,
        Tracer trace
    )
    {
        Check.That(target.Limits.CapacityBytes >= source.Limits.CapacityBytes);
        Check.That(map.SizeBytes == source.Limits.CapacityBytes);
        Check.That(pool.BufferBytes >= map.ClusterBytes);
        Check.That(rules.ReserveCount < rules.TaskMax);
        Check.That(rules.ReserveCount < pool.BufferCount);
        (_source, _target, Map, _pool, _rules, _trace) = (source, target, map, pool, rules, trace);
        _tasks = new SlotTable<CopyTask>(rules.TaskMax);
        _canSkipZeroes = target.ReadsAsZero;
        _zeroUnitBytes = _canSkipZeroes ? Math.Max(SparseBytes, target.Limits.RequestAlignBytes) : map.ClusterBytes;
    }

    public CopyMap Map { get; }

    /// <summary>Called when a start that failed for want of a buffer may work: others use the pool too.</summary>
    public IBufferWaiter? Waiter { get; set; }

    /// <summary>Chunks in flight at once, at most.</summary>
    public uint TaskMax => _tasks.Capacity;

    public uint InFlightCount => _tasks.TakenCount;

    public ulong InFlightBytes { get; private set; }

    /// <summary>Chunks that wait for Retry or Abandon.</summary>
    public uint ParkedCount { get; private set; }

    public ref readonly CopyCounters Counters => ref _counters;

    public bool CanStart(CopyLane lane)
    {
        uint reserve = lane == CopyLane.Background ? _rules.ReserveCount : 0;
        if (_tasks.TakenCount + reserve >= _tasks.Capacity)
            return false;
        if (_pool.FreeCount > reserve)
            return true;
        if (Waiter != null)
            _pool.WaitForBuffer(Waiter);
        return false;
    }

    /// <summary>The waiter is not called any more.</summary>
    public void StopWaiting()
    {
        if (Waiter != null)
            _pool.StopWaiting(Waiter);
        Waiter = null;
    }

    /// <summary>Claims the next marked run and starts to copy it.</summary>
    /// <param name="firstCluster">Where to look from.</param>
    /// <param name="endCluster">Where to stop looking.</param>
    /// <param name="lengthBytesMax">Longest chunk; one cluster at least, one buffer at most is taken.</param>
    /// <param name="lane">Whom it is for.</param>
    /// <param name="owner">Told of release and end.</param>
    /// <param name="claimed">What was claimed.</param>
    /// <returns>False when nothing is marked there, or <see cref="CanStart"/> is false.</returns>
    public bool TryStart(
        ulong firstCluster,
        ulong endCluster,
        ulong lengthBytesMax,
        CopyLane lane,
        ICopyOwner owner,
        out Extent claimed
    )
    {
        claimed = default;
        if (!CanStart(lane))
            return false;
        ulong clusterMax = Math.Max(1, Math.Min(lengthBytesMax, _pool.BufferBytes) / Map.ClusterBytes);
        if (!TryClaim(firstCluster, endCluster, clusterMax, lane, out ulong key, out CopyTask task))
            return false;
        task.Owner = owner;
        claimed = task.Extent;
        Check.That(_pool.TryRent(out task.Lease));
        task.Step = CopyTask.State.Reading;
        if (Planted.Is(PlantedBug.ReleasedWhenClaimed) && _rules.ReleasePoint == ReleasePoint.Captured)
            Release(task);
        Submit(_source, BlockOperation.Read, BlockFlags.Padded, task, key, task.Extent, 0);
        return true;
    }

    /// <summary>Claims the next marked run of a range that is known to read as zero and makes the target so.</summary>
    /// <remarks>Uses no buffer: only a task. Otherwise as <see cref="TryStart"/>, for the background.</remarks>
    public bool TryStartZeroes(
        ulong firstCluster,
        ulong endCluster,
        ulong lengthBytesMax,
        ICopyOwner owner,
        out Extent claimed
    )
    {
        claimed = default;
        if (_tasks.TakenCount + _rules.ReserveCount >= _tasks.Capacity)
            return false;
        ulong clusterMax = Math.Max(1, lengthBytesMax / Map.ClusterBytes);
        if (!TryClaim(firstCluster, endCluster, clusterMax, CopyLane.Background, out ulong key, out CopyTask task))
            return false;
        task.Owner = owner;
        claimed = task.Extent;
        if (_canSkipZeroes)
        {
            task.SkippedZeroBytes = task.Extent.LengthBytes;
            _trace.Emit(TracePoint.Capture, task.Extent);
            Finish(key, task, CopyEnd.Done);
            return true;
        }
        _trace.Emit(TracePoint.Capture, task.Extent);
        if (_rules.ReleasePoint == ReleasePoint.Captured)
            Release(task); // what there was is known: zeroes
        StartZeroing(key, task);
        return true;
    }

    /// <summary>Writes a parked chunk again, from its first byte.</summary>
    public void Retry(ulong taskKey)
    {
        CopyTask task = Unpark(taskKey);
        _trace.Emit(TracePoint.Retry, task.Extent);
        task.ResetWrite();
        if (task.Lease.IsNone)
        {
            StartZeroing(taskKey, task);
            return;
        }
        task.Step = CopyTask.State.Writing;
        Advance(taskKey, task);
    }

    /// <summary>
    /// Gives a parked chunk up: the snapshot has lost it. Its bits are set, as the record of what is missing.
    /// </summary>
    public void Abandon(ulong taskKey)
    {
        CopyTask task = Unpark(taskKey);
        _trace.Emit(TracePoint.Abandon, task.Extent);
        Finish(taskKey, task, CopyEnd.TargetFailed);
    }

    /// <summary>Copies captured data that has not reached the target yet out of our memory.</summary>
    /// <param name="offsetBytes">Device offset.</param>
    /// <param name="destination">Filled as far as one chunk has it.</param>
    /// <returns>Bytes copied; 0 when no captured chunk holds the first byte.</returns>
    /// <remarks>Cost: O(chunks in flight).</remarks>
    public unsafe ulong ReadCaptured(ulong offsetBytes, Span<byte> destination)
    {
        for (uint slot = 0; slot < _tasks.Capacity; slot++)
        {
            if (!_tasks.TryGetAt(slot, out _, out CopyTask task) || !task.IsReleased)
                continue;
            if (offsetBytes < task.Extent.OffsetBytes || offsetBytes >= task.Extent.EndBytes)
                continue;
            ulong start = offsetBytes - task.Extent.OffsetBytes;
            int lengthBytes = (int)Math.Min(task.Extent.LengthBytes - start, (ulong)destination.Length);
            if (task.Lease.IsNone)
                destination[..lengthBytes].Clear(); // a hole on its way to becoming zeroes
            else
                // SAFETY: inside the buffer that this task holds.
                new ReadOnlySpan<byte>(_pool.Address(task.Lease) + start, lengthBytes).CopyTo(destination);
            return (ulong)lengthBytes;
        }
        return 0;
    }

    bool TryClaim(
        ulong firstCluster,
        ulong endCluster,
        ulong clusterMax,
        CopyLane lane,
        out ulong key,
        out CopyTask task
    )
    {
        (key, task) = (0, null!);
        if (!Map.Todo.TryClaimRun(firstCluster, endCluster, clusterMax, out ulong first, out ulong count))
            return false;
        if (Planted.Is(PlantedBug.R43ClaimedTwice))
            Map.Todo.SetBits(first, 1);
        else
            Check.That(!Map.Busy.IsAnySet(first, count)); // no two copies of one cluster
        Check.That(_tasks.TryTake(out key, out task));
        Map.Busy.SetBits(first, count);
        task.Reset(first, count, Map.Bytes(first, count));
        task.Lane = lane;
        _trace.Emit(TracePoint.Claim, task.Extent, (int)lane);
        InFlightBytes += task.Extent.LengthBytes;
        return true;
    }

    CopyTask Unpark(ulong taskKey)
    {
        CopyTask task = _tasks.Get(taskKey);
        Check.That(task.Step == CopyTask.State.Parked);
        ParkedCount--;
        return task;
    }

    /// <summary>The release point: from here on the clusters may be overwritten.</summary>
    void Release(CopyTask task)
    {
        Check.That(!task.IsReleased);
        task.IsReleased = true;
        _trace.Emit(TracePoint.Release, task.Extent);
        Map.Busy.ClearBits(task.FirstCluster, task.ClusterCount);
        task.Owner.OnReleased(task.FirstCluster, task.ClusterCount);
    }

    unsafe void Park(ulong key, CopyTask task)
    {
        task.Step = CopyTask.State.Parked;
        if (Planted.Is(PlantedBug.R35ParkedBufferGivenBack) && !task.Lease.IsNone)
        {
            _pool.Return(task.Lease);
            Check.That(_pool.TryRent(out task.Lease)); // the same, unless somebody else was faster: here after a write
            new Span<byte>((void*)_pool.Address(task.Lease), 64).Fill(0xEE);
        }
        _trace.Emit(TracePoint.Park, task.Extent, task.FirstFault.Errno);
        ParkedCount++;
        task.Owner.OnCopied(new CopyOutcome(task.Extent, task.Lane, CopyEnd.Parked, task.FirstFault, key));
    }

    void Finish(ulong key, CopyTask task, CopyEnd end)
    {
        CopyOutcome outcome = new(task.Extent, task.Lane, end, task.FirstFault, 0);
        if (end == CopyEnd.Done)
        {
            _trace.Emit(TracePoint.Copied, task.Extent);
            Count(task);
            if (!task.IsReleased)
                Release(task);
        }
        else
        {
            _trace.Emit(TracePoint.SetBack, task.Extent, task.FirstFault.Errno);
            if (!task.IsReleased)
                Map.Busy.ClearBits(task.FirstCluster, task.ClusterCount);
            if (end != CopyEnd.SourceFailed || !Planted.Is(PlantedBug.R36FailedClusterSkipped))
                Map.Todo.SetBits(task.FirstCluster, task.ClusterCount);
        }
        if (!task.Lease.IsNone)
            _pool.Return(task.Lease);
        InFlightBytes -= task.Extent.LengthBytes;
        ICopyOwner owner = task.Owner;
        _tasks.Free(key);
        owner.OnCopied(outcome);
    }

    void Count(CopyTask task)
    {
        _counters.WrittenBytes += task.WrittenBytes;
        _counters.SkippedZeroBytes += task.SkippedZeroBytes;
        _counters.WrittenZeroBytes += task.WrittenZeroBytes;
        if (task.Lane == CopyLane.CopyBeforeWrite)
            _counters.CopyBeforeWriteBytes += task.Extent.LengthBytes;
    }
}
