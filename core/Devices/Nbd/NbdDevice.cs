// An export of an NBD server as an IBlockDevice, over one or several connections with many requests in flight.
//
//   connections  one, and more where the server says that they are one disk (multi-conn); a request goes to the one
//                that has the fewest (NbdLink)
//   pieces       what is longer than the server takes in one request is asked for piece by piece
//   zeroes       by the server's write-zeroes, fast or in pieces (NbdZeroing), else by writing from one shared buffer
//   flush        what a server lacks is left out: without flush it keeps nothing back, a discard is a hint;
//                without FUA a write is followed by a flush
//   server gone  NbdReturn: the requests wait, the server is reached again and asked for all that it has not answered,
//                once it is sure that it still has what it has answered (NbdUnflushed)
//
// When the server stays away, or says what cannot be, all requests fail, those that come later too, and BrokenBecause
// says why. A request's buffer is not touched after its completion: they fail once the port has given back what was
// under way. Has no limit of time for an answer, and refuses requests that do not lie on the server's smallest block
// (Align). Cost: some 20 bytes and O(1) a request; nothing allocated after construction but beyond Limits.InFlightMax,
// and for connections.
// Source: NetworkBlockDevice/nbd, doc/proto.md.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

/// <summary>Threads: the loop's.</summary>
public sealed class NbdDevice : IBlockDevice, ILoopTask, INbdLinkOwner, INbdReturning
{
    const uint AtOnceMax = 64;
    const uint InFlightMax = 1024;
    const uint LinksMax = 4;
    const ulong ZeroBytes = 256 * Units.KiB;

    /// <summary>Of one request without payload, where its length has 32 bits.</summary>
    const ulong ShortLengthMax = Units.GiB;

    // --- fixed at construction
    readonly IIoLoop _loop;
    readonly NbdRemote _remote;
    readonly SlotTable<NbdSlot> _slots = new(AtOnceMax + 1); // one to look at what was answered before
    readonly RequestLanes _lanes = new(AtOnceMax, waitingHint: InFlightMax);
    readonly BoundedQueue<ulong> _held = new(AtOnceMax + 1); // while there is no connection
    readonly BoundedQueue<ulong> _finished = new(AtOnceMax); // completions that may not run inside Submit
    readonly AlignedRegion? _zeroes;
    readonly NbdUnflushed? _unflushed; // null: nothing to keep in mind
    readonly NbdReturn _return;
    readonly NbdZeroing _zeroing = new();
    readonly NbdLateWrites _late = new();

    readonly List<NbdLink> _links = [];
    NbdExport _export;
    NbdDial? _more;
    bool _isUp = true;
    Fault _broken;
    bool _isDeferred;
    bool _isClosing;
    bool _isDisposed;

    /// <param name="loop">Drives this device.</param>
    /// <param name="remote">Which disk it is.</param>
    /// <param name="first">A connection to it that was made; owned from here.</param>
    internal NbdDevice(IIoLoop loop, NbdRemote remote, NbdConnecting first)
    {
        (_loop, _remote, _export) = (loop, remote, first.Export!);
        Storage = new NbdIdentity(first.Address, remote.Uri.Export);
        Limits = new BlockLimits
        {
            CapacityBytes = _export.SizeBytes,
            RequestAlignBytes = _export.BlockBytesMin,
            BufferAlignBytes = 1,
            IsReadOnly = remote.IsReadOnly || _export.Can(NbdExportFlags.ReadOnly),
            InFlightMax = InFlightMax,
            CanZeroFast = _export.CanZeroFast,
            MayRepeatWrites = remote.Options.ReconnectNs > 0,
            ReadsThroughCache = _export.Can(NbdExportFlags.CanCache),
        };
        if (!Limits.IsReadOnly && !_export.Can(NbdExportFlags.CanWriteZeroes))
            _zeroes = AlignedRegion.Map(ZeroBytes, RegionResidency.Resident);
        if (!Limits.IsReadOnly && remote.Options.ReconnectNs > 0 && _export.Can(NbdExportFlags.CanFlush))
            _unflushed = new NbdUnflushed();
        _return = new NbdReturn(loop, remote, _slots, _unflushed, this);
        AddLink(first);
        ConnectMore();
    }

    public string Name => _remote.Uri.Text;

    public BlockLimits Limits { get; }

    public StorageIdentity? Storage { get; }

    /// <summary>Nothing is known of what was there before.</summary>
    public bool ReadsAsZero => false;

    public uint InFlightCount => _slots.TakenCount - _return.SlotCount + _lanes.WaitingCount;

    /// <summary>Why no request is answered any more, a clause for people; null while there is hope.</summary>
    public string? BrokenBecause { get; private set; }

