// The disk as it was at T0, readable while the guest goes on writing: fleecing. Each piece of a read comes from
// where its old data is now:
//
//   not captured yet     from the disk itself, under a hold: no guest write lands there until the read has ended
//   captured, in memory  from the copy engine: its buffers, single blocks of a cluster, or what it knows to be zero
//   captured, spilled    from the scratch file, where it is pinned until the read has ended
//   done                 from the target
//   not part of it       refused: an incremental point in time keeps only what its bitmap names
//
// The decision and the hold are one step of the reactor, so no write slips in between. A broken snapshot answers
// every read with its root cause, also the ones under way. A discard aligns inwards to clusters, stops further
// copying there, and makes later reads there fail. Which parts are zero is told in SnapshotView.Extents.cs.
// Guests wait for the thread that does this: a read looks at ReadClustersMax clusters and copies StepBytesMax from
// memory at a time, and discards go on a piece a turn, in their order (SnapshotDiscards).
// Does not cache, and orders nothing: each read is one consistent instant anyway.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's. Dispose when nothing is in flight, before the filter.</summary>
public sealed partial class SnapshotView : IBlockDevice, IBlockOwner, ILoopTask
{
    const ulong ReadClustersMax = 1024;
    const ulong StepBytesMax = 2 * Units.MiB;

    readonly IIoLoop _loop;
    readonly CopyBeforeWriteFilter _filter;
    readonly IBlockDevice _source;
    readonly HierarchicalBitmap _access; // what can be read: part of the snapshot and not discarded
    readonly SlotTable<SnapshotSlot> _slots;
    readonly BoundedQueue<ulong> _finished; // or reads that go on in the next turn
    readonly SnapshotDiscards _discards;
    volatile bool _isOpen; // read by all
    bool _isDeferred;

    SnapshotView(IIoLoop loop, CopyBeforeWriteFilter filter, IBlockDevice source, HierarchicalBitmap access)
    {
        (_loop, _filter, _source, _access) = (loop, filter, source, access);
        Limits = source.Limits with
        {
            IsReadOnly = true,
            IsZeroInitialised = false,
            CanTellSize = false,
            InFlightMax = 256,
        };
        _slots = new SlotTable<SnapshotSlot>(Limits.InFlightMax);
        _finished = new BoundedQueue<ulong>(Limits.InFlightMax);
        _discards = new SnapshotDiscards(loop, filter, access, Limits.InFlightMax, OnDiscarded);
        Name = source.Name + " (snapshot)";
    }

    public string Name { get; }

    public BlockLimits Limits { get; }

    public bool ReadsAsZero => false;

    public uint InFlightCount => _slots.TakenCount;

    /// <summary>None, or why every read fails.</summary>
    public Fault Status => _filter.BrokenBy;

    /// <summary>A view that cannot be read before it is opened.</summary>
    /// <param name="loop">The filter's reactor.</param>
    /// <param name="filter">Not attached yet.</param>
    /// <param name="source">The disk's device.</param>
    /// <param name="access">One bit a cluster of the filter's map; its owner outlives the view.</param>
    public static SnapshotView Create(
        IIoLoop loop,
        CopyBeforeWriteFilter filter,
        IBlockDevice source,
        HierarchicalBitmap access
    )
    {
        Check.That(access.SizeBytes == filter.Map.SizeBytes);
        Check.That(access.GranularityBytes == filter.Map.ClusterBytes);
        return new SnapshotView(loop, filter, source, access);
    }

    /// <summary>What can be read is known: the point in time is now. The disk must be quiesced.</summary>
    public void Open() => _isOpen = true;

    /// <summary>The point in time lies behind us. Any thread.</summary>
    public bool IsOpen => _isOpen;

