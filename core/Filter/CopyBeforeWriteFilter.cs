// One point in time of a disk: the copy map, the engine that saves old data, and the rule for what happens when
// that fails. Attached in a quiesced moment (T0); from then on the disk asks it before every write, and snapshot
// views and a job read T0 through it.
//
// Broken is for good: the first fault is kept as the root cause, every cluster counts as unprotected from that
// moment (so no guest waits any longer), and every later read of the snapshot fails. Nothing of it is silent.
//
// With BreakGuestWrite a guest write waits until the target has the old data, because only then can no later
// failure break the snapshot; with BreakSnapshot it waits only until our memory has it. What is known to have been zero
// is safe in both: no failure loses that.
using System;
using System.Numerics;
using System.Threading;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Filter;

/// <summary>What a filter tells its user: a job, or a fleecing session.</summary>
public interface IFilterOwner
{
    /// <summary>A chunk of either lane ended or parked; there is room for another.</summary>
    void OnCopied(in CopyOutcome outcome);

    /// <summary>Old data is in memory: guests go on; nothing is asked for.</summary>
    void OnCaptured();

    /// <inheritdoc cref="IWriteWatcher.BeforeAnswer"/>
    void BeforeAnswer();

    /// <summary>
    /// A buffer of the shared pool is free again, or a read of blocks has ended: look in a later turn whether something
    /// can start.
    /// </summary>
    void OnRoom();

    /// <summary>All that a bitmap named is in the copy map. Called once, after the point in time; never without a
    /// bitmap.</summary>
    void OnWhole();

    /// <summary>The snapshot is lost; the fault is the root cause. Called once.</summary>
    /// <param name="fault">What happened.</param>
    /// <param name="isSource">Whether it was the source that failed.</param>
    void OnBroken(Fault fault, bool isSource);
}

/// <summary>Threads: the reactor's; <see cref="Protects"/> any.</summary>
public sealed class CopyBeforeWriteFilter : IWriteWatcher, ICopyOwner, IBufferWaiter, ILoopTask, IDisposable
{
    const int HoldsMax = 4096;
    const uint CaptureChunksMax = 4096;
    const uint WritingMax = 32;
    const ulong CaptureChunkBytesMax = 256 * Units.KiB;
    const ulong OfferBytesMax = 4 * Units.MiB;

    // --- fixed at construction
    readonly Disk _disk;
    readonly FilterOptions _options;
    readonly RangeHolds _holds = new(HoldsMax);

    // --- any thread: written by the reactor
    bool _isProtecting;

    // --- touched only by the reactor's thread
    bool _isAttached;
    ulong _attachedNs;
    WarmSet? _warm; // before T0

    CopyBeforeWriteFilter(Disk disk, IBlockDevice target, BufferPool pool, CopyMap map, FilterOptions options)
    {
        (_disk, Target, Map, _options) = (disk, target, map, options);
        Trace = new Tracer(disk.Loop, disk.Name);
        CopyRules rules = Rules(disk.Device, target, pool, options);
        Engine = new CopyEngine(disk.Device, target, map, pool, rules, Trace) { Waiter = this };
        Heat = new FirstWriteHeat(map.ClusterCount, (uint)map.ClusterBytes);
    }