    /// <summary>Now; for people.</summary>
    internal int ConnectionCount => _links.Count;

    public bool MayChangeLate(in Extent range) => _late.Overlaps(range);

    public void Submit(in BlockRequest request)
    {
        if (_lanes.TryBegin(request.Lane, IsFull))
            Begin(request);
        else
            _lanes.Wait(request);
    }

    public void Promote(IBlockOwner owner, ulong userData)
    {
        if (_lanes.TryPromote(owner, userData, out BlockRequest request))
            Submit(request);
    }

    /// <summary>Tells the server and ends the connections. Nothing is in flight.</summary>
    public void Dispose()
    {
        if (_isDisposed)
            return;
        Check.That(InFlightCount == 0 || _loop.HasFailed);
        _isDisposed = true;
        EndConnecting();
        foreach (NbdLink link in _links)
            if (_broken.IsNone && !_loop.HasFailed)
                link.Leave();
            else
                link.Close();
        ReleaseWhenIdle();
    }

    /// <summary>As Dispose, and what is in flight fails: for a server that does not answer.</summary>
    public void DisposeWhenIdle()
    {
        _isClosing = true;
        if (InFlightCount == 0 || _loop.HasFailed)
            Dispose();
        else if (_broken.IsNone)
            Break(new Fault(FaultKind.Canceled), "it was closed here");
    }

    bool IsFull => _slots.TakenCount - _return.SlotCount == AtOnceMax;

    void ILoopTask.Run(ulong argument)
    {
        _isDeferred = false;
        for (uint count = _finished.Count; count > 0 && _finished.TryDequeue(out ulong key); count--)
            Finish(key, _slots.Get(key).Fault);
        for (int i = 0; i < _links.Count; i++)
            _links[i].SendNext();
    }

    void Begin(in BlockRequest request)
    {
        Check.That(_slots.TryTake(out ulong key, out NbdSlot slot));
        Take(slot, request, out bool isAsked);
        Fault refusal = _broken.IsFault ? _broken : Refusal(request);
        if (refusal.IsNone && isAsked && (request.LengthBytes > 0 || request.Operation == BlockOperation.Flush))
        {
            Queue(key, slot);
            return;
        }
        if (refusal.IsNone && request.Operation == BlockOperation.Map && request.LengthBytes > 0)
            slot.AddEntry(new Extent(request.OffsetBytes, request.LengthBytes), ExtentKind.Data);
        EndSoon(key, slot, refusal);
    }

    /// <param name="slot">Begins with it.</param>
    /// <param name="request">Any.</param>
    /// <param name="isAsked">False: there is nothing to ask the server for.</param>
    void Take(NbdSlot slot, in BlockRequest request, out bool isAsked)
    {
        slot.Begin(request, Command(request, out isAsked));
        _zeroing.Begin(slot, _export);
    }

    NbdCommand Command(in BlockRequest request, out bool isAsked)
    {
        NbdCommand command = request.Operation switch
        {
            BlockOperation.Read => NbdCommand.Read,
            BlockOperation.WriteZeroes when _export.Can(NbdExportFlags.CanWriteZeroes) => NbdCommand.WriteZeroes,
            BlockOperation.Write or BlockOperation.WriteZeroes => NbdCommand.Write,
            BlockOperation.Discard => NbdCommand.Trim,
            BlockOperation.Map => NbdCommand.BlockStatus,
            _ => NbdCommand.Flush,
        };
        isAsked = command switch
        {
            NbdCommand.Trim => _export.Can(NbdExportFlags.CanTrim),
            NbdCommand.Flush => _export.Can(NbdExportFlags.CanFlush),
            NbdCommand.BlockStatus => _export.ContextId != null,
            _ => true,
        };
        return command;
    }

    Fault Refusal(in BlockRequest request)
    {
        if (request.Operation == BlockOperation.Flush)
            return Fault.None;
        if (request.Operation == BlockOperation.Size)
            return new Fault(FaultKind.Unsupported);
        bool isWrite = request.Operation.IsWrite();
        if (!new Extent(request.OffsetBytes, request.LengthBytes).IsWithin(Limits.CapacityBytes))
            return new Fault(FaultKind.Range, 0, request.OffsetBytes);
        if (isWrite && Limits.IsReadOnly)
            return new Fault(FaultKind.Unsupported, Errnos.EROFS, request.OffsetBytes);
        if (NbdZeroing.MustRefuse(request, _export))
            return new Fault(FaultKind.Unsupported, Errnos.EOPNOTSUPP, request.OffsetBytes);
        return Units.IsAligned(request.OffsetBytes | request.LengthBytes, Limits.RequestAlignBytes)
            ? Fault.None
            : new Fault(FaultKind.Align, 0, request.OffsetBytes);
    }

