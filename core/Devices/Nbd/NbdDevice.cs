// An export of an NBD server as an IBlockDevice, over one connection with many requests in flight.
//
//   sending      requests go out in the order in which RequestLanes let them begin: heads are gathered into one
//                send, until one that has a payload; payloads leave from the request's own buffer
//   receiving    NbdReplies: matched by cookie (the slot's key), every field checked
//   pieces       what is longer than the server takes in one request is asked for piece by piece
//   zeroes       by the server's write-zeroes, else by writing from one shared buffer
//   flush        what a server lacks is left out: without flush it keeps nothing back, a discard is a hint;
//                without FUA a write is followed by a flush
//
// When the connection ends, or the server says what cannot be, all requests fail, those that come later too, and
// BrokenBecause says why. A request's buffer is not touched after its completion: they fail once the port has given
// back what was under way. Does not connect again, has no limit of time for an answer, and refuses requests that do not
// lie on the server's smallest block (Align).
// Cost: some 20 bytes and O(1) a request, nothing allocated after construction but beyond Limits.InFlightMax.
// Source: NetworkBlockDevice/nbd, doc/proto.md.
using System;
using System.Buffers.Binary;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

/// <summary>Threads: the loop's.</summary>
public sealed class NbdDevice : IBlockDevice, IStreamOwner, ILoopTask, INbdAsker
{
    const uint AtOnceMax = 64;
    const uint InFlightMax = 1024;
    const ulong OutBytes = AtOnceMax * NbdProtocol.ExtendedRequestBytes;
    const ulong ZeroBytes = 256 * Units.KiB;

    /// <summary>Of one request without payload, where its length has 32 bits.</summary>
    const ulong ShortLengthMax = Units.GiB;

    const ulong SendTag = 1;
    const ulong ReceiveTag = 2;

    // --- fixed at construction
    readonly IIoLoop _loop;
    readonly IStreamIo _streams;
    readonly StreamHandle _stream;
    readonly NbdExport _export;
    readonly SlotTable<NbdSlot> _slots = new(AtOnceMax);
    readonly RequestLanes _lanes = new(AtOnceMax, waitingHint: InFlightMax);
    readonly BoundedQueue<ulong> _toSend = new(AtOnceMax);
    readonly BoundedQueue<ulong> _finished = new(AtOnceMax); // completions that may not run inside Submit
    readonly AlignedRegion _out = AlignedRegion.Map(OutBytes, RegionResidency.Resident);
    readonly NbdReplies _replies;
    readonly AlignedRegion? _zeroes;

    // --- what is being sent: heads, then the payload of the last of them
    ulong _outStart;
    ulong _outEnd;
    ulong _payloadKey; // 0: none; no key of a slot is
    ulong _payloadSentBytes;

    uint _commandCount; // at the port
    Fault _broken;
    bool _isDeferred;
    bool _isClosing;
    bool _isDisposed;

    /// <param name="loop">Drives this device.</param>
    /// <param name="streams">The loop's.</param>
    /// <param name="stream">Past the handshake; owned from here.</param>
    /// <param name="name">For people.</param>
    /// <param name="export">What the handshake has found.</param>
    /// <param name="storage">Which disk it is.</param>
    /// <param name="isReadOnly">Whether it is opened only to be read.</param>
    internal NbdDevice(
        IIoLoop loop,
        IStreamIo streams,
        StreamHandle stream,
        string name,
        NbdExport export,
        StorageIdentity storage,
        bool isReadOnly
    )
    {
        (_loop, _streams, _stream, _export) = (loop, streams, stream, export);
        (Name, Storage) = (name, storage);
        Limits = new BlockLimits
        {
            CapacityBytes = export.SizeBytes,
            RequestAlignBytes = export.BlockBytesMin,
            BufferAlignBytes = 1,
            IsReadOnly = isReadOnly || export.Can(NbdExportFlags.ReadOnly),
            InFlightMax = InFlightMax,
        };
        if (!Limits.IsReadOnly && !export.Can(NbdExportFlags.CanWriteZeroes))
            _zeroes = AlignedRegion.Map(ZeroBytes, RegionResidency.Resident);
        _replies = new NbdReplies(export, _slots, this);
        Receive();
    }

