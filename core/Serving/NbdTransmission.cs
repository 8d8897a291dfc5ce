// The requests of one client: taken apart as they come, given to the device piece by piece, and answered. It knows
// neither the stream nor the handshake.
//
//   heads -> pieces in the client's memory -> device -> answered -> batch
//
// All that a client holds is bounded: where there is no slot, no memory or no room in the batch, its next bytes are not
// taken. A write's data is received where the device takes it from; a long read's data leaves from where the device has
// put it; short ones are copied, which costs less than a call of their own. Zeroes go as holes where the client takes
// chunks.
// A client without structured replies gets a read as one run of bytes: one that is longer than a piece waits until it
// is alone, and goes out piece by piece.
using System;
using System.Buffers.Binary;
using FastBackup.Base;
using FastBackup.Bitmaps.Kernels;
using FastBackup.Devices;
using FastBackup.Devices.Nbd;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Serving;

/// <summary>Threads: the loop's. Dispose when nothing is at the device and nothing is being sent.</summary>
sealed class NbdTransmission : IBlockOwner, IDisposable
{
    const uint RequestsMax = 128;
    const ulong PieceBytesMax = 512 * Units.KiB;
    const uint AlonePieceBytes = (uint)Units.MiB;

    /// <summary>Of zeroes and discards, one after the other.</summary>
    const ulong EmptyPieceBytesMax = 128 * Units.MiB;
    const ulong CopiedBytesMax = 16 * Units.KiB;
    const ulong SkipBytesMax = 64 * Units.MiB;

    // --- fixed at construction
    readonly IIoLoop _loop;
    readonly Action _onProgress;
    readonly NbdAnswers _answers;
    readonly ServedDisk _disk;
    readonly NbdRequestRule _rule;
    readonly SlotTable<NbdRequest> _requests = new(RequestsMax);
    readonly NbdPieces _pieces;
    readonly BoundedQueue<ulong> _toIssue = new(RequestsMax); // requests
    readonly BoundedQueue<ulong> _answered = new(NbdPieces.CountMax); // pieces with something to send
    readonly BoundedQueue<ulong> _ended = new(RequestsMax); // requests without data to send
    readonly StatusExtents _status;

    // --- what comes in
    ulong _payloadKey; // the write whose data follows
    ulong _payloadPieceKey;
    ulong _payloadBytes; // received of that piece
    ulong _skipBytes;
    ulong _aloneKey; // a long read of a client without chunks
    bool _isAloneBegun;

    NbdTransmission(IIoLoop loop, NbdNegotiation chosen, NbdPieces pieces, Action onProgress)
    {
        (_loop, _pieces, _onProgress) = (loop, pieces, onProgress);
        _disk = chosen.Disk!;
        _answers = new NbdAnswers(chosen.IsStructured, chosen.IsExtended);
        _rule = new NbdRequestRule(_disk, chosen.IsStructured, chosen.IsExtended, chosen.Contexts.Count > 0);
        _status = new StatusExtents(_disk, chosen.Contexts, _answers);
        _ = loop.FileIo.RegisterMemory(pieces.Region); // only slower without
    }

    /// <param name="loop">Drives it.</param>
    /// <param name="chosen">Ready.</param>
    /// <param name="memoryBytes">For the data of the client's requests.</param>
    /// <param name="onProgress">Called when the device has answered.</param>
    /// <param name="transmission">Null where there is no memory.</param>
    public static bool TryCreate(
        IIoLoop loop,
        NbdNegotiation chosen,
        uint memoryBytes,
        Action onProgress,
        out NbdTransmission? transmission
    )
    {
        bool hasMemory = NbdPieces.TryCreate(AlonePieceBytes, memoryBytes, out NbdPieces? pieces);
        transmission = hasMemory ? new NbdTransmission(loop, chosen, pieces!, onProgress) : null;
        return hasMemory;
    }

    /// <summary>The client has said that it goes: nothing is taken any more.</summary>
    public bool IsEnding { get; private set; }