    /// <summary>The next piece of a request; a flush has no bytes.</summary>
    void Queue(ulong key, NbdSlot slot)
    {
        ulong shortMost = _export.IsExtended ? ulong.MaxValue : ShortLengthMax;
        ulong mostBytes = slot.Command switch
        {
            NbdCommand.Flush => 0,
            NbdCommand.Write when slot.Request.Operation == BlockOperation.WriteZeroes => Math.Min(
                ZeroBytes,
                _export.PayloadBytesMax
            ),
            NbdCommand.Read or NbdCommand.Write => _export.PayloadBytesMax,
            NbdCommand.WriteZeroes => NbdZeroing.PieceBytesMax(slot, _export, shortMost),
            _ => shortMost,
        };
        slot.BeginPiece(Math.Min(mostBytes, slot.Request.LengthBytes - slot.DoneBytes));
        slot.FlushMark = _unflushed?.End ?? 0;
        if (!_isUp && !_return.Owns(key))
        {
            slot.State = NbdSlotState.Queued;
            _held.Enqueue(key);
            return;
        }
        NbdLink least = _links[0];
        foreach (NbdLink link in _links)
            if (link.RequestCount < least.RequestCount)
                least = link;
        least.Add(key, slot);
        DeferOnce();
    }

    /// <summary>Sends when all of this turn's requests are there: they share a call.</summary>
    void DeferOnce()
    {
        if (_isDeferred)
            return;
        _isDeferred = true;
        _loop.Defer(this, 0);
    }

    /// <summary>A piece has its whole answer: the next one, a flush for durability, or the end.</summary>
    void INbdLinkOwner.OnAnswered(ulong key, NbdSlot slot)
    {
        bool isOurs = !_return.Owns(key);
        if (_zeroing.TryAgain(slot))
        {
            Queue(key, slot);
            return;
        }
        bool mustFlush = isOurs && slot.Fault.IsNone && !TryKeepInMind(slot);
        slot.DoneBytes += slot.PieceBytes;
        bool isMap = slot.Command == NbdCommand.BlockStatus; // what is missing its owner asks for
        bool isWhole = slot.Fault.IsFault || isMap || slot.DoneBytes >= slot.Request.LengthBytes;
        if (isOurs)
            _return.OnProgress();
        if (isWhole && !isOurs)
            _return.OnLooked(slot);
        else if (isWhole && (slot.Fault.IsFault || !(mustFlush || MustFlush(slot))))
            Finish(key, slot.Fault);
        else
        {
            if (isWhole)
                slot.Command = NbdCommand.Flush;
            Queue(key, slot);
        }
    }

    /// <summary>What has no room is followed by a flush: then there is some.</summary>
    unsafe bool TryKeepInMind(NbdSlot slot)
    {
        if (_unflushed == null)
            return true;
        if (slot.Command == NbdCommand.Flush)
            _unflushed.Drop(slot.FlushMark);
        if (slot.Command is not (NbdCommand.Write or NbdCommand.WriteZeroes or NbdCommand.Trim))
            return true;
        bool isData = slot.Request.Operation == BlockOperation.Write;
        if (!_unflushed.HasRoom(isData ? slot.PieceBytes : 1))
            return false;
        // SAFETY: the buffer is the device's until the completion, which comes later.
        if (isData)
            _unflushed.Add(
                slot.PieceOffsetBytes,
                new ReadOnlySpan<byte>((byte*)slot.Request.Buffer + slot.DoneBytes, (int)slot.PieceBytes)
            );
        else
            _unflushed.Add(slot.Request.Operation, slot.Piece, slot.Request.Flags);
        return true;
    }

    bool MustFlush(NbdSlot slot) =>
        slot.Command is NbdCommand.Write or NbdCommand.WriteZeroes or NbdCommand.Trim
        && (slot.Request.Flags & BlockFlags.Fua) != 0
        && !_export.Can(NbdExportFlags.CanFua)
        && _export.Can(NbdExportFlags.CanFlush);

    void EndSoon(ulong key, NbdSlot slot, Fault fault)
    {
        (slot.State, slot.Fault) = (NbdSlotState.Finished, fault);
        _finished.Enqueue(key);
        DeferOnce();
    }

    void Finish(ulong key, Fault fault)
    {
        NbdSlot slot = _slots.Get(key);
        BlockRequest request = slot.Request;
        uint count = fault.IsNone ? slot.EntryCount : 0;
        _slots.Free(key);
        _lanes.End(request.Lane);
        while (!IsFull && _lanes.TryNext(out BlockRequest next))
            Begin(next);
        request.Owner.OnBlockCompleted(request.UserData, new BlockResult(fault, count));
        if (_isClosing && InFlightCount == 0)
            Dispose();
    }