    public void Submit(in BlockRequest request)
    {
        Check.That(_slots.TryTake(out ulong key, out SnapshotSlot slot));
        (slot.Request, slot.DoneBytes, slot.IsHeld, slot.Fault) = (request, 0, false, default);
        (slot.IsGoingOn, slot.Pinned, slot.EntryCount, slot.StepCount) = (false, ScratchSpace.NoEntry, 0, 0);
        bool isInRange = new Extent(request.OffsetBytes, request.LengthBytes).IsWithin(Limits.CapacityBytes);
        if (!isInRange)
            FinishLater(key, slot, new Fault(FaultKind.Range, 0, request.OffsetBytes));
        else if (!_isOpen)
            FinishLater(key, slot, new Fault(FaultKind.State, 0, request.OffsetBytes)); // what it will be, nobody knows
        else if (request.Operation == BlockOperation.Read)
            Step(key, slot);
        else if (request.Operation == BlockOperation.Map)
            StepMap(key, slot);
        else if (request.Operation == BlockOperation.Discard)
            _discards.Begin(key, new Extent(request.OffsetBytes, request.LengthBytes));
        else
            FinishLater(key, slot, new Fault(FaultKind.Unsupported, Errnos.EROFS, request.OffsetBytes));
    }

    /// <summary>Reads the next piece, or ends the request.</summary>
    unsafe void Step(ulong key, SnapshotSlot slot)
    {
        ulong copiedBytes = 0;
        while (true)
        {
            if (copiedBytes >= StepBytesMax)
            {
                RunLater(key);
                return;
            }
            ulong offset = slot.Request.OffsetBytes + slot.DoneBytes;
            ulong rest = slot.Request.LengthBytes - slot.DoneBytes;
            if (_filter.IsBroken)
            {
                FinishLater(key, slot, new Fault(FaultKind.SnapshotLost, _filter.BrokenBy.Errno, offset));
                return;
            }
            if (rest == 0)
            {
                FinishLater(key, slot, Fault.None);
                return;
            }
            ulong cluster = offset / _filter.Map.ClusterBytes;
            Check.That(_filter.Map.TryTake(cluster, ReadClustersMax));
            if (!_access.GetBit(cluster))
            {
                FinishLater(key, slot, new Fault(FaultKind.Invalid, Errnos.EACCES, offset));
                return;
            }
            bool isOnSource = IsOnSource(cluster);
            ulong end = EndOfPiece(cluster, offset + rest, isOnSource);
            if (isOnSource && _filter.Engine.Blocks is { } blocks)
            {
                end = blocks.EndOfRun(offset, end, out bool isCaptured); // guests may have overwritten what is
                isOnSource = !isCaptured;
            }
            slot.Piece = new Extent(offset, end - offset);
            if (!isOnSource)
            {
                // SAFETY: the requester owns LengthBytes at Buffer until the completion.
                Span<byte> span = new(
                    (byte*)slot.Request.Buffer + slot.DoneBytes,
                    (int)Math.Min(slot.Piece.LengthBytes, StepBytesMax)
                );
                ulong copied = _filter.Engine.ReadCaptured(offset, span);
                if (copied > 0)
                {
                    _filter.Trace.Emit(TracePoint.SnapshotRead, new Extent(offset, copied), 1);
                    slot.DoneBytes += copied;
                    copiedBytes += copied;
                    continue;
                }
                if (_filter.Engine.PlaceOf(cluster) == CapturedPlace.Scratch)
                {
                    ReadScratch(key, slot);
                    return;
                }
                slot.Piece = slot.Piece with { LengthBytes = UncapturedLength(slot.Piece) };
            }
            Read(key, slot, isOnSource);
            return;
        }
    }

    /// <summary>
    /// The disk has the only copy. A cluster that is captured and still protected has another: readers that came before
    /// hold it, and those that come later must not, or a guest's write would wait for as long as there are any.
    /// </summary>
    bool IsOnSource(ulong cluster) =>
        _filter.Map.Protected.GetBit(cluster) && (_filter.Map.Todo.GetBit(cluster) || _filter.Map.Busy.GetBit(cluster));

    /// <summary>The clusters from here on that are in the same place, no further than a piece may go.</summary>
    ulong EndOfPiece(ulong cluster, ulong endBytes, bool isOnSource)
    {
        ulong clusterBytes = _filter.Map.ClusterBytes;
        ulong next = cluster + 1;
        ulong limit = cluster + ReadClustersMax;
        while (next < limit && next * clusterBytes < endBytes && _access.GetBit(next) && IsOnSource(next) == isOnSource)
            next++;
        return Math.Min(next * clusterBytes, endBytes);
    }

