// The one way data moves from source to target. A cluster is copied by whoever clears its bit in the copy
// bitmap: claim a run of bits, read it into memory, look for zeroes, write the rest.
//
//   claim -> Reading -> Captured -> Writing -> done         Zeroing: a hole, known without reading
//               |        |    ^        |
//               v        v    |        v
//           set back    scratch     not released yet: set back; else Parked, with the only copy in our memory
//
// A guest may overwrite a cluster at the release point: captured (its data is in our memory) or done. Before
// that point a failure sets its bit back, so whoever comes next copies it again; after it, a set-back would copy
// the guest's new data, so the chunk is parked, and written again or given up.
//
// Two lanes. A copy for a waiting guest takes memory of its own size, is read at once, and then waits in memory for
// its turn at the target: no guest waits for a target while there is memory (CopyEngine.Captured.cs), and when that is
// full the scratch file takes over (CopyEngine.Scratch.cs). A chunk of the background goes straight through, takes
// only memory above the reserve, and does not start while captured data piles up; guests' copies are progress of the
// job as well and there is an end of them, so neither lane can starve the other for ever.
// A chunk is read in pieces, each captured and released by itself, so that a guest waits for its clusters only; a
// piece that a guest waits for and that the device has not begun goes to the front of the device's queue.
//
// Cost: one read a piece and, for data without zeroes, one write per chunk. Nothing is allocated after construction.
// Does not choose what to copy, nor in which order, nor how much at once: its users do.
using System;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Memory;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's. Dispose of what it uses when nothing is in flight.</summary>
public sealed partial class CopyEngine : IBlockOwner, IDisposable
{
    /// <summary>Requests to the target of one chunk at once.</summary>
    public const uint SegmentsInFlightMax = 8;
    const ulong SparseBytes = 4 * Units.KiB;

    // --- fixed at construction
    readonly IBlockDevice _source;
    readonly IBlockDevice _target;
    readonly BufferPool _pool;
    readonly SlotTable<CopyTask> _tasks;
    readonly ClusterIndex _index; // of all that has memory or scratch space
    readonly ulong _zeroUnitBytes;
    readonly bool _canSkipZeroes; // nobody else writes to the target while this engine lives
    readonly CopyRules _rules;
    readonly Tracer _trace;