    /// <summary>What comes cannot be understood, or half an answer is out: the connection must end.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>Nothing is left to do, to answer or to send.</summary>
    public bool IsIdle => _requests.TakenCount == 0 && _pieces.TakenCount == 0;

    /// <summary>Requests that the device has not answered.</summary>
    public uint AtDeviceCount { get; private set; }

    /// <summary>Where a write's data may be received, past the input.</summary>
    /// <returns>False: it goes to the input.</returns>
    public bool TryPlacePayload(out nint start, out ulong lengthBytes)
    {
        (start, lengthBytes) = (0, 0);
        if (_payloadPieceKey == 0)
            return false;
        NbdPiece piece = _pieces.Get(_payloadPieceKey);
        start = _pieces.AddressOf(piece) + (nint)_payloadBytes;
        lengthBytes = piece.Range.LengthBytes - _payloadBytes;
        return true;
    }

    /// <summary>So much was received there.</summary>
    public void OnPayload(ulong countBytes) => _payloadBytes += countBytes;

    /// <summary>A payload that lay in this piece was sent.</summary>
    public void OnPayloadSent(ulong pieceKey)
    {
        ulong key = _pieces.Get(pieceKey).RequestKey;
        _pieces.Free(pieceKey);
        if (key == _aloneKey)
            EndRead(key, _requests.Get(key), isAnswered: true);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        AtDeviceCount--;
        NbdPiece piece = _pieces.Get(userData);
        NbdRequest request = _requests.Get(piece.RequestKey);
        (piece.Fault, piece.EntryCount) = (result.Fault, result.Count);
        if (request.Error == 0)
            request.Error = NbdAnswers.ErrorOf(result.Fault);
        if (request.Command is NbdCommand.Read or NbdCommand.BlockStatus)
            _answered.Enqueue(userData);
        else
            OnPieceOfNoDataEnded(userData, piece.RequestKey, request);
        _onProgress();
    }

    public void Dispose()
    {
        Check.That(AtDeviceCount == 0);
        _loop.FileIo.UnregisterMemory(_pieces.Region);
        _pieces.Dispose();
    }

    // --- in

    /// <returns>Whether something was taken.</returns>
    public bool Take(NbdInput input)
    {
        bool isAny = false;
        while (!IsEnding && !IsBroken && TakeOne(input))
            isAny = true;
        return isAny;
    }

    bool TakeOne(NbdInput input)
    {
        if (_skipBytes > 0)
        {
            ulong count = Math.Min(_skipBytes, (ulong)input.Bytes.Length);
            _skipBytes -= count;
            input.Drop((int)count);
            return count > 0;
        }
        return _payloadKey != 0 ? TakePayload(input) : TakeHead(input);
    }

    bool TakeHead(NbdInput input)
    {
        int bytes = _rule.IsExtended ? NbdProtocol.ExtendedRequestBytes : NbdProtocol.RequestBytes;
        if (input.Bytes.Length < bytes || _aloneKey != 0 || _requests.TakenCount == RequestsMax)
            return false;
        ReadOnlySpan<byte> given = input.Bytes;
        uint magic = _rule.IsExtended ? NbdProtocol.ExtendedRequestMagic : NbdProtocol.RequestMagic;
        if (BinaryPrimitives.ReadUInt32BigEndian(given) != magic)
        {
            IsBroken = true; // nobody knows where the next request begins
            return false;
        }
        NbdHead head = new(
            (NbdCommand)BinaryPrimitives.ReadUInt16BigEndian(given[6..]),
            (NbdCommandFlags)BinaryPrimitives.ReadUInt16BigEndian(given[4..]),
            BinaryPrimitives.ReadUInt64BigEndian(given[8..]),
            BinaryPrimitives.ReadUInt64BigEndian(given[16..]),
            _rule.IsExtended
                ? BinaryPrimitives.ReadUInt64BigEndian(given[24..])
                : BinaryPrimitives.ReadUInt32BigEndian(given[24..])
        );
        input.Drop(bytes);
        Take(head);
        return true;
    }