    /// <summary>
    /// A part of what each device accepts at once: guests, snapshot readers and other jobs want theirs.
    /// </summary>
    static CopyRules Rules(IBlockDevice source, IBlockDevice target, BufferPool pool, FilterOptions options)
    {
        uint deviceMax = Math.Min(
            source.Limits.InFlightMax / 4,
            target.Limits.InFlightMax / (2 * CopyEngine.SegmentsInFlightMax)
        );
        deviceMax = Math.Max(1, deviceMax);
        ulong poolBytes = pool.SizeBytes;
        ulong leastBytes = Units.AlignUp(options.ClusterBytes, pool.UnitBytes);
        ulong captureBytes = Math.Min(poolBytes, options.CaptureBytesMax);
        ulong reserveBytes = poolBytes >= 2 * leastBytes ? Math.Max(leastBytes, poolBytes / 2) : 0;
        return new CopyRules
        {
            BackgroundMax = Math.Min(options.TaskMax, deviceMax),
            CaptureMax = Math.Min(pool.UnitCount, CaptureChunksMax),
            // What is at the target cannot go to scratch: at most a quarter of the memory for captures is there.
            TargetMax = (uint)Math.Clamp(captureBytes / leastBytes / 4, 1, Math.Min(deviceMax, WritingMax)),
            ReserveBytes = Units.AlignDown(reserveBytes, leastBytes),
            CaptureBytesMax = Math.Max(options.CaptureBytesMax, leastBytes),
            CaptureChunkBytes = Math.Min(CaptureChunkBytesMax, options.CaptureBytesMax),
            ReleasePoint =
                options.OnCbwError == CbwErrorPolicy.BreakGuestWrite ? ReleasePoint.Done : ReleasePoint.Captured,
            BlockBytes = options.BlockBytes,
            Scratch = options.Scratch,
        };
    }

    public IBlockDevice Target { get; }

    /// <summary>Guests' reads are copied from their memory.</summary>
    public bool TakesGuestReads => _options.TakesGuestReads;

    /// <summary>Where this point in time and its job tell what happens.</summary>
    public Tracer Trace { get; }

    public CopyMap Map { get; }

    public CopyEngine Engine { get; }

    /// <summary>Where guests' writes wait most.</summary>
    public FirstWriteHeat Heat { get; }

    /// <summary>Told of what happens here; set before the filter is attached.</summary>
    public IFilterOwner? Owner { get; set; }

    /// <summary>The root cause once the snapshot is lost.</summary>
    public Fault BrokenBy { get; private set; }

    /// <summary>From T0 until it left the disk.</summary>
    public bool IsAttached => _isAttached;

    /// <summary>The disk's count of points in time when it was attached.</summary>
    public ulong Epoch { get; private set; }

    /// <summary>
    /// How long guest writes waited for copies of this point in time, from arrival to grant or refusal.
    /// </summary>
    public LatencyHistogram GuestWaits { get; } = new();

    public bool IsBroken => BrokenBy.IsFault;

    /// <summary>When the wait of a guest write for this filter is over; ulong.MaxValue = never.</summary>
    /// <param name="arrivedNs">When the write came; it cannot have waited for a filter before its T0.</param>
    public ulong WaitDeadlineNs(ulong arrivedNs) =>
        _options.CbwTimeoutMs == 0
            ? ulong.MaxValue
            : Math.Max(arrivedNs, _attachedNs) + _options.CbwTimeoutMs * Units.NsPerMs;

    /// <summary>A filter that is not attached and protects nothing.</summary>
    /// <param name="disk">Whose point in time it will be.</param>
    /// <param name="target">Where old data goes.</param>
    /// <param name="pool">Where it is on its way.</param>
    /// <param name="map">Of the disk's size, nothing of it claimed; its owner outlives the filter.</param>
    /// <param name="options">How it does so.</param>
    public static CopyBeforeWriteFilter Create(
        Disk disk,
        IBlockDevice target,
        BufferPool pool,
        CopyMap map,
        FilterOptions options
    ) => new(disk, target, pool, map, options);

    /// <summary>Keeps what guests write from now on until T0, where it is captured then: see <see cref="WarmSet"/>.
    /// </summary>
    /// <returns>False: whole clusters are captured here, or another point in time of the disk does so now.</returns>
    public bool TryWarm()
    {
        if (Engine.Blocks is { } blocks && !_isAttached && !IsBroken)
            _warm ??= _disk.Guests.TryWarm(blocks);
        return _warm != null;
    }

    /// <summary>T0 will not come; again: nothing.</summary>
    public void DropWarm()
    {
        WarmSet? warm = _warm;
        EndWarm();
        warm?.Drop();
    }

