// What the server says. Heads, extents and short payloads pass through a small buffer, of which as much is taken as is
// there; the payload of a read goes into the request's buffer, without a copy but for what came along with its head.
//
//   reply -> simple: a read's payload follows                                     -> next reply
//         -> chunk:  offset and payload | hole | extents | error and its message  -> next reply
//
// A request ends with its simple reply or its last chunk. What may not be ends the connection, with a sentence:
// an unknown magic or cookie, a kind that does not belong to the request, a length that does not fit, bytes outside of
// the request, twice, or missing at its end. So a server cannot write where it may not, nor leave a buffer half old.
using System;
using System.Buffers.Binary;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

/// <summary>Threads: the device's.</summary>
/// <param name="export">How its server speaks.</param>
/// <param name="slots">Requests by cookie.</param>
/// <param name="asker">Told of what comes.</param>
sealed class NbdReplies(NbdExport export, SlotTable<NbdSlot> slots, INbdAsker asker) : IDisposable
{
    const ulong InBytes = 4 * Units.KiB;
    const ulong ErrorBytesMin = 6;
    const ulong ErrorBytesMax = 8 * Units.KiB;

    enum Stage
    {
        Head,
        ChunkStart,
        Payload,
        Extents,
        Skip,
    }

    readonly AlignedRegion _in = AlignedRegion.Map(InBytes, RegionResidency.Resident);
    ulong _inStart;
    ulong _inEnd;

    // --- the reply that is being taken
    Stage _stage;
    ulong _key;
    ushort _kind;
    bool _isLast;
    ulong _leftBytes; // of it: payload, extents or what is skipped
    nint _payload; // where the next byte goes
    ulong _extentOffsetBytes;