    void Take(in NbdHead head)
    {
        if (head.Command == NbdCommand.Disconnect)
        {
            IsEnding = true;
            return;
        }
        ulong payloadBytes = _rule.PayloadBytes(head);
        uint error = _rule.ErrorOf(head);
        if (payloadBytes > SkipBytesMax && error != 0)
        {
            IsBroken = true;
            return;
        }
        Check.That(_requests.TryTake(out ulong key, out NbdRequest request));
        request.Begin(head);
        if (error != 0 || (head.LengthBytes == 0 && head.Command != NbdCommand.Flush))
        {
            (request.Error, request.IssuedBytes) = (error, request.LengthBytes);
            _skipBytes = payloadBytes;
            _ended.Enqueue(key);
        }
        else if (head.Command == NbdCommand.Write)
            _payloadKey = key;
        else
        {
            bool isRun = head.Command == NbdCommand.Read && !_answers.IsStructured;
            if (isRun && head.LengthBytes > AlonePieceBytes)
                _aloneKey = key; // nothing is taken behind it
            _toIssue.Enqueue(key);
        }
    }

    bool TakePayload(NbdInput input)
    {
        NbdRequest request = _requests.Get(_payloadKey);
        if (_payloadPieceKey == 0)
        {
            ulong bytes = Math.Min(PieceBytesMax, request.LengthBytes - request.IssuedBytes);
            if (!TryTakePiece(_payloadKey, request, bytes, bytes, out _payloadPieceKey))
                return false;
            _payloadBytes = 0;
        }
        NbdPiece piece = _pieces.Get(_payloadPieceKey);
        ulong count = Math.Min(piece.Range.LengthBytes - _payloadBytes, (ulong)input.Bytes.Length);
        if (count > 0)
        {
            input.Bytes[..(int)count].CopyTo(_pieces.SpanOf(piece)[(int)_payloadBytes..]);
            input.Drop((int)count);
            _payloadBytes += count;
        }
        if (_payloadBytes < piece.Range.LengthBytes)
            return count > 0;
        Submit(_payloadPieceKey, piece, request, BlockOperation.Write);
        _payloadPieceKey = 0;
        if (request.IsIssued)
            _payloadKey = 0;
        return true;
    }

    // --- the device

    /// <summary>Gives the device what it can get.</summary>
    /// <returns>Whether there was something.</returns>
    public bool Issue()
    {
        bool isAny = false;
        while (_toIssue.TryPeek(out ulong key) && TryIssue(key, _requests.Get(key)))
        {
            isAny = true;
            if (_requests.Get(key) is { Command: NbdCommand.Read, IsIssued: false })
                continue;
            _ = _toIssue.TryDequeue(out _);
        }
        return isAny;
    }

    bool TryIssue(ulong key, NbdRequest request)
    {
        switch (request.Command)
        {
            case NbdCommand.Read:
                return TryIssueRead(key, request);
            case NbdCommand.BlockStatus:
                return TryIssueStatus(key, request);
            case NbdCommand.Flush:
                return TryIssueEmpty(key, request, 0);
            case NbdCommand.Cache:
                return TryIssueEmpty(key, request, PieceBytesMax);
            default:
                return TryIssueEmpty(key, request, EmptyPieceBytesMax);
        }
    }

    bool TryIssueRead(ulong key, NbdRequest request)
    {
        ulong bytes = request.LengthBytes - request.IssuedBytes;
        if (_answers.IsStructured)
            bytes = Math.Min(
                bytes,
                (request.Flags & NbdCommandFlags.DontFragment) != 0 ? AlonePieceBytes : PieceBytesMax
            );
        else if (key == _aloneKey)
        {
            if (_requests.TakenCount > 1 || request.PieceCount > 0)
                return false;
            bytes = Math.Min(bytes, AlonePieceBytes);
        }
        if (!TryTakePiece(key, request, bytes, bytes, out ulong pieceKey))
            return false;
        Submit(pieceKey, _pieces.Get(pieceKey), request, BlockOperation.Read);
        return true;
    }