    void EndWarm()
    {
        if (_warm != null)
            _disk.Guests.EndWarm(_warm);
        _warm = null;
    }

    /// <summary>T0 is now; the copy map says what is kept. The disk must be quiesced.</summary>
    public void Attach()
    {
        Check.That(!_isAttached);
        _isAttached = true;
        _attachedNs = _disk.Loop.Clock.NowNs;
        Volatile.Write(ref _isProtecting, true);
        Epoch = _disk.Attach(this);
        Trace.Emit(TracePoint.PointInTime, new Extent(0, Map.SizeBytes));
        if (_warm is { } warm)
        {
            EndWarm();
            Trace.Emit(TracePoint.Warm, default, warm.CaptureAll(this));
        }
        if (!Map.IsWhole)
            _disk.Loop.Defer(this, 0);
    }

    /// <summary>Takes over what the bitmap names, a piece a turn, also for a snapshot that is lost already.</summary>
    void ILoopTask.Run(ulong argument)
    {
        bool isWhole = Map.TakePiece();
        _disk.SchedulePump(); // a write over a long range may wait for that
        if (isWhole)
            Owner?.OnWhole();
        else
            _disk.Loop.Defer(this, 0);
    }

    /// <summary>The disk must be quiesced; chunks in flight may still end afterwards.</summary>
    public void Detach()
    {
        Check.That(_isAttached);
        _isAttached = false;
        Volatile.Write(ref _isProtecting, false);
        if (!IsBroken) // from now on the disk changes under whoever still reads the snapshot
            BrokenBy = new Fault(FaultKind.SnapshotLost);
        _disk.Detach(this);
        Trace.Emit(TracePoint.Detached);
    }

    /// <summary>Whether a guest write to the range must wait. Threads: any, wait-free.</summary>
    public bool Protects(in Extent extent) =>
        Volatile.Read(ref _isProtecting) && Map.IsProtected(extent) && Engine.Blocks?.Allows(extent) != true;

    /// <summary>As <see cref="Protects"/>, on the thread that alone clears bits. Cost: O(1) for any length.</summary>
    bool ProtectsNow(in Extent extent) =>
        _isProtecting && Map.IsProtectedNow(extent) && Engine.Blocks?.AllowsNow(extent) != true;

    /// <summary>Starts a copy of the background.</summary>
    /// <inheritdoc cref="CopyEngine.TryStart"/>
    public bool TryStartBackground(ulong firstCluster, ulong endCluster, ulong lengthBytesMax, out Extent claimed) =>
        Engine.TryStart(firstCluster, endCluster, lengthBytesMax, CopyLane.Background, this, out claimed);

    /// <inheritdoc cref="CopyEngine.TryLearnZeroes"/>
    public bool TryLearnZeroes(ulong firstCluster, ulong endCluster, ulong clusterMax, out Extent learned) =>
        Engine.TryLearnZeroes(firstCluster, endCluster, clusterMax, this, out learned);

    /// <inheritdoc cref="CopyEngine.TryStartZeroes"/>
    public bool TryStartZeroes(ulong clusterMax) => Engine.TryStartZeroes(clusterMax, this);

    /// <summary>A guest has read a range after T0: what is still to be copied of it need not be read again.</summary>
    /// <param name="extent">Device range; whole clusters of it are taken.</param>
    /// <param name="bytes">Its data; used during the call only.</param>
    public void Offer(in Extent extent, ReadOnlySpan<byte> bytes)
    {
        if (!_options.TakesGuestReads || IsBroken || !Map.IsWhole)
            return;
        ulong first = Units.DivCeil(extent.OffsetBytes, Map.ClusterBytes);
        bool isToEnd = extent.EndBytes == Map.SizeBytes;
        ulong end = isToEnd ? Map.ClusterCount : extent.EndBytes / Map.ClusterBytes;
        end = Math.Min(end, first + OfferBytesMax / Map.ClusterBytes); // a hint: nobody shall wait for a long copy
        if (first >= end)
            return;
        int skipped = (int)(first * Map.ClusterBytes - extent.OffsetBytes);
        Engine.Offer(first, end - first, bytes[skipped..], this);
    }

