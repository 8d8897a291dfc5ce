// One connection of a remote disk, past its handshake, with many requests in flight.
//
//   sending      requests go out in the order in which they were added: heads are gathered into one send, until one
//                that has a payload; payloads leave from the request's own buffer
//   receiving    NbdReplies: matched by cookie (the slot's key), every field checked
//
// It ends when the connection does, or the server says what cannot be; what becomes of its requests is the device's
// affair. Their buffers are free once it is idle. Cost: O(1) a request, nothing allocated after construction.
// Source: NetworkBlockDevice/nbd, doc/proto.md.
using System;
using System.Buffers.Binary;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

/// <summary>Threads: the device's.</summary>
sealed class NbdLink : IStreamOwner, INbdAsker, IDisposable
{
    const ulong SendTag = 1;
    const ulong ReceiveTag = 2;

    readonly IStreamIo _streams;
    readonly StreamHandle _stream;
    readonly NbdExport _export;
    readonly SlotTable<NbdSlot> _slots;
    readonly INbdLinkOwner _owner;
    readonly nint _zeroes;
    readonly BoundedQueue<ulong> _toSend;
    readonly AlignedRegion _out;
    readonly NbdReplies _replies;

    // --- what is being sent: heads, then the payload of the last of them
    ulong _outStart;
    ulong _outEnd;
    ulong _payloadKey; // 0: none; no key of a slot is
    ulong _payloadSentBytes;

    uint _commandCount; // at the port
    bool _isLeaving;
    bool _isClosed;

    /// <param name="streams">Carry the stream.</param>
    /// <param name="stream">Past the handshake; owned from here.</param>
    /// <param name="export">What the handshake has found.</param>
    /// <param name="slots">The device's requests, by cookie.</param>
    /// <param name="zeroes">Bytes of zero, as many as a piece of zeroes that is written may have.</param>
    /// <param name="owner">The device.</param>
    public NbdLink(
        IStreamIo streams,
        StreamHandle stream,
        NbdExport export,
        SlotTable<NbdSlot> slots,
        nint zeroes,
        INbdLinkOwner owner
    )
    {
        (_streams, _stream, _export) = (streams, stream, export);
        (_slots, _zeroes, _owner) = (slots, zeroes, owner);
        _toSend = new BoundedQueue<ulong>(slots.Capacity);
        _out = AlignedRegion.Map(slots.Capacity * NbdProtocol.ExtendedRequestBytes, RegionResidency.Resident);
        try
        {
            _replies = new NbdReplies(export, slots, this);
        }
        catch (InsufficientMemoryException)
        {
            _out.Dispose();
            throw;
        }
        Receive();
    }

    /// <summary>Added and not answered.</summary>
    public uint RequestCount { get; private set; }

    public bool HasEnded => _isClosed || _isLeaving;

    /// <summary>Takes the piece of a slot; SendNext sends it.</summary>
    public void Add(ulong key, NbdSlot slot)
    {
        (slot.Link, slot.State) = (this, NbdSlotState.Queued);
        _toSend.Enqueue(key);
        RequestCount++;
    }

    public void SendNext()
    {
        if (HasEnded || _outStart < _outEnd || _payloadKey != 0)
            return;
        (_outStart, _outEnd, _payloadSentBytes) = (0, 0, 0);
        ulong roomBytes = _slots.Capacity * NbdProtocol.ExtendedRequestBytes;
        while (
            _payloadKey == 0
            && _outEnd + NbdProtocol.ExtendedRequestBytes <= roomBytes
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

    /// <summary>Ends it at once; OnIdle comes, in this call only where nothing is at the port.</summary>
    public void Close()
    {
        if (_isClosed)
            return;
        _isClosed = true;
        _streams.Close(_stream);
    }

    /// <summary>Tells the server that nothing more comes, then ends it. Nothing is in flight.</summary>
    public void Leave()
    {
        if (HasEnded)
            return;
        if (_outStart < _outEnd || _payloadKey != 0)
        {
            Close();
            return;
        }
        _isLeaving = true;
        (_outStart, _outEnd) = (0, 0);
        WriteHead(0, NbdCommand.Disconnect, NbdCommandFlags.None, default);
        Send(_out.Start, _outEnd);
    }

    /// <summary>Once it is idle, or the loop has failed.</summary>
    public void Dispose()
    {
        _out.Dispose();
        _replies.Dispose();
    }

    void IStreamOwner.OnStreamCompleted(ulong tag, in StreamResult result)
    {
        _commandCount--;
        bool hasEnded = result.Fault.IsNone && result.Count == 0;
        if (_isLeaving)
            Close(); // the farewell is sent, or could not be
        else if (_isClosed) { }
        else if (result.Fault.IsFault)
            Break(result.Fault, $"the connection has ended: {result.Fault}", isViolation: false);
        else if (hasEnded)
            Break(Errnos.ToFault(Errnos.ECONNRESET), "the server has ended the connection", isViolation: false);
        else if (tag == SendTag)
            OnSent(result.Count);
        else
        {
            _replies.Take(result.Count);
            if (!HasEnded)
                Receive();
        }
        if (_isClosed && _commandCount == 0)
            _owner.OnIdle(this);
    }

    bool INbdAsker.HasAsked(ulong key) =>
        _slots.IsTaken(key)
        && _slots.Get(key) is { State: NbdSlotState.Sending or NbdSlotState.Sent } slot
        && ReferenceEquals(slot.Link, this);

    void INbdAsker.OnViolation(string how) =>
        Break(Errnos.ToFault(Errnos.EPROTO), $"the server {how}", isViolation: true);

    void INbdAsker.OnAnswered(ulong key, NbdSlot slot)
    {
        if (slot.State == NbdSlotState.Sending)
            slot.IsAnswered = true;
        else
            End(key, slot);
    }

    void End(ulong key, NbdSlot slot)
    {
        RequestCount--;
        slot.Link = null;
        _owner.OnAnswered(key, slot);
    }

    void Break(Fault fault, string because, bool isViolation)
    {
        Close();
        _owner.OnBroken(fault, because, isViolation);
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
        if (slot.IsFast)
            flags |= NbdCommandFlags.FastZero;
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
        nint start = isZeroes ? _zeroes : slot.Request.Buffer + (nint)slot.DoneBytes;
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
            End(key, slot);
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
            IsWantedWhole = operation == StreamOperation.Receive && _replies.IsInPayload,
            Owner = this,
            Tag = tag,
        };
        _streams.Push(command);
    }
}