    bool TryIssueStatus(ulong key, NbdRequest request)
    {
        if (!TryTakePiece(key, request, request.LengthBytes, AlignedRegion.PageBytes, out ulong pieceKey))
            return false;
        if (_status.AsksDevice)
        {
            Submit(pieceKey, _pieces.Get(pieceKey), request, BlockOperation.Map);
            return true;
        }
        request.PieceCount++;
        request.IssuedBytes = request.LengthBytes;
        _answered.Enqueue(pieceKey);
        return true;
    }

    /// <summary>The next piece of what has no answer with data; the one after it follows when it has ended.</summary>
    bool TryIssueEmpty(ulong key, NbdRequest request, ulong mostBytes)
    {
        ulong bytes = Math.Min(mostBytes, request.LengthBytes - request.IssuedBytes);
        ulong memoryBytes = request.Command == NbdCommand.Cache ? bytes : 0; // what is read is thrown away
        if (!TryTakePiece(key, request, bytes, memoryBytes, out ulong pieceKey))
            return false;
        BlockOperation operation = request.Command switch
        {
            NbdCommand.Cache => BlockOperation.Read,
            NbdCommand.Flush => BlockOperation.Flush,
            NbdCommand.Trim => BlockOperation.Discard,
            _ => BlockOperation.WriteZeroes,
        };
        Submit(pieceKey, _pieces.Get(pieceKey), request, operation);
        if (request.Command == NbdCommand.Flush)
            request.IssuedBytes = request.LengthBytes;
        return true;
    }

    bool TryTakePiece(ulong key, NbdRequest request, ulong rangeBytes, ulong memoryBytes, out ulong pieceKey) =>
        _pieces.TryTake(
            key,
            new Extent(request.OffsetBytes + request.IssuedBytes, rangeBytes),
            memoryBytes,
            out pieceKey
        );

    void Submit(ulong pieceKey, NbdPiece piece, NbdRequest request, BlockOperation operation)
    {
        request.IssuedBytes += piece.Range.LengthBytes;
        request.PieceCount++;
        AtDeviceCount++;
        bool isFua = (request.Flags & NbdCommandFlags.Fua) != 0 && operation.IsWrite();
        BlockFlags flags = isFua ? BlockFlags.Fua : BlockFlags.None;
        if (operation == BlockOperation.WriteZeroes && (request.Flags & NbdCommandFlags.NoHole) == 0)
            flags |= BlockFlags.MayUnmap;
        if (operation == BlockOperation.WriteZeroes && (request.Flags & NbdCommandFlags.FastZero) != 0)
            flags |= BlockFlags.FastOnly;
        if (operation == BlockOperation.Read)
            flags |= BlockFlags.Padded; // a lease is whole pages
        _disk.Device.Submit(
            new BlockRequest
            {
                Operation = operation,
                Flags = flags,
                OffsetBytes = operation == BlockOperation.Flush ? 0 : piece.Range.OffsetBytes,
                LengthBytes = piece.Range.LengthBytes,
                Buffer = piece.Lease.IsNone ? 0 : _pieces.AddressOf(piece),
                MapCapacity = operation == BlockOperation.Map ? NbdPieces.MapCapacity : 0,
                Owner = this,
                UserData = pieceKey,
            }
        );
    }

    void OnPieceOfNoDataEnded(ulong pieceKey, ulong requestKey, NbdRequest request)
    {
        _pieces.Free(pieceKey);
        request.PieceCount--;
        if (request.Error != 0 && request.Command != NbdCommand.Write)
            request.IssuedBytes = request.LengthBytes;
        if (!request.IsIssued && request.Command != NbdCommand.Write)
            _toIssue.Enqueue(requestKey);
        else if (request.IsIssued && request.PieceCount == 0)
            _ended.Enqueue(requestKey);
    }

    // --- out