    public string Name { get; }

    public BlockLimits Limits { get; }

    public StorageIdentity? Storage { get; }

    /// <summary>Nothing is known of what was there before.</summary>
    public bool ReadsAsZero => false;

    public uint InFlightCount => _slots.TakenCount + _lanes.WaitingCount;

    /// <summary>Why no request is answered any more, a clause for people; null while the connection stands.</summary>
    public string? BrokenBecause { get; private set; }

    public void Submit(in BlockRequest request)
    {
        if (_lanes.TryBegin(request.Lane, _slots.TakenCount == _slots.Capacity))
            Begin(request);
        else
            _lanes.Wait(request);
    }

    public void Promote(IBlockOwner owner, ulong userData)
    {
        if (_lanes.TryPromote(owner, userData, out BlockRequest request))
            Submit(request);
    }

    /// <summary>Tells the server and ends the connection. Nothing is in flight.</summary>
    public void Dispose()
    {
        if (_isDisposed)
            return;
        Check.That(InFlightCount == 0 || _loop.HasFailed);
        _isDisposed = true;
        if (_broken.IsNone && _outStart == _outEnd && !_loop.HasFailed)
        {
            (_outStart, _outEnd) = (0, 0);
            WriteHead(0, NbdCommand.Disconnect, NbdCommandFlags.None, default);
            Send(_out.Start, _outEnd);
            return;
        }
        _streams.Close(_stream);
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

    void IStreamOwner.OnStreamCompleted(ulong tag, in StreamResult result)
    {
        _commandCount--;
        bool hasEnded = result.Fault.IsNone && result.Count == 0;
        if (_isDisposed)
        {
            _streams.Close(_stream); // the farewell is sent, or could not be
            ReleaseWhenIdle();
        }
        else if (_broken.IsFault)
            FailAllWhenIdle();
        else if (result.Fault.IsFault)
            Break(result.Fault, $"the connection has ended: {result.Fault}");
        else if (hasEnded)
            Break(Errnos.ToFault(Errnos.ECONNRESET), "the server has ended the connection");
        else if (tag == SendTag)
            OnSent(result.Count);
        else
        {
            _replies.Take(result.Count);
            if (!HasEnded)
                Receive();
        }
    }

    void ILoopTask.Run(ulong argument)
    {
        _isDeferred = false;
        for (uint count = _finished.Count; count > 0 && _finished.TryDequeue(out ulong key); count--)
            Finish(key, _slots.Get(key).Fault);
        SendNext();
    }

    void Begin(in BlockRequest request)
    {
        Check.That(_slots.TryTake(out ulong key, out NbdSlot slot));
        slot.Begin(request, Command(request, out bool isAsked));
        Fault refusal = _broken.IsFault ? _broken : Refusal(request);
        if (refusal.IsNone && isAsked && (request.LengthBytes > 0 || request.Operation == BlockOperation.Flush))
        {
            Queue(key, slot);
            return;
        }
        if (refusal.IsNone && request.Operation == BlockOperation.Map && request.LengthBytes > 0)
            slot.AddEntry(new Extent(request.OffsetBytes, request.LengthBytes), ExtentKind.Data);
        (slot.State, slot.Fault) = (NbdSlotState.Finished, refusal);
        _finished.Enqueue(key);
        DeferOnce();
    }

    /// <param name="request">Any.</param>
    /// <param name="isAsked">False: there is nothing to ask the server for.</param>
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
            NbdCommand.BlockStatus => _export.AllocationId != null,
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
        return Units.IsAligned(request.OffsetBytes | request.LengthBytes, _export.BlockBytesMin)
            ? Fault.None
            : new Fault(FaultKind.Align, 0, request.OffsetBytes);
    }