    /// <summary>How much of the piece is on the target already, cluster by cluster.</summary>
    ulong UncapturedLength(in Extent piece)
    {
        ulong clusterBytes = _filter.Map.ClusterBytes;
        ulong end = Math.Min(piece.EndBytes, (piece.OffsetBytes / clusterBytes + 1) * clusterBytes);
        while (end < piece.EndBytes && _filter.Engine.PlaceOf(end / clusterBytes) == CapturedPlace.None)
            end = Math.Min(piece.EndBytes, end + clusterBytes);
        return end - piece.OffsetBytes;
    }

    void Read(ulong key, SnapshotSlot slot, bool isFromSource)
    {
        slot.IsHeld = isFromSource;
        _filter.Trace.Emit(TracePoint.SnapshotRead, slot.Piece, isFromSource ? 0 : 2);
        if (slot.IsHeld)
            _filter.BeginHold(slot.Piece, this, key);
        Submit(key, slot, isFromSource ? _source : _filter.Target, slot.Piece.OffsetBytes);
    }

    public void Promote(IBlockOwner owner, ulong userData)
    {
        // Everything is begun at once. What waits at the source goes first when a guest waits for it: see RangeHolds.
    }

    void ReadScratch(ulong key, SnapshotSlot slot)
    {
        slot.Pinned = _filter.Engine.PinScratch(
            slot.Piece.OffsetBytes,
            out IBlockDevice device,
            out ulong scratchOffsetBytes,
            out ulong lengthBytes
        );
        slot.Piece = slot.Piece with { LengthBytes = Math.Min(slot.Piece.LengthBytes, lengthBytes) };
        _filter.Trace.Emit(TracePoint.SnapshotRead, slot.Piece, 3);
        Submit(key, slot, device, scratchOffsetBytes);
    }

    void Submit(ulong key, SnapshotSlot slot, IBlockDevice device, ulong offsetBytes)
    {
        BlockRequest request = default;
        request.Operation = BlockOperation.Read;
        request.Lane = IoLane.Snapshot;
        request.OffsetBytes = offsetBytes;
        request.LengthBytes = slot.Piece.LengthBytes;
        request.Buffer = slot.Request.Buffer + (nint)slot.DoneBytes;
        request.Owner = this;
        request.UserData = key;
        device.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        SnapshotSlot slot = _slots.Get(userData);
        if (slot.Request.Operation == BlockOperation.Map)
        {
            OnMapped(userData, slot, result);
            return;
        }
        if (slot.IsHeld)
            _filter.EndHold(slot.Piece, this, userData);
        slot.IsHeld = false;
        if (slot.Pinned != ScratchSpace.NoEntry)
            _filter.Engine.UnpinScratch(slot.Pinned);
        slot.Pinned = ScratchSpace.NoEntry;
        if (result.Fault.IsFault)
        {
            Finish(userData, slot, result.Fault);
            return;
        }
        slot.DoneBytes += slot.Piece.LengthBytes;
        Step(userData, slot);
    }

    void ILoopTask.Run(ulong argument)
    {
        _isDeferred = false;
        for (uint count = _finished.Count; count > 0 && _finished.TryDequeue(out ulong key); count--)
        {
            SnapshotSlot slot = _slots.Get(key);
            (bool isGoingOn, slot.IsGoingOn) = (slot.IsGoingOn, false);
            if (isGoingOn)
                Step(key, slot);
            else
                Finish(key, slot, slot.Fault);
        }
    }

    void OnDiscarded(ulong key) => Finish(key, _slots.Get(key), Fault.None);

    void RunLater(ulong key)
    {
        _slots.Get(key).IsGoingOn = true;
        EnqueueFinished(key);
    }

    void FinishLater(ulong key, SnapshotSlot slot, Fault fault)
    {
        slot.Fault = fault;
        EnqueueFinished(key);
    }

    void EnqueueFinished(ulong key)
    {
        _finished.Enqueue(key);
        if (_isDeferred)
            return;
        _isDeferred = true;
        _loop.Defer(this, 0);
    }

    void Finish(ulong key, SnapshotSlot slot, Fault fault)
    {
        (IBlockOwner owner, ulong userData) = (slot.Request.Owner, slot.Request.UserData);
        uint count = fault.IsNone ? slot.EntryCount : 0;
        slot.Request = default;
        _slots.Free(key);
        owner.OnBlockCompleted(userData, new BlockResult(fault, count));
    }

    public void Dispose() => Check.That(InFlightCount == 0);
}
