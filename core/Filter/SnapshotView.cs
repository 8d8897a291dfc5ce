// The disk as it was at T0, readable while the guest goes on writing: fleecing. Each piece of a read comes from
// where its old data is now:
//
//   not captured yet     from the disk itself, under a hold: no guest write lands there until the read has ended
//   captured, in memory  from the copy engine's buffer
//   captured, spilled    from the scratch file, where it is pinned until the read has ended
//   done                 from the target
//   not part of it       refused: an incremental point in time keeps only what its bitmap names
//
// The decision and the hold are one step of the reactor, so no write slips in between. A broken snapshot answers
// every read with its root cause, also the ones under way. A discard aligns inwards to clusters, stops further
// copying there, and makes later reads there fail.
// Does not cache, and orders nothing: each read is one consistent instant anyway.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.BlockIo;
using FastBackup.Copy;
using FastBackup.Memory;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's. Dispose when nothing is in flight, before the filter.</summary>
public sealed class SnapshotView : IBlockDevice, IBlockOwner, ILoopTask
{
    sealed class Slot
    {
        public BlockRequest Request;
        public ulong DoneBytes;
        public Extent Piece;
        public bool IsHeld;

        /// <summary>The scratch run that is pinned, or ScratchSpace.NoEntry.</summary>
        public uint Pinned;
        public Fault Fault;
    }

    readonly IIoLoop _loop;
    readonly CopyBeforeWriteFilter _filter;
    readonly IBlockDevice _source;
    readonly HierarchicalBitmap _access; // what can be read: part of the snapshot and not discarded
    readonly SlotTable<Slot> _slots;
    readonly BoundedQueue<ulong> _finished;
    volatile bool _isOpen; // read by all
    bool _isDeferred;

    SnapshotView(IIoLoop loop, CopyBeforeWriteFilter filter, IBlockDevice source, HierarchicalBitmap access)
    {
        (_loop, _filter, _source, _access) = (loop, filter, source, access);
        Limits = source.Limits with { IsReadOnly = true, IsZeroInitialised = false, InFlightMax = 256 };
        _slots = new SlotTable<Slot>(Limits.InFlightMax);
        _finished = new BoundedQueue<ulong>(Limits.InFlightMax);
        Name = source.Name + " (snapshot)";
    }

    public string Name { get; }

    public BlockLimits Limits { get; }

    public bool ReadsAsZero => false;

    public uint InFlightCount => _slots.TakenCount;

    /// <summary>None, or why every read fails.</summary>
    public Fault Status => _filter.BrokenBy;

    /// <param name="loop">The filter's reactor.</param>
    /// <param name="filter">Attached, with its copy map filled; this must be the same quiesced moment or before any
    /// copy.</param>
    /// <param name="source">The disk's device.</param>
    /// <param name="view">The view, or null after a fault.</param>
    /// <returns>None or NoMemory.</returns>
    public static Fault TryCreate(
        IIoLoop loop,
        CopyBeforeWriteFilter filter,
        IBlockDevice source,
        out SnapshotView? view
    )
    {
        view = null;
        Fault fault = HierarchicalBitmap.TryCreate(
            filter.Map.SizeBytes,
            filter.Map.ClusterBytes,
            default,
            out HierarchicalBitmap? access
        );
        if (fault.IsNone)
            view = new SnapshotView(loop, filter, source, access!);
        return fault;
    }

    /// <summary>
    /// What the copy map protects now can be read for as long as the snapshot lives. The disk must be quiesced.
    /// </summary>
    public void Open()
    {
        Check.That(_access.CopyFrom(_filter.Map.Protected).IsNone);
        _isOpen = true;
    }

    /// <summary>The point in time lies behind us. Any thread.</summary>
    public bool IsOpen => _isOpen;

    public void Submit(in BlockRequest request)
    {
        Check.That(_slots.TryTake(out ulong key, out Slot slot));
        (slot.Request, slot.DoneBytes, slot.IsHeld, slot.Fault) = (request, 0, false, default);
        slot.Pinned = ScratchSpace.NoEntry;
        bool isInRange = new Extent(request.OffsetBytes, request.LengthBytes).IsWithin(Limits.CapacityBytes);
        if (!isInRange)
            FinishLater(key, slot, new Fault(FaultKind.Range, 0, request.OffsetBytes));
        else if (request.Operation == BlockOperation.Read)
            Step(key, slot);
        else if (request.Operation == BlockOperation.Discard)
            FinishLater(key, slot, Discard(new Extent(request.OffsetBytes, request.LengthBytes)));
        else
            FinishLater(key, slot, new Fault(FaultKind.Unsupported, Errnos.EROFS, request.OffsetBytes));
    }