    /// <summary>Starts the copies that a waiting write needs.</summary>
    /// <returns>True when nothing protects the range any more.</returns>
    public bool TryClear(in Extent extent)
    {
        if (!ProtectsNow(extent))
            return true;
        Map.Clusters(extent, out ulong first, out ulong count);
        if (!Map.TryTake(first, count))
            return false; // looked at again when more of it was taken over
        ulong start = first;
        ulong end = first + count;
        if (Engine.Blocks is { } blocks)
        {
            // Between the two the write overwrites whole clusters.
            first += blocks.TryCapture(first, extent, this) ? 1u : 0;
            end -= end > first && blocks.TryCapture(end - 1, extent, this) ? 1u : 0;
        }
        while (Engine.TryStart(first, end, ulong.MaxValue, CopyLane.CopyBeforeWrite, this, out Extent claimed))
        {
            Heat.Add(claimed.OffsetBytes / Map.ClusterBytes);
            first = Units.DivCeil(claimed.EndBytes, Map.ClusterBytes);
        }
        if (!ProtectsNow(extent))
            return true;
        Engine.Promote(start, count); // the background may have claimed some of it, and not be at it yet
        _holds.Promote(Map.Bytes(start, count), _disk.Device); // or a reader of the snapshot
        return false;
    }

    bool IWriteWatcher.MayFailGuests => !IsBroken && _options.OnCbwError == CbwErrorPolicy.BreakGuestWrite;

    bool IWriteWatcher.WantsEarlyAnswers => true;

    bool IWriteWatcher.IsClearing(in Extent extent)
    {
        Map.Clusters(extent, out ulong first, out ulong count);
        for (ulong cluster = first; cluster < first + count; cluster++)
            if (!Map.IsWhole || (Map.IsProtectedNow(Map.Bytes(cluster, 1)) && !Engine.IsCapturing(cluster, extent)))
                return false;
        return true;
    }

    /// <summary>A guest write waited too long.</summary>
    /// <returns>True when the guest write must fail; false when the snapshot was given up instead.</returns>
    public bool FailGuest(Fault fault)
    {
        if (_options.OnCbwError == CbwErrorPolicy.BreakGuestWrite)
            return true;
        Break(fault);
        return false;
    }

    /// <summary>Gives the snapshot up for good; guests go on.</summary>
    /// <param name="fault">Why.</param>
    /// <param name="isSource">Whether the source failed.</param>
    public void Break(Fault fault, bool isSource = false)
    {
        if (IsBroken)
            return;
        BrokenBy = fault;
        Trace.Emit(TracePoint.Broken, default, fault.Errno);
        Volatile.Write(ref _isProtecting, false);
        _disk.SchedulePump();
        Owner?.OnBroken(fault, isSource);
    }

    void IWriteWatcher.GiveUp(Fault fault) => Break(fault);

    void IWriteWatcher.BeforeAnswer() => Owner?.BeforeAnswer();

    void IWriteWatcher.OnWaited(ulong waitedNs) => GuestWaits.Add(waitedNs);

    /// <summary>A snapshot reader reads the range from the source: it must not change until EndHold.</summary>
    internal void BeginHold(in Extent extent, IBlockOwner reader, ulong userData) =>
        _holds.Add(extent, reader, userData);

    internal void EndHold(in Extent extent, IBlockOwner reader, ulong userData)
    {
        _holds.Remove(extent, reader, userData);
        // What was captured while held is released now.
        Map.Clusters(extent, out ulong first, out ulong count);
        AllowBlocks(first, count);
        while (Map.TryFindCaptured(ref first, ref count, out ulong captured, out ulong capturedCount))
            ReleaseUnheld(captured, capturedCount);
        _disk.SchedulePump();
    }