    void AddLink(NbdConnecting made) =>
        _links.Add(new NbdLink(made.Streams, made.Stream, made.Export!, _slots, _zeroes?.Start ?? 0, this));

    /// <summary>One after the other, as many as are of use; one that cannot be had ends it.</summary>
    void ConnectMore()
    {
        if (!_export.Can(NbdExportFlags.CanMultiConnect) || _links.Count == LinksMax)
            return;
        _more = new NbdDial(_loop, _remote, OnMore);
        _more.Start(0, isPausing: false);
    }

    void OnMore(NbdConnecting made)
    {
        _more = null;
        if (made.Export == null)
            return;
        if (made.Export.DiffersFrom(_export) != null || !TryAddLink(made))
            made.Streams.Close(made.Stream);
        else
            ConnectMore();
    }

    bool TryAddLink(NbdConnecting made)
    {
        try
        {
            AddLink(made);
            return true;
        }
        catch (InsufficientMemoryException)
        {
            return false;
        }
    }

    void INbdLinkOwner.OnBroken(Fault fault, string because, bool isViolation)
    {
        if (_broken.IsFault || _isDisposed || (!_isUp && _links.Count == 0))
            return;
        if (isViolation || _isClosing || _remote.Options.ReconnectNs == 0)
        {
            Break(fault, because);
            return;
        }
        _isUp = false;
        EndConnecting();
        _return.Begin(fault, because);
        CloseLinks();
    }

    void INbdLinkOwner.OnIdle(NbdLink link)
    {
        if (!_links.Remove(link))
            return;
        link.Dispose();
        if (_links.Count > 0)
            return;
        if (_isDisposed)
            ReleaseWhenIdle();
        else if (_broken.IsFault)
            FailAll();
        else
        {
            HoldAll();
            _return.Connect();
        }
    }

    void INbdReturning.OnConnected(NbdConnecting made)
    {
        string? differs = made.Export!.DiffersFrom(_export);
        if (differs != null || !TryAddLink(made))
        {
            made.Streams.Close(made.Stream);
            Break(Errnos.ToFault(Errnos.EIO), differs == null ? "there is no memory" : $"the server {differs}");
            return;
        }
        _export = made.Export;
        _return.Look();
    }

    void INbdReturning.Ask(ulong key, NbdSlot slot, in BlockRequest request)
    {
        Take(slot, request, out _);
        Queue(key, slot);
    }

    void INbdReturning.OnReturned()
    {
        _isUp = true;
        for (uint count = _held.Count; count > 0 && _held.TryDequeue(out ulong key); count--)
            Queue(key, _slots.Get(key));
        ConnectMore();
    }

    void INbdReturning.OnLost(Fault fault, string because) => Break(fault, because);

    /// <summary>All that is not answered is asked for from its begin, in no order: no request waits for another.
    /// </summary>
    void HoldAll()
    {
        while (_held.TryDequeue(out _)) { }
        for (uint i = 0; i < _slots.Capacity; i++)
        {
            bool isOpen = _slots.TryGetAt(i, out ulong key, out NbdSlot slot) && slot.State != NbdSlotState.Finished;
            if (isOpen && slot.MayLandLate)
                _late.Add(slot.Piece);
            if (!isOpen || _return.Owns(key))
                continue;
            Take(slot, slot.Request, out _);
            _held.Enqueue(key);
        }
    }

    void Break(Fault fault, string because)
    {
        Check.That(_broken.IsNone);
        (_broken, BrokenBecause) = (fault, because);
        _isUp = false;
        EndConnecting();
        CloseLinks();
        if (_links.Count == 0)
            FailAll();
    }

    void CloseLinks()
    {
        foreach (NbdLink link in _links)
            link.Close();
    }

    void EndConnecting()
    {
        _more?.Stop();
        _more = null;
        _return.Stop();
    }

    /// <summary>Everything begun fails in the next turn, and as it goes, what waits begins and fails.</summary>
    void FailAll()
    {
        while (_held.TryDequeue(out _)) { }
        _return.Release();
        for (uint i = 0; i < _slots.Capacity; i++)
            if (_slots.TryGetAt(i, out ulong key, out NbdSlot slot) && slot.State != NbdSlotState.Finished)
                EndSoon(key, slot, _broken);
    }

    void ReleaseWhenIdle()
    {
        if (_links.Count > 0 && !_loop.HasFailed)
            return;
        foreach (NbdLink link in _links)
            link.Dispose();
        _links.Clear();
        _return.Release();
        _zeroes?.Dispose();
    }
}