    // --- touched only by the reactor's thread
    CopyCounters _counters;
    uint _backgroundCount;
    uint _zeroingCount;
    ulong _atDevicesBytes;

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
        Check.That(rules.BackgroundMax > 0);
        Check.That(rules.CaptureMax > 0);
        Check.That(rules.TargetMax > 0);
        Check.That(rules.CaptureBytesMax >= map.ClusterBytes);
        Check.That(rules.Scratch == null || rules.Scratch.ClusterBytes == map.ClusterBytes);
        (_source, _target, Map, _pool, _rules, _trace) = (source, target, map, pool, rules, trace);
        _tasks = new SlotTable<CopyTask>(rules.BackgroundMax + rules.CaptureMax);
        ulong inMemoryMax = pool.SizeBytes / map.ClusterBytes;
        // One more: the disk's last cluster may be short, and take less memory than a cluster has.
        _index = new ClusterIndex(inMemoryMax + 1 + (rules.Scratch?.ClusterMax ?? 0));
        _canSkipZeroes = target.ReadsAsZero;
        _zeroUnitBytes = _canSkipZeroes ? Math.Max(SparseBytes, target.Limits.RequestAlignBytes) : map.ClusterBytes;
        ReadPieceBytes = pool.BufferBytes;
    }

    public CopyMap Map { get; }

    public CopyRules Rules => _rules;

    /// <summary>Called when a start that failed for want of memory may work: others use the pool too.</summary>
    public IBufferWaiter? Waiter { get; set; }

    /// <summary>Chunks in flight at once, at most.</summary>
    public uint TaskMax => _tasks.Capacity;

    /// <summary>Memory that the background may hold at most, or one buffer if that is more.</summary>
    public ulong BackgroundBytesMax
    {
        get
        {
            ulong leftBytes = _pool.SizeBytes - _rules.ReserveBytes;
            return Math.Max(_pool.BufferBytes, Math.Min(leftBytes, (ulong)_pool.BufferBytes * _rules.BackgroundMax));
        }
    }

    /// <summary>Chunks that are claimed and have not ended, those in scratch space among them.</summary>
    public uint InFlightCount => _tasks.TakenCount + (_rules.Scratch?.WaitingCount ?? 0);

    public ulong InFlightBytes { get; private set; }

    /// <summary>What the devices have of it now: the background's chunks, captured ones, reads for guests.</summary>
    public ulong DeviceBytes => _atDevicesBytes + _cbwReadBytes;

    /// <summary>Chunks that wait for Retry or Abandon.</summary>
    public uint ParkedCount { get; private set; }

    /// <summary>Length of one read of the background: a longer chunk is read in pieces; one cluster at least.</summary>
    public ulong ReadPieceBytes { get; set; }

    public ref readonly CopyCounters Counters => ref _counters;

    /// <summary>Whether one cluster can be started now; else the waiter is called when memory is free.</summary>
    public bool CanStart(CopyLane lane) => StartableBytes(lane, Map.ClusterBytes) > 0;

    /// <summary>Whether one cluster could be started now.</summary>
    public bool HasRoom(CopyLane lane) => RoomBytes(lane, Map.ClusterBytes) > 0;

    /// <summary>The source has not given this cluster's old data yet.</summary>
    public bool IsBeingRead(ulong cluster) =>
        TryGetTask(cluster, out CopyTask task) && task.Step == CopyTask.State.Reading && !task.HasCaptured(cluster);

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
        ulong clusterMax = StartableBytes(lane, Math.Max(lengthBytesMax, Map.ClusterBytes)) / Map.ClusterBytes;
        if (clusterMax == 0 || !TryClaim(firstCluster, endCluster, clusterMax, lane, out CopyTask task))
            return false;
        task.Owner = owner;
        claimed = task.Extent;
        TakeMemory(task);
        task.Step = CopyTask.State.Reading;
        if (lane == CopyLane.CopyBeforeWrite)
            CountGuestRead(task, 1);
        _index.SetRun(task.Pieces.FirstCluster, task.Pieces.ClusterCount, task.Key);
        if (lane == CopyLane.Background)
            EnterDevices(task);
        if (Planted.Is(PlantedBug.ReleasedWhenClaimed) && _rules.ReleasePoint == ReleasePoint.Captured)
            Release(task, task.Pieces.All);
        Read(task);
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
        if (!HasTask(CopyLane.Background))
            return false;
        ulong clusterMax = Math.Max(1, lengthBytesMax / Map.ClusterBytes);
        if (!TryClaim(firstCluster, endCluster, clusterMax, CopyLane.Background, out CopyTask task))
            return false;
        task.Owner = owner;
        claimed = task.Extent;
        task.Pieces = PieceMap.Cut(task.Pieces.FirstCluster, task.Pieces.ClusterCount, task.Pieces.ClusterCount);
        task.Captured = task.Pieces.All;
        task.Step = CopyTask.State.Zeroing;
        _zeroingCount++;
        EnterDevices(task);
        _trace.Emit(TracePoint.Capture, task.Extent);
        if (_canSkipZeroes)
        {
            task.SkippedZeroBytes = task.Extent.LengthBytes;
            Finish(task, CopyEnd.Done);
            return true;
        }
        if (_rules.ReleasePoint == ReleasePoint.Captured)
            Release(task, task.Pieces.All); // what there was is known: zeroes
        StartZeroing(task);
        return true;
    }

    /// <summary>
    /// Captures what is marked in a run of clusters from memory that has its old data already.
    /// </summary>
    /// <param name="firstCluster">Where the data begins.</param>
    /// <param name="clusterCount">Whole clusters; the last may be cut by the device end.</param>
    /// <param name="bytes">Their data as of the point in time; copied before this returns.</param>
    /// <param name="owner">Told of release and end.</param>
    /// <remarks>Takes only memory that the background might have. Cost: a copy in memory of what is taken.</remarks>
    public unsafe void Offer(ulong firstCluster, ulong clusterCount, ReadOnlySpan<byte> bytes, ICopyOwner owner)
    {
        ulong baseBytes = Map.Bytes(firstCluster, 1).OffsetBytes;
        ulong endCluster = firstCluster + clusterCount;
        while (firstCluster < endCluster)
        {
            ulong clusterMax = RoomBytes(CopyLane.Offered, ulong.MaxValue) / Map.ClusterBytes;
            if (clusterMax == 0 || !TryClaim(firstCluster, endCluster, clusterMax, CopyLane.Offered, out CopyTask task))
                return;
            firstCluster = task.Pieces.FirstCluster + task.Pieces.ClusterCount;
            task.Owner = owner;
            TakeMemory(task);
            _index.SetRun(task.Pieces.FirstCluster, task.Pieces.ClusterCount, task.Key);
            int lengthBytes = (int)task.Extent.LengthBytes;
            // SAFETY: the chunk fits its buffer, which this task holds until it ends.
            Span<byte> memory = new(_pool.Address(task.Lease), lengthBytes);
            bytes.Slice((int)(task.Extent.OffsetBytes - baseBytes), lengthBytes).CopyTo(memory);
            _counters.OfferedBytes += task.Extent.LengthBytes;
            _counters.ReadBytes -= task.Extent.LengthBytes; // which Capture adds: it was not read here
            Capture(task, 0);
            OnAllRead(task);
        }
    }

    /// <summary>
    /// A guest's write waits for these clusters: reads of them that the device has not begun go to the front.
    /// </summary>
    /// <remarks>Cost: O(clusters among them that are in flight); each read is moved once.</remarks>
    public void Promote(ulong firstCluster, ulong clusterCount)
    {
        ulong endCluster = firstCluster + clusterCount;
        for (ulong cluster = firstCluster; ; cluster++)
        {
            cluster = Map.Busy.NextDirtyBit(cluster, endCluster);
            if (cluster >= endCluster)
                return;
            if (!TryGetTask(cluster, out CopyTask task))
                continue;
            if (task.Step != CopyTask.State.Reading || task.Lane != CopyLane.Background)
                continue;
            uint piece = task.Pieces.PieceOf(cluster);
            if (((task.Captured | task.Promoted) >> (int)piece & 1) != 0)
                continue;
            task.Promoted |= 1UL << (int)piece;
            _source.Promote(this, PieceKey(task, piece));
        }
    }

    /// <summary>Writes a parked chunk again, from its first byte.</summary>
    public void Retry(ulong taskKey)
    {
        CopyTask task = Unpark(taskKey);
        _trace.Emit(TracePoint.Retry, task.Extent);
        task.ResetWrite();
        EnterDevices(task);
        if (task.Lease.IsNone)
            StartZeroing(task);
        else
            StartWriting(task);
    }

    /// <summary>
    /// Gives a parked chunk up: the snapshot has lost it. Its bits are set, as the record of what is missing.
    /// </summary>
    public void Abandon(ulong taskKey)
    {
        CopyTask task = Unpark(taskKey);
        _trace.Emit(TracePoint.Abandon, task.Extent);
        Finish(task, CopyEnd.TargetFailed);
    }

    /// <summary>The kernel holds nothing any more; what is left in memory was orphaned.</summary>
    public void Dispose()
    {
        Check.That(InFlightCount == 0 || _isOrphaned);
        _index.Dispose();
    }

    bool HasTask(CopyLane lane)
    {
        if (lane == CopyLane.Background)
            return _backgroundCount < _rules.BackgroundMax;
        return _tasks.TakenCount - _backgroundCount < _rules.CaptureMax;
    }

    /// <summary>As RoomBytes; without room the waiter is called when memory is free.</summary>
    ulong StartableBytes(CopyLane lane, ulong wantedBytes)
    {
        ulong lengthBytes = RoomBytes(lane, wantedBytes);
        if (lengthBytes == 0 && Waiter != null)
            _pool.WaitForBuffer(Waiter);
        return lengthBytes;
    }

    /// <summary>The longest chunk that there is room for: 0, or at least a cluster.</summary>
    ulong RoomBytes(CopyLane lane, ulong wantedBytes)
    {
        if (!HasTask(lane))
            return 0;
        ulong clusterBytes = Map.ClusterBytes;
        ulong allowed = Math.Min(wantedBytes, _pool.BufferBytes);
        if (lane != CopyLane.Background)
        {
            allowed = Math.Min(allowed, Math.Max(clusterBytes, _rules.CaptureChunkBytes));
            if (!Planted.Is(PlantedBug.CaptureOverItsLimit))
                allowed = Math.Min(allowed, Units.AlignDown(CaptureLeftBytes, _pool.UnitBytes));
        }
        if (lane != CopyLane.CopyBeforeWrite)
        {
            if (IsCapturePiledUp)
                return 0;
            if (!Planted.Is(PlantedBug.BackgroundTakesReserve))
                allowed = Math.Min(allowed, _pool.FreeBytes - Math.Min(_rules.ReserveBytes, _pool.FreeBytes));
        }
        if (allowed >= clusterBytes)
            allowed = Math.Min(allowed, _pool.LongestFreeBytes(allowed)); // which is in whole units
        return allowed >= clusterBytes ? Units.AlignDown(allowed, clusterBytes) : 0;
    }

    void TakeMemory(CopyTask task)
    {
        // A read at the end of the device is padded to its alignment.
        ulong lengthBytes = Units.AlignUp(task.Extent.LengthBytes, _source.Limits.RequestAlignBytes);
        Check.That(_pool.TryRent(Math.Min(lengthBytes, _pool.BufferBytes), out task.Lease));
        if (task.Lane != CopyLane.Background)
            CountCapture(MemoryOf(task));
    }

    void ReturnMemory(CopyTask task)
    {
        if (task.Lease.IsNone)
            return;
        if (task.Lane != CopyLane.Background)
            CaptureBytes -= MemoryOf(task);
        BufferLease lease = task.Lease;
        task.Lease = default;
        _pool.Return(lease);
    }

    ulong MemoryOf(CopyTask task) => (ulong)task.Lease.UnitCount * _pool.UnitBytes;

    bool TryClaim(ulong firstCluster, ulong endCluster, ulong clusterMax, CopyLane lane, out CopyTask task)
    {
        task = null!;
        if (!Map.Todo.TryClaimRun(firstCluster, endCluster, clusterMax, out ulong first, out ulong count))
            return false;
        if (Planted.Is(PlantedBug.R43ClaimedTwice))
            Map.Todo.SetBits(first, 1);
        else
            Check.That(!Map.Busy.IsAnySet(first, count)); // no two copies of one cluster
        TakeTask(first, count, lane, out task);
        Map.Busy.SetBits(first, count);
        _trace.Emit(TracePoint.Claim, task.Extent, (int)lane);
        InFlightBytes += task.Extent.LengthBytes;
        return true;
    }

    void TakeTask(ulong firstCluster, ulong clusterCount, CopyLane lane, out CopyTask task)
    {
        Check.That(_tasks.TryTake(out ulong key, out task));
        // A guest waits for all that was claimed for it.
        ulong pieceClusters =
            lane == CopyLane.Background ? Math.Max(1, ReadPieceBytes / Map.ClusterBytes) : clusterCount;
        PieceMap pieces = PieceMap.Cut(firstCluster, clusterCount, pieceClusters);
        task.Reset(key, lane, pieces, Map.Bytes(firstCluster, clusterCount));
        if (lane == CopyLane.Background)
            _backgroundCount++;
    }

    bool TryGetTask(ulong cluster, out CopyTask task)
    {
        task = null!;
        if (!_index.TryGet(cluster, out ulong place) || IsScratchPlace(place))
            return false;
        task = _tasks.Get(place);
        return true;
    }

    CopyTask Unpark(ulong taskKey)
    {
        CopyTask task = _tasks.Get(taskKey);
        Check.That(task.Step == CopyTask.State.Parked);
        ParkedCount--;
        return task;
    }

    /// <summary>The release point: from here on the clusters of these pieces may be overwritten.</summary>
    void Release(CopyTask task, ulong pieces)
    {
        Check.That((task.Released & pieces) == 0);
        task.Released |= pieces;
        while (task.Pieces.TryTakeRun(ref pieces, out ulong first, out ulong count))
        {
            _trace.Emit(TracePoint.Release, Map.Bytes(first, count));
            Map.Busy.ClearBits(first, count);
            task.Owner.OnReleased(first, count);
        }
    }
}