    bool ICopyOwner.IsSnapshotWhole => !IsBroken;

    void ICopyOwner.OnReleased(ulong firstCluster, ulong clusterCount)
    {
        Release(firstCluster, clusterCount);
        Owner?.OnCaptured();
    }

    void ICopyOwner.OnBlocksRead(ulong cluster)
    {
        Heat.Add(cluster);
        AllowBlocks(cluster, 1);
        _disk.SchedulePump();
        Owner?.OnCaptured();
        Owner?.OnRoom(); // at the device, and perhaps it was the last that the job waits for
    }

    /// <summary>The old data of their blocks is safe: guests may write there, unless a reader still reads.</summary>
    void AllowBlocks(ulong firstCluster, ulong clusterCount)
    {
        if (Engine.Blocks is not { } blocks)
            return;
        ulong end = firstCluster + clusterCount;
        for (ulong cluster = blocks.Next(firstCluster, end); cluster < end; cluster = blocks.Next(cluster + 1, end))
        {
            uint free = blocks.NotAllowed(cluster);
            for (uint rest = _holds.Count == 0 ? 0 : free; rest != 0; rest &= rest - 1)
                if (_holds.TryFindFirst(blocks.Bytes(cluster, (uint)BitOperations.TrailingZeroCount(rest)), out _))
                    free &= ~(rest & (uint)-(int)rest);
            if (free != 0)
                blocks.Allow(cluster, free);
        }
    }

    /// <summary>
    /// The old data of the clusters is safe: guests may write there, unless a snapshot reader still reads.
    /// </summary>
    public void Release(ulong firstCluster, ulong clusterCount)
    {
        ReleaseUnheld(firstCluster, clusterCount);
        _disk.SchedulePump();
    }

    /// <summary>Cost: O(holds in the run x holds), whatever the run's length, and a store per 64 clusters.</summary>
    void ReleaseUnheld(ulong firstCluster, ulong clusterCount)
    {
        ulong end = firstCluster + clusterCount;
        while (firstCluster < end)
        {
            (ulong heldFirst, ulong heldEnd) = (end, end);
            if (_holds.TryFindFirst(Map.Bytes(firstCluster, end - firstCluster), out Extent held))
            {
                heldFirst = Math.Max(firstCluster, held.OffsetBytes / Map.ClusterBytes);
                heldEnd = Math.Min(end, Units.DivCeil(held.EndBytes, Map.ClusterBytes));
            }
            Map.Protected.ClearBits(firstCluster, heldFirst - firstCluster);
            Engine.Blocks?.Forget(firstCluster, heldFirst - firstCluster); // after that: see BlockMasks
            firstCluster = heldEnd;
        }
    }

    void ICopyOwner.OnCopied(in CopyOutcome outcome)
    {
        // A snapshot that is given up already holds no guest, whatever becomes of its last copies.
        bool isCbwFailure =
            !IsBroken
            && (outcome.Lane is CopyLane.CopyBeforeWrite or CopyLane.Rest)
            && (outcome.End is CopyEnd.SourceFailed or CopyEnd.TargetFailed);
        if (isCbwFailure && _options.OnCbwError == CbwErrorPolicy.BreakGuestWrite)
            _disk.FailWaiting(outcome.Extent, outcome.Fault);
        else if (isCbwFailure)
            Break(outcome.Fault, outcome.IsSourceFault);
        _disk.SchedulePump(); // writes may wait for a task or a buffer
        Owner?.OnCopied(outcome);
    }

    void IBufferWaiter.OnBufferFree()
    {
        _disk.SchedulePump();
        Owner?.OnRoom();
    }

    /// <summary>Nothing comes here any more: what is left is memory.</summary>
    public void Leave()
    {
        Check.That(!_isAttached);
        DropWarm();
        Engine.StopWaiting();
    }

    /// <summary>Gives its memory back. Threads: any, after Leave.</summary>
    public void Dispose() => Engine.Dispose();
}
