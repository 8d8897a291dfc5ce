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
// its turn at the target: no guest waits for a target while there is memory (CaptureQueue), and when that is full the
// scratch file takes over (SpillQueue). A chunk of the background goes straight through, takes
// only memory above the reserve, and does not start while captured data piles up; guests' copies are progress of the
// job as well and there is an end of them, so neither lane can starve the other for ever.
// A chunk is read in pieces, each captured and released by itself, so that a guest waits for its clusters only; a
// piece that a guest waits for and that the device has not begun goes to the front of the device's queue. A write that
// overwrites a small part of a cluster has only its blocks captured, and the cluster stays to be copied (BlockCapture).
//
// This class is what users see: what is claimed, and when there is room for it. The rest of a chunk's way, where its
// requests end and what follows, is ChunkLife.
//
// Cost: one read a piece and, for data without zeroes, one write per chunk. Nothing is allocated after construction.
// Does not choose what to copy, nor in which order, nor how much at once: its users do.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's. Dispose of what it uses when nothing is in flight.</summary>
public sealed class CopyEngine : IDisposable
{
    /// <summary>Requests to the target of one chunk at once.</summary>
    public const uint SegmentsInFlightMax = 8;

    const uint WaitingMarkedMax = 16384; // less than a millisecond

    // --- fixed at construction
    readonly BufferPool _pool;
    readonly CopyRules _rules;
    readonly ChunkLife _life;

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
        (Map, _pool, _rules) = (map, pool, rules);
        _life = new ChunkLife(source, target, map, pool, rules, trace);
        ReadPieceBytes = pool.BufferBytes;
    }

    public CopyMap Map { get; }

    public CopyRules Rules => _rules;

    /// <summary>Called when a start that failed for want of memory may work: others use the pool too.</summary>
    public IBufferWaiter? Waiter
    {
        get => _life.Waiter;
        set => _life.Waiter = value;
    }

    /// <summary>Says when captured data may go to the target; null = always.</summary>
    public ICopyPacer? Pacer
    {
        get => _life.Captures.Pacer;
        set => _life.Captures.Pacer = value;
    }

    /// <summary>The target refuses for the time being: captured data stays where it is, or goes to scratch.</summary>
    public bool IsTargetHeld
    {
        get => _life.Captures.IsTargetHeld;
        set => _life.Captures.IsTargetHeld = value;
    }

    /// <summary>Length of one read of the background: a longer chunk is read in pieces; one cluster at least.</summary>
    public ulong ReadPieceBytes { get; set; }

    /// <summary>Chunks in flight at once, at most.</summary>
    public uint TaskMax => _life.Tasks.Capacity;

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
    public uint InFlightCount =>
        _life.Tasks.TakenCount + (_life.Spill?.WaitingCount ?? 0) + (Blocks?.ReadingCount ?? 0);

    /// <summary>Of those, but for blocks: their clusters are still to be copied.</summary>
    public ulong InFlightBytes => _life.InFlightBytes;

    /// <summary>Marks what is claimed and has not ended, wherever it is.</summary>
    /// <param name="marks">A bit a cluster.</param>
    /// <returns>False: so much waits in scratch space that it would hold the reactor up.</returns>
    public bool TryAddUnderWay(HierarchicalBitmap marks)
    {
        if (_life.Spill is { WaitingCount: > WaitingMarkedMax })
            return false;
        for (uint slot = 0; slot < _life.Tasks.Capacity; slot++)
            if (_life.Tasks.TryGetAt(slot, out CopyTask task))
                marks.SetBits(task.Pieces.FirstCluster, task.Pieces.ClusterCount);
        _life.Spill?.AddWaiting(marks);
        return true;
    }

    /// <summary>What the devices have of it now: the background's chunks, captured ones, reads for guests.</summary>
    public ulong DeviceBytes => _life.DeviceBytes;

    /// <summary>Chunks that wait for Retry or Abandon.</summary>
    public uint ParkedCount => _life.ParkedCount;

    /// <summary>Chunks of the background in flight.</summary>
    public uint BackgroundCount => _life.Tasks.BackgroundCount;

    /// <summary>Chunks and blocks that are being read for guests that wait.</summary>
    public uint GuestReadCount => _life.Reader.GuestReadCount + (Blocks?.ReadingCount ?? 0);

    /// <summary>What guests' writes have captured ahead of its clusters; null: they capture whole clusters.</summary>
    internal BlockCapture? Blocks => _life.Blocks;

    /// <summary>Captured chunks that wait for their turn at the target, those in scratch space not counted.</summary>
    public uint CapturedCount => _life.Captures.Waiting.Count;

    /// <inheritdoc cref="CopyMemory.CaptureBytes"/>
    public ulong CaptureBytes => _life.Memory.CaptureBytes;

    /// <inheritdoc cref="CopyMemory.CapturePeakBytes"/>
    public ulong CapturePeakBytes => _life.Memory.CapturePeakBytes;

    /// <inheritdoc cref="CopyMemory.CaptureLimitBytes"/>
    public ulong CaptureLimitBytes => _life.Memory.CaptureLimitBytes;

    /// <summary>Old data in scratch space, of which one run may be on its way to the target already.</summary>
    public ulong ScratchBytes => _life.Spill?.UsedBytes ?? 0;

    public ulong ScratchLimitBytes => _life.Spill?.LimitBytes ?? 0;

    /// <summary>Why scratch takes nothing any more; None while it does, or when there is none.</summary>
    public Fault ScratchFault => _life.Spill?.Fault ?? Fault.None;

    /// <summary>Nothing is captured any more, and nothing will be: see <see cref="DropPiece"/>.</summary>
    public bool IsDropped => _life.IsDropped;

    /// <summary>The job has ended without what the kernel still holds; see <see cref="Orphan"/>.</summary>
    public bool IsOrphaned => _life.IsOrphaned;

    public ref readonly CopyCounters Counters => ref _life.Counters;

    /// <summary>The target reads as zero where nothing was written.</summary>
    public bool SkipsZeroes => _life.SkipsZeroes;

    /// <summary>Whether one cluster can be started now; else the waiter is called when memory is free.</summary>
    public bool CanStart(CopyLane lane) => StartableBytes(lane, Map.ClusterBytes) > 0;

    /// <summary>Whether one cluster could be started now.</summary>
    public bool HasRoom(CopyLane lane) => RoomBytes(lane, Map.ClusterBytes) > 0;

    /// <summary>The source has not given this cluster's old data yet.</summary>
    public bool IsBeingRead(ulong cluster) =>
        _life.Tasks.TryGet(cluster, out CopyTask task)
        && task.Step == CopyTask.State.Reading
        && !task.HasCaptured(cluster);

    /// <summary>
    /// What a write overwrites of a marked cluster is in memory, or the source was asked for it: no room is waited for.
    /// </summary>
    /// <param name="cluster">Touched by the write.</param>
    /// <param name="extent">Of the write.</param>
    public bool IsCapturing(ulong cluster, in Extent extent) =>
        Blocks?.IsOnItsWay(cluster, extent) == true || IsBeingRead(cluster) || PlaceOf(cluster) != CapturedPlace.None;

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
        if (clusterMax == 0 || !TryClaim(firstCluster, endCluster, clusterMax, lane, owner, out CopyTask task))
            return false;
        claimed = task.Extent;
        _life.Read(task);
        return true;
    }

    /// <summary>
    /// Takes the next marked run of a range that the source calls zero for captured: guests may write there. The target
    /// is made zero by <see cref="TryStartZeroes"/>; if it is so already, the run has ended.
    /// </summary>
    /// <param name="firstCluster">Where to look from.</param>
    /// <param name="endCluster">Where to stop looking; no cluster before it is captured in part.</param>
    /// <param name="clusterMax">Longest run, at least 1.</param>
    /// <param name="owner">Told of release and end.</param>
    /// <param name="learned">The run.</param>
    /// <returns>False when nothing is marked there.</returns>
    /// <remarks>
    /// The source was asked after the point in time, and the snapshot is not given up. Needs no room.
    /// </remarks>
    public bool TryLearnZeroes(
        ulong firstCluster,
        ulong endCluster,
        ulong clusterMax,
        ICopyOwner owner,
        out Extent learned
    ) => _life.TryLearnZeroes(firstCluster, endCluster, clusterMax, owner, out learned);

    /// <summary>Makes the target zero in the next run that is known to have been so.</summary>
    /// <param name="clusterMax">Longest run, at least 1.</param>
    /// <param name="owner">Told of the end.</param>
    /// <returns>False when there is none, or no room for another chunk of the background.</returns>
    /// <remarks>Uses no buffer: only a task.</remarks>
    public bool TryStartZeroes(ulong clusterMax, ICopyOwner owner)
    {
        if (
            !_life.Tasks.HasRoom(CopyLane.Background)
            || !_life.Zeroes.TryTake(clusterMax, out ulong first, out ulong count)
        )
            return false;
        CopyTask task = _life.Tasks.Take(first, count, CopyLane.Background, count);
        task.Owner = owner;
        _life.Begin(task);
        _life.MakeZero(task);
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
    public void Offer(ulong firstCluster, ulong clusterCount, ReadOnlySpan<byte> bytes, ICopyOwner owner)
    {
        ulong baseBytes = Map.Bytes(firstCluster, 1).OffsetBytes;
        ulong endCluster = firstCluster + clusterCount;
        while (firstCluster < endCluster)
        {
            ulong clusterMax = RoomBytes(CopyLane.Offered, ulong.MaxValue) / Map.ClusterBytes;
            if (
                clusterMax == 0
                || !TryClaim(firstCluster, endCluster, clusterMax, CopyLane.Offered, owner, out CopyTask task)
            )
                return;
            firstCluster = task.Pieces.FirstCluster + task.Pieces.ClusterCount;
            int startBytes = (int)(task.Extent.OffsetBytes - baseBytes);
            _life.TakeOver(task, bytes.Slice(startBytes, (int)task.Extent.LengthBytes));
        }
    }

    /// <summary>
    /// A guest's write waits for these clusters: reads of them that the device has not begun go to the front.
    /// </summary>
    /// <remarks>Cost: O(clusters among them that are in flight); each read is moved once.</remarks>
    public void Promote(ulong firstCluster, ulong clusterCount) => _life.Reader.Promote(firstCluster, clusterCount);

    /// <summary>Writes a parked chunk again, from its first byte.</summary>
    public void Retry(ulong taskKey) => _life.Retry(taskKey);

    /// <summary>
    /// Gives a parked chunk up: the snapshot has lost it. Its bits are set, as the record of what is missing.
    /// </summary>
    public void Abandon(ulong taskKey) => _life.Abandon(taskKey);

    /// <summary>
    /// Gives up what is captured and not on its way to the target, a piece of it at a time: the job ends without it.
    /// Its bits are set, as the record of what is missing; what is captured later is dropped at once.
    /// </summary>
    /// <returns><see cref="IsDropped"/>.</returns>
    /// <remarks>Cost: less than a millisecond.</remarks>
    public bool DropPiece() => _life.DropPiece();

    /// <summary>
    /// Hands to the target what may go there now: also after the pacer has changed its mind. When memory for captured
    /// blocks is short, the clusters that have been captured in part for longest are read, and go there next.
    /// </summary>
    public void Pump()
    {
        _life.Pump();
        while (
            _life.WantsRest
            && Blocks!.TryPeekOldest(out ulong cluster, out ICopyOwner owner)
            && RoomBytes(CopyLane.Rest, Map.ClusterBytes) > 0
            && TryClaim(cluster, cluster + 1, 1, CopyLane.Rest, owner, out CopyTask task)
        )
            _life.Read(task);
    }

    /// <summary>
    /// The owner leaves although the kernel still holds requests: from here on nothing is told, the map is not used,
    /// and each chunk's memory goes back to the pool when its last request has ended. What was in flight is marked
    /// again. Parked and captured chunks must have been given up.
    /// </summary>
    public void Orphan()
    {
        StopWaiting();
        _life.Orphan();
    }

    /// <summary>The kernel holds nothing any more; what is left in memory was orphaned.</summary>
    public void Dispose()
    {
        Check.That(InFlightCount == 0 || IsOrphaned);
        _life.Dispose();
    }

    // --- readers of the snapshot

    /// <summary>Where the old data of a cluster that a guest may have overwritten is. Cost: O(1).</summary>
    public CapturedPlace PlaceOf(ulong cluster)
    {
        if (_life.Tasks.TryGet(cluster, out CopyTask task))
            return task.HasReleased(cluster) ? CapturedPlace.Memory : CapturedPlace.None;
        if (_life.Spill?.Has(cluster) == true)
            return CapturedPlace.Scratch;
        if (_life.Zeroes.Has(cluster))
            return CapturedPlace.Memory;
        return _life.Tasks.FindZeroing(cluster) != null ? CapturedPlace.Memory : CapturedPlace.None;
    }

    /// <summary>Copies captured data that has not reached the target yet out of our memory.</summary>
    /// <param name="offsetBytes">Device offset; its cluster's place is Memory, or its block was captured.</param>
    /// <param name="destination">Filled as far as one chunk has it, or one block.</param>
    /// <returns>Bytes copied; 0 when its place is another.</returns>
    public ulong ReadCaptured(ulong offsetBytes, Span<byte> destination)
    {
        ulong cluster = offsetBytes / Map.ClusterBytes;
        if (Blocks?.Read(offsetBytes, destination) is { } blockBytes and > 0)
            return blockBytes;
        if (_life.Zeroes.Read(offsetBytes, destination) is var zeroBytes and > 0)
            return zeroBytes;
        if (PlaceOf(cluster) != CapturedPlace.Memory)
            return 0;
        if (!_life.Tasks.TryGet(cluster, out CopyTask task))
            task = _life.Tasks.FindZeroing(cluster)!;
        ulong start = offsetBytes - task.Extent.OffsetBytes;
        ulong end = task.EndOfRun(start, Map.ClusterBytes, out bool isCaptured);
        Check.That(isCaptured);
        ulong lengthBytes = Math.Min(end - start, (ulong)destination.Length);
        if (task.Lease.IsNone)
            destination[..(int)lengthBytes].Clear();
        else
            _life.Memory.Span(task, start, lengthBytes).CopyTo(destination);
        return lengthBytes;
    }

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
    ) => _life.Spill!.Pin(offsetBytes, out device, out scratchOffsetBytes, out lengthBytes);

    public void UnpinScratch(uint entry) => _life.Spill!.Unpin(entry);

    bool TryClaim(
        ulong firstCluster,
        ulong endCluster,
        ulong clusterMax,
        CopyLane lane,
        ICopyOwner owner,
        out CopyTask task
    )
    {
        task = null!;
        if (!_life.Marks.TryClaim(firstCluster, endCluster, clusterMax, lane, out ulong first, out ulong count))
            return false;
        // A guest waits for all that was claimed for it.
        ulong pieceClusters = lane == CopyLane.Background ? Math.Max(1, ReadPieceBytes / Map.ClusterBytes) : count;
        task = _life.Tasks.Take(first, count, lane, pieceClusters);
        task.Owner = owner;
        _life.Begin(task);
        return true;
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
        if (!_life.Tasks.HasRoom(lane))
            return 0;
        ulong clusterBytes = Map.ClusterBytes;
        ulong allowed = Math.Min(wantedBytes, _pool.BufferBytes);
        if (lane != CopyLane.Background)
        {
            allowed = Math.Min(allowed, Math.Max(clusterBytes, _rules.CaptureChunkBytes));
            allowed = Math.Min(allowed, Units.AlignDown(_life.Memory.CaptureLeftBytes, _pool.UnitBytes));
        }
        if (lane is CopyLane.Background or CopyLane.Offered)
        {
            if (_life.Captures.IsPiledUp)
                return 0;
            allowed = Math.Min(allowed, _pool.FreeBytes - Math.Min(_rules.ReserveBytes, _pool.FreeBytes));
        }
        if (allowed >= clusterBytes)
            allowed = Math.Min(allowed, _pool.LongestFreeBytes(allowed)); // which is in whole units
        return allowed >= clusterBytes ? Units.AlignDown(allowed, clusterBytes) : 0;
    }
}