    /// <summary>The next piece of a request; a flush has no bytes.</summary>
    void Queue(ulong key, NbdSlot slot)
    {
        ulong mostBytes = slot.Command switch
        {
            NbdCommand.Flush => 0,
            NbdCommand.Write when slot.Request.Operation == BlockOperation.WriteZeroes => Math.Min(
                ZeroBytes,
                _export.PayloadBytesMax
            ),
            NbdCommand.Read or NbdCommand.Write => _export.PayloadBytesMax,
            _ => _export.IsExtended ? ulong.MaxValue : ShortLengthMax,
        };
        slot.BeginPiece(Math.Min(mostBytes, slot.Request.LengthBytes - slot.DoneBytes));
        slot.State = NbdSlotState.Queued;
        _toSend.Enqueue(key);
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

    void SendNext()
    {
        if (_broken.IsFault || _outStart < _outEnd || _payloadKey != 0)
            return;
        (_outStart, _outEnd, _payloadSentBytes) = (0, 0, 0);
        while (
            _payloadKey == 0
            && _outEnd + NbdProtocol.ExtendedRequestBytes <= OutBytes
            && _toSend.TryDequeue(out ulong key)
        )
        {
            NbdSlot slot = _slots.Get(key);
            WriteHead(key, slot.Command, Flags(slot), slot.Command == NbdCommand.Flush ? default : slot.Piece);
            bool hasPayload = slot.Command == NbdCommand.Write;
            slot.State = hasPayload ? NbdSlotState.Sending : NbdSlotState.Sent;
            if (hasPayload)
                _payloadKey = key;
        }
        if (_outEnd > 0)
            Send(_out.Start, _outEnd);
    }

    NbdCommandFlags Flags(NbdSlot slot)
    {
        BlockFlags asked = slot.Request.Flags;
        bool isWrite = slot.Command is NbdCommand.Write or NbdCommand.WriteZeroes or NbdCommand.Trim;
        NbdCommandFlags flags = NbdCommandFlags.None;
        if (isWrite && (asked & BlockFlags.Fua) != 0 && _export.Can(NbdExportFlags.CanFua))
            flags |= NbdCommandFlags.Fua;
        if (slot.Command == NbdCommand.WriteZeroes && (asked & BlockFlags.MayUnmap) == 0)
            flags |= NbdCommandFlags.NoHole;
        if (slot.Command == NbdCommand.Write && _export.IsExtended)
            flags |= NbdCommandFlags.PayloadLength;
        return flags;
    }

    void WriteHead(ulong cookie, NbdCommand command, NbdCommandFlags flags, in Extent range)
    {
        int bytes = _export.IsExtended ? NbdProtocol.ExtendedRequestBytes : NbdProtocol.RequestBytes;
        Span<byte> head = _out.Slice(_outEnd, bytes);
        BinaryPrimitives.WriteUInt32BigEndian(
            head,
            _export.IsExtended ? NbdProtocol.ExtendedRequestMagic : NbdProtocol.RequestMagic
        );
        BinaryPrimitives.WriteUInt16BigEndian(head[4..], (ushort)flags);
        BinaryPrimitives.WriteUInt16BigEndian(head[6..], (ushort)command);
        BinaryPrimitives.WriteUInt64BigEndian(head[8..], cookie);
        BinaryPrimitives.WriteUInt64BigEndian(head[16..], range.OffsetBytes);
        if (_export.IsExtended)
            BinaryPrimitives.WriteUInt64BigEndian(head[24..], range.LengthBytes);
        else
            BinaryPrimitives.WriteUInt32BigEndian(head[24..], (uint)range.LengthBytes);
        _outEnd += (ulong)bytes;
    }

    void OnSent(ulong countBytes)
    {
        if (_outStart < _outEnd)
            _outStart += countBytes;
        else
            _payloadSentBytes += countBytes;
        if (_outStart < _outEnd)
        {
            Send(_out.Start + (nint)_outStart, _outEnd - _outStart);
            return;
        }
        if (_payloadKey != 0 && !TrySendPayload())
            OnPayloadSent();
        SendNext();
    }

    /// <returns>False: all of it is sent.</returns>
    bool TrySendPayload()
    {
        NbdSlot slot = _slots.Get(_payloadKey);
        if (_payloadSentBytes == slot.PieceBytes)
            return false;
        bool isZeroes = slot.Request.Operation == BlockOperation.WriteZeroes;
        nint start = isZeroes ? _zeroes!.Start : slot.Request.Buffer + (nint)slot.DoneBytes;
        Send(start + (nint)_payloadSentBytes, slot.PieceBytes - _payloadSentBytes);
        return true;
    }

    void OnPayloadSent()
    {
        ulong key = _payloadKey;
        NbdSlot slot = _slots.Get(key);
        _payloadKey = 0;
        slot.State = NbdSlotState.Sent;
        if (slot.IsAnswered)
            OnAnswered(key, slot);
    }

    /// <summary>One is always under way, so that the end of the connection is seen.</summary>
    void Receive()
    {
        nint start = _replies.Place(out ulong lengthBytes);
        Push(StreamOperation.Receive, ReceiveTag, start, lengthBytes);
    }

    void Send(nint start, ulong lengthBytes) => Push(StreamOperation.Send, SendTag, start, lengthBytes);

    void Push(StreamOperation operation, ulong tag, nint start, ulong lengthBytes)
    {
        _commandCount++;
        StreamCommand command = new()
        {
            Operation = operation,
            Stream = _stream,
            Buffer = start,
            LengthBytes = lengthBytes,
            Owner = this,
            Tag = tag,
        };
        _streams.Push(command);
    }

    bool HasEnded => _broken.IsFault || _isDisposed;

    bool INbdAsker.HasEnded => HasEnded;

    void INbdAsker.OnViolation(string how) => Break(Errnos.ToFault(Errnos.EPROTO), $"the server {how}");

    void INbdAsker.OnAnswered(ulong key, NbdSlot slot) => OnAnswered(key, slot);

    /// <summary>A piece has its whole answer: the next one, a flush for durability, or the end.</summary>
    void OnAnswered(ulong key, NbdSlot slot)
    {
        if (slot.State == NbdSlotState.Sending)
        {
            slot.IsAnswered = true;
            return;
        }
        slot.DoneBytes += slot.PieceBytes;
        bool isMap = slot.Command == NbdCommand.BlockStatus; // what is missing its owner asks for
        bool isWhole = slot.Fault.IsFault || isMap || slot.DoneBytes >= slot.Request.LengthBytes;
        if (isWhole && (slot.Fault.IsFault || !MustFlush(slot)))
        {
            Finish(key, slot.Fault);
            return;
        }
        if (isWhole)
            slot.Command = NbdCommand.Flush;
        Queue(key, slot);
    }

    bool MustFlush(NbdSlot slot) =>
        slot.Command is NbdCommand.Write or NbdCommand.WriteZeroes or NbdCommand.Trim
        && (slot.Request.Flags & BlockFlags.Fua) != 0
        && !_export.Can(NbdExportFlags.CanFua)
        && _export.Can(NbdExportFlags.CanFlush);

    void Finish(ulong key, Fault fault)
    {
        NbdSlot slot = _slots.Get(key);
        BlockRequest request = slot.Request;
        uint count = fault.IsNone ? slot.EntryCount : 0;
        _slots.Free(key);
        _lanes.End(request.Lane);
        while (_slots.TakenCount < _slots.Capacity && _lanes.TryNext(out BlockRequest next))
            Begin(next);
        request.Owner.OnBlockCompleted(request.UserData, new BlockResult(fault, count));
        if (_isClosing && InFlightCount == 0)
            Dispose();
    }

    void Break(Fault fault, string because)
    {
        Check.That(_broken.IsNone);
        (_broken, BrokenBecause) = (fault, because);
        _streams.Close(_stream);
        FailAllWhenIdle();
    }

    /// <summary>Everything begun fails in the next turn, and as it goes, what waits begins and fails.</summary>
    void FailAllWhenIdle()
    {
        if (_commandCount > 0)
            return;
        while (_toSend.TryDequeue(out _)) { }
        for (uint i = 0; i < _slots.Capacity; i++)
            if (_slots.TryGetAt(i, out ulong key, out NbdSlot slot) && slot.State != NbdSlotState.Finished)
            {
                (slot.State, slot.Fault) = (NbdSlotState.Finished, _broken);
                _finished.Enqueue(key);
            }
        if (_finished.Count > 0)
            DeferOnce();
    }

    void ReleaseWhenIdle()
    {
        if (_commandCount > 0 && !_loop.HasFailed)
            return;
        _out.Dispose();
        _replies.Dispose();
        _zeroes?.Dispose();
    }
}