    /// <summary>Reads the next piece, or ends the request.</summary>
    unsafe void Step(ulong key, Slot slot)
    {
        while (true)
        {
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
            if (!_access.GetBit(cluster))
            {
                FinishLater(key, slot, new Fault(FaultKind.Invalid, Errnos.EACCES, offset));
                return;
            }
            bool isOnSource = IsOnSource(cluster);
            ulong end = EndOfPiece(cluster, offset + rest, isOnSource);
            slot.Piece = new Extent(offset, end - offset);
            if (!isOnSource)
            {
                // SAFETY: the requester owns LengthBytes at Buffer until the completion.
                Span<byte> span = new(
                    (byte*)slot.Request.Buffer + slot.DoneBytes,
                    (int)Math.Min(slot.Piece.LengthBytes, int.MaxValue)
                );
                ulong copied = _filter.Engine.ReadCaptured(offset, span);
                if (copied > 0)
                {
                    _filter.Trace.Emit(TracePoint.SnapshotRead, new Extent(offset, copied), 1);
                    slot.DoneBytes += copied;
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

    /// <summary>The clusters from here on that are in the same place, up to the end of the request.</summary>
    ulong EndOfPiece(ulong cluster, ulong endBytes, bool isOnSource)
    {
        ulong clusterBytes = _filter.Map.ClusterBytes;
        ulong next = cluster + 1;
        while (next * clusterBytes < endBytes && _access.GetBit(next) && IsOnSource(next) == isOnSource)
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

    void Read(ulong key, Slot slot, bool isFromSource)
    {
        slot.IsHeld = isFromSource && !Planted.Is(PlantedBug.R01SnapshotReadNotHeld);
        isFromSource |= Planted.Is(PlantedBug.R40DoneReadFromSource);
        _filter.Trace.Emit(TracePoint.SnapshotRead, slot.Piece, isFromSource ? 0 : 2);
        if (slot.IsHeld)
            _filter.BeginHold(slot.Piece);
        Submit(key, slot, isFromSource ? _source : _filter.Target, slot.Piece.OffsetBytes);
    }

    void ReadScratch(ulong key, Slot slot)
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

    void Submit(ulong key, Slot slot, IBlockDevice device, ulong offsetBytes)
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
        Slot slot = _slots.Get(userData);
        if (slot.IsHeld)
            _filter.EndHold(slot.Piece);
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

    /// <summary>Gives up what lies wholly inside the range; part of a cluster is kept.</summary>
    Fault Discard(in Extent extent)
    {
        ulong clusterBytes = _filter.Map.ClusterBytes;
        ulong first = Units.DivCeil(extent.OffsetBytes, clusterBytes);
        bool isToEnd = extent.EndBytes == Limits.CapacityBytes;
        ulong end = isToEnd ? _filter.Map.ClusterCount : extent.EndBytes / clusterBytes;
        if (Planted.Is(PlantedBug.R05DiscardRoundedOutwards))
            (first, end) = (extent.OffsetBytes / clusterBytes, Units.DivCeil(extent.EndBytes, clusterBytes));
        for (ulong cluster = first; cluster < end; cluster++)
        {
            if (!Planted.Is(PlantedBug.R06DiscardedStillReadable))
                _access.ClearBits(cluster, 1);
            if (!_filter.Map.Todo.TryClaim(cluster))
                continue;
            _filter.Trace.Emit(TracePoint.Skip, _filter.Map.Bytes(cluster, 1));
            _filter.Release(cluster, 1);
        }
        return Fault.None;
    }

    void ILoopTask.Run(ulong argument)
    {
        _isDeferred = false;
        for (uint count = _finished.Count; count > 0 && _finished.TryDequeue(out ulong key); count--)
        {
            Slot slot = _slots.Get(key);
            Finish(key, slot, slot.Fault);
        }
    }

    void FinishLater(ulong key, Slot slot, Fault fault)
    {
        slot.Fault = fault;
        _finished.Enqueue(key);
        if (_isDeferred)
            return;
        _isDeferred = true;
        _loop.Defer(this, 0);
    }

    void Finish(ulong key, Slot slot, Fault fault)
    {
        (IBlockOwner owner, ulong userData) = (slot.Request.Owner, slot.Request.UserData);
        slot.Request = default;
        _slots.Free(key);
        owner.OnBlockCompleted(userData, new BlockResult(fault));
    }

    public void Dispose()
    {
        Check.That(InFlightCount == 0);
        _access.Dispose();
    }
}