    static ulong U64(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt64BigEndian(bytes);

    static uint U32(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32BigEndian(bytes);

    static ushort U16(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt16BigEndian(bytes);

    public void Dispose() => _in.Dispose();

    /// <summary>What comes next is of no use in part.</summary>
    public bool IsInPayload => _stage == Stage.Payload;

    /// <summary>Where what comes next shall go.</summary>
    public nint Place(out ulong lengthBytes)
    {
        if (_stage == Stage.Payload)
        {
            lengthBytes = _leftBytes;
            return _payload;
        }
        if (_inStart > 0)
            _in.Slice(_inStart, (int)(_inEnd - _inStart)).CopyTo(_in.Slice(0, (int)InBytes));
        (_inStart, _inEnd) = (0, _inEnd - _inStart);
        lengthBytes = InBytes - _inEnd;
        return _in.Start + (nint)_inEnd;
    }

    /// <summary>So many bytes have come there.</summary>
    public void Take(ulong countBytes)
    {
        if (_stage == Stage.Payload)
        {
            _payload += (nint)countBytes;
            _leftBytes -= countBytes;
            if (_leftBytes == 0)
                EndReply();
        }
        else
            _inEnd += countBytes;
        // A completion may close the device: then this memory is gone.
        while (!asker.HasEnded && TryGoOn()) { }
    }

    /// <returns>False: more bytes are needed.</returns>
    bool TryGoOn() =>
        _stage switch
        {
            Stage.Head => TryHead(),
            Stage.ChunkStart => TryChunkStart(),
            Stage.Payload => TryPayload(),
            Stage.Extents => TryExtent(),
            _ => TrySkip(),
        };

    bool TryTake(ulong countBytes, out ReadOnlySpan<byte> bytes)
    {
        bytes = default;
        if (_inEnd - _inStart < countBytes)
            return false;
        bytes = _in.Slice(_inStart, (int)countBytes);
        _inStart += countBytes;
        return true;
    }

    bool TryHead()
    {
        ulong thereBytes = _inEnd - _inStart;
        if (thereBytes < 4)
            return false;
        uint magic = U32(_in.Slice(_inStart, 4));
        uint headBytes = magic switch
        {
            NbdProtocol.SimpleReplyMagic when !export.IsExtended => NbdProtocol.SimpleReplyBytes,
            NbdProtocol.StructuredReplyMagic when export.IsStructured && !export.IsExtended =>
                NbdProtocol.StructuredReplyBytes,
            NbdProtocol.ExtendedReplyMagic when export.IsExtended => NbdProtocol.ExtendedReplyBytes,
            _ => 0,
        };
        if (headBytes == 0)
            return Violates("begins a reply with an unknown number");
        if (!TryTake(headBytes, out ReadOnlySpan<byte> head))
            return false;
        _key = U64(head[8..]);
        if (!asker.HasAsked(_key))
            return Violates("answers a request that was not made");
        NbdSlot slot = slots.Get(_key);
        if (slot.IsAnswered)
            return Violates("answers a request twice");
        if (magic == NbdProtocol.SimpleReplyMagic)
            return TakeSimple(slot, U32(head[4..]));
        (_isLast, _kind) = ((U16(head[4..]) & NbdProtocol.ReplyDone) != 0, U16(head[6..]));
        if (export.IsExtended && slot.Command != NbdCommand.Flush && U64(head[16..]) != slot.PieceOffsetBytes)
            return Violates("answers for another offset than it was asked for");
        _leftBytes = export.IsExtended ? U64(head[24..]) : U32(head[16..]);
        return TakeChunk(slot);
    }

    bool TakeSimple(NbdSlot slot, uint error)
    {
        _isLast = true;
        if (error != 0)
            slot.Fault = FaultOf(error, slot);
        else if (slot.Command == NbdCommand.BlockStatus)
            return Violates("answers a question for extents without any");
        else if (slot.Command == NbdCommand.Read && export.IsStructured)
            return Violates("answers a read without a chunk");
        else if (slot.Command == NbdCommand.Read)
        {
            if (!slot.Coverage.TryAdd(slot.Piece))
                return Violates("answers a read twice");
            BeginPayload(slot, slot.Piece);
            return true;
        }
        EndReply();
        return true;
    }

    /// <summary>Whether the kind belongs to the request, and whether its length can be.</summary>
    bool TakeChunk(NbdSlot slot)
    {
        bool isError = (_kind & NbdProtocol.ChunkErrorBit) != 0;
        bool isFit =
            isError ? _leftBytes is >= ErrorBytesMin and <= ErrorBytesMax
            : _kind == NbdProtocol.ChunkNone ? _leftBytes == 0 && _isLast
            : _kind == NbdProtocol.ChunkData
                ? slot.Command == NbdCommand.Read && _leftBytes > 8 && _leftBytes - 8 <= slot.PieceBytes
            : _kind == NbdProtocol.ChunkHole ? slot.Command == NbdCommand.Read && _leftBytes == 12
            : IsExtents(slot);
        if (!isFit)
            return Violates("answers with a chunk that does not belong to its request");
        if (_leftBytes == 0)
            EndReply();
        else
            _stage = Stage.ChunkStart;
        return true;
    }

    bool IsExtents(NbdSlot slot)
    {
        bool isOurs = slot.Command == NbdCommand.BlockStatus && !slot.HasExtents;
        return export.IsExtended
            ? isOurs && _kind == NbdProtocol.ChunkStatusExtended && _leftBytes >= 24 && (_leftBytes - 8) % 16 == 0
            : isOurs && _kind == NbdProtocol.ChunkStatus && _leftBytes >= 12 && (_leftBytes - 4) % 8 == 0;
    }

    bool TryChunkStart()
    {
        NbdSlot slot = slots.Get(_key);
        uint startBytes =
            (_kind & NbdProtocol.ChunkErrorBit) != 0 ? (uint)ErrorBytesMin
            : _kind == NbdProtocol.ChunkHole ? 12u
            : _kind == NbdProtocol.ChunkStatus ? 4u
            : 8u;
        if (!TryTake(startBytes, out ReadOnlySpan<byte> start))
            return false;
        _leftBytes -= startBytes;
        switch (_kind)
        {
            case NbdProtocol.ChunkData:
                return TakeRange(slot, new Extent(U64(start), _leftBytes), isHole: false);
            case NbdProtocol.ChunkHole:
                return TakeRange(slot, new Extent(U64(start), U32(start[8..])), isHole: true);
            case NbdProtocol.ChunkStatus:
                return BeginExtents(slot, U32(start), true);
            case NbdProtocol.ChunkStatusExtended:
                return BeginExtents(slot, U32(start), U32(start[4..]) == _leftBytes / 16);
            default:
                return TakeError(slot, U32(start), U16(start[4..]));
        }
    }

    bool TakeError(NbdSlot slot, uint error, ushort messageBytes)
    {
        if (error == 0 || messageBytes > _leftBytes)
            return Violates("answers with an error that is none");
        slot.Fault = FaultOf(error, slot);
        _stage = Stage.Skip;
        return true;
    }

    unsafe bool TakeRange(NbdSlot slot, in Extent range, bool isHole)
    {
        Extent piece = slot.Piece;
        bool isInside =
            range.OffsetBytes >= piece.OffsetBytes
            && new Extent(range.OffsetBytes - piece.OffsetBytes, range.LengthBytes).IsWithin(piece.LengthBytes);
        if (!isInside || range.IsEmpty)
            return Violates("answers a read with bytes that were not asked for");
        if (!slot.Coverage.TryAdd(range))
            return Violates("answers a read with the same bytes twice, or in too many parts");
        BeginPayload(slot, range);
        if (!isHole)
            return true;
        // SAFETY: the range lies in the request's buffer, as was just checked; a piece has 32 MiB at most.
        new Span<byte>((void*)_payload, (int)range.LengthBytes).Clear();
        EndReply();
        return true;
    }

    void BeginPayload(NbdSlot slot, in Extent range)
    {
        _stage = Stage.Payload;
        _payload = slot.Request.Buffer + (nint)(range.OffsetBytes - slot.Request.OffsetBytes);
        _leftBytes = range.LengthBytes;
    }

    /// <summary>What came along with the head.</summary>
    unsafe bool TryPayload()
    {
        ulong countBytes = Math.Min(_leftBytes, _inEnd - _inStart);
        if (countBytes == 0)
            return false;
        // SAFETY: so many bytes are left of a range that was checked against the request.
        _in.Slice(_inStart, (int)countBytes).CopyTo(new Span<byte>((void*)_payload, (int)countBytes));
        _inStart += countBytes;
        _payload += (nint)countBytes;
        _leftBytes -= countBytes;
        if (_leftBytes == 0)
            EndReply();
        return true;
    }

    bool BeginExtents(NbdSlot slot, uint contextId, bool isCountRight)
    {
        if (contextId != export.ContextId || !isCountRight)
            return Violates("answers with extents that were not asked for");
        slot.HasExtents = true;
        _extentOffsetBytes = slot.PieceOffsetBytes;
        _stage = Stage.Extents;
        return true;
    }

    bool TryExtent()
    {
        NbdSlot slot = slots.Get(_key);
        uint entryBytes = export.IsExtended ? 16u : 8u;
        if (!TryTake(entryBytes, out ReadOnlySpan<byte> entry))
            return false;
        _leftBytes -= entryBytes;
        ulong lengthBytes = export.IsExtended ? U64(entry) : U32(entry);
        ulong status = export.IsExtended ? U64(entry[8..]) : U32(entry[4..]);
        ulong mostBytes = slot.Piece.EndBytes - _extentOffsetBytes;
        // Only the last may reach beyond what was asked for.
        if (lengthBytes == 0 || mostBytes == 0 || (lengthBytes > mostBytes && _leftBytes > 0))
            return Violates("answers with extents that do not fit");
        lengthBytes = Math.Min(lengthBytes, mostBytes);
        // A hole of which it is not said that it reads as zeroes may read as anything.
        ExtentKind kind =
            export.IsBitmap ? ((status & NbdProtocol.StatusDirty) != 0 ? ExtentKind.Data : ExtentKind.Hole)
            : (status & NbdProtocol.StatusZero) == 0 ? ExtentKind.Data
            : (status & NbdProtocol.StatusHole) != 0 ? ExtentKind.Hole
            : ExtentKind.Zero;
        slot.AddEntry(new Extent(_extentOffsetBytes, lengthBytes), kind);
        _extentOffsetBytes += lengthBytes;
        if (_leftBytes == 0)
            EndReply();
        return true;
    }

    bool TrySkip()
    {
        ulong countBytes = Math.Min(_leftBytes, _inEnd - _inStart);
        _inStart += countBytes;
        _leftBytes -= countBytes;
        if (_leftBytes == 0)
            EndReply();
        return _leftBytes == 0;
    }

    /// <summary>A reply or chunk is taken; after the last one the request goes on.</summary>
    void EndReply()
    {
        _stage = Stage.Head;
        if (!_isLast)
            return;
        NbdSlot slot = slots.Get(_key);
        bool isShort =
            slot.Fault.IsNone
            && slot.Command switch
            {
                NbdCommand.Read => !slot.Coverage.IsWhole(slot.PieceOffsetBytes, slot.PieceBytes),
                NbdCommand.BlockStatus => !slot.HasExtents,
                _ => false,
            };
        if (isShort)
            _ = Violates("ends its answer before all of it was there");
        else
            asker.OnAnswered(_key, slot);
    }

    static Fault FaultOf(uint error, NbdSlot slot) =>
        Errnos.ToFault(error <= short.MaxValue ? (int)error : Errnos.EIO, slot.PieceOffsetBytes);

    /// <returns>False.</returns>
    bool Violates(string how)
    {
        asker.OnViolation(how);
        return false;
    }
}
