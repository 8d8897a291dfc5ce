// What goes to a client in one go: bytes written here, and between them payloads that leave from where they are.
// One batch is filled while the other one is sent. Small payloads are copied in: that costs less than a call.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Serving;

/// <summary>Threads: the loop's.</summary>
sealed class OutBatch : IDisposable
{
    public const int Bytes = 64 * 1024;

    readonly record struct Payload(int Position, ulong PieceKey, nint Start, ulong LengthBytes);

    readonly AlignedRegion _region = AlignedRegion.Map(Bytes, RegionResidency.Resident);
    readonly List<Payload> _payloads = [];
    int _end;
    int _sent; // of the bytes written here
    int _payloadIndex;
    ulong _payloadSentBytes;

    public bool IsEmpty => _end == 0;

    public int RoomBytes => Bytes - _end;

    /// <summary>Room in the batch, zeroed; at most RoomBytes.</summary>
    public Span<byte> Add(int lengthBytes)
    {
        Check.That(lengthBytes <= RoomBytes);
        Span<byte> room = _region.Slice((ulong)_end, lengthBytes);
        _end += lengthBytes;
        room.Clear();
        return room;
    }

    /// <summary>Follows what was added so far; stays where it is until it was sent.</summary>
    public void AddPayload(ulong pieceKey, nint start, ulong lengthBytes) =>
        _payloads.Add(new Payload(_end, pieceKey, start, lengthBytes));

    /// <summary>What to send next; false: all of it was sent.</summary>
    public bool TryNext(out nint start, out ulong lengthBytes)
    {
        bool hasPayload = _payloadIndex < _payloads.Count;
        int until = hasPayload ? _payloads[_payloadIndex].Position : _end;
        (start, lengthBytes) = (_region.Start + _sent, (ulong)(until - _sent));
        if (lengthBytes == 0 && hasPayload)
        {
            Payload payload = _payloads[_payloadIndex];
            start = payload.Start + (nint)_payloadSentBytes;
            lengthBytes = payload.LengthBytes - _payloadSentBytes;
        }
        return lengthBytes > 0;
    }

    /// <summary>So much of what TryNext gave was sent.</summary>
    /// <returns>The piece whose payload is sent whole now, or 0.</returns>
    public ulong OnSent(ulong countBytes)
    {
        bool hasPayload = _payloadIndex < _payloads.Count;
        if (!hasPayload || _sent < _payloads[_payloadIndex].Position)
        {
            _sent += (int)countBytes;
            return 0;
        }
        _payloadSentBytes += countBytes;
        Payload payload = _payloads[_payloadIndex];
        if (_payloadSentBytes < payload.LengthBytes)
            return 0;
        _payloadIndex++;
        _payloadSentBytes = 0;
        return payload.PieceKey;
    }

    /// <summary>Pieces whose payload was not sent whole: the connection has ended.</summary>
    public IEnumerable<ulong> UnsentPieces()
    {
        for (int i = _payloadIndex; i < _payloads.Count; i++)
            yield return _payloads[i].PieceKey;
    }

    public void Clear()
    {
        _payloads.Clear();
        (_end, _sent, _payloadIndex, _payloadSentBytes) = (0, 0, 0, 0);
    }

    public void Dispose() => _region.Dispose();
}