    /// <summary>Puts into the batch what has been done, as far as it has room.</summary>
    /// <returns>Whether there was something.</returns>
    public bool Answer(OutBatch batch)
    {
        bool isAny = false;
        while (_answered.TryPeek(out ulong pieceKey))
        {
            NbdPiece piece = _pieces.Get(pieceKey);
            NbdRequest request = _requests.Get(piece.RequestKey);
            bool isStatus = request.Command == NbdCommand.BlockStatus;
            if (
                isStatus
                    ? !TryAnswerStatus(batch, pieceKey, piece, request)
                    : !TryAnswerRead(batch, pieceKey, piece, request)
            )
                break;
            _ = _answered.TryDequeue(out _);
            isAny = true;
        }
        while (batch.RoomBytes >= NbdAnswers.HeadBytesMax && _ended.TryDequeue(out ulong key))
        {
            _answers.End(batch, _requests.Get(key));
            _requests.Free(key);
            isAny = true;
        }
        return isAny;
    }

    bool TryAnswerRead(OutBatch batch, ulong pieceKey, NbdPiece piece, NbdRequest request)
    {
        bool isCopied = piece.Range.LengthBytes <= CopiedBytesMax;
        if (batch.RoomBytes < NbdAnswers.HeadBytesMax + (isCopied ? (int)piece.Range.LengthBytes : 0))
            return false;
        ulong key = piece.RequestKey;
        bool isAlone = key == _aloneKey;
        if (piece.Fault.IsFault)
        {
            if (_isAloneBegun)
                IsBroken = true; // the client has been told that all is well
            _pieces.Free(pieceKey);
            EndRead(key, request, isAnswered: false);
            return true;
        }
        bool isLast = request.IsIssued && request.PieceCount == 1 && request.Error == 0;
        bool mayBeHole = _answers.IsStructured && (request.Flags & NbdCommandFlags.DontFragment) == 0;
        if (mayBeHole && BitmapKernels.IsAllZero(_pieces.SpanOf(piece)))
        {
            _answers.Hole(batch, request, piece.Range, isLast);
            _pieces.Free(pieceKey);
            EndRead(key, request, isLast);
            return true;
        }
        if (!_isAloneBegun)
            _answers.Data(batch, request, piece.Range, isLast);
        _isAloneBegun = isAlone;
        if (isCopied)
        {
            _pieces.SpanOf(piece).CopyTo(batch.Add((int)piece.Range.LengthBytes));
            _pieces.Free(pieceKey);
        }
        else
            batch.AddPayload(pieceKey, _pieces.AddressOf(piece), piece.Range.LengthBytes);
        if (!isAlone || isCopied)
            EndRead(key, request, isLast || !_answers.IsStructured);
        return true;
    }

    /// <summary>A piece of a read is on its way to the client, or failed.</summary>
    void EndRead(ulong key, NbdRequest request, bool isAnswered)
    {
        request.PieceCount--;
        if (request.PieceCount > 0 || !request.IsIssued)
        {
            if (request.Error == 0 || request.PieceCount > 0)
                return;
            request.IssuedBytes = request.LengthBytes; // the rest need not be read
            _ = _toIssue.TryDequeue(out ulong front);
            Check.That(front == key);
        }
        if (key == _aloneKey)
            (_aloneKey, _isAloneBegun) = (0, false);
        if (isAnswered)
            _requests.Free(key);
        else
            _ended.Enqueue(key);
    }

    bool TryAnswerStatus(OutBatch batch, ulong pieceKey, NbdPiece piece, NbdRequest request)
    {
        if (piece.Fault.IsNone && !_status.TryAnswer(batch, request, piece, _pieces.EntriesOf(piece)))
            return false;
        ulong key = piece.RequestKey;
        bool isFailed = request.Error != 0 || piece.Fault.IsFault;
        _pieces.Free(pieceKey);
        request.PieceCount--;
        if (isFailed)
            _ended.Enqueue(key);
        else
            _requests.Free(key);
        return true;
    }
}
