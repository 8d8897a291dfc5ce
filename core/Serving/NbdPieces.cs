// The memory of one client and who has which part of it: pieces are whole pages in one region, so that the kernel may
// have it registered.
using System;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Serving;

/// <summary>Threads: the loop's. Dispose when nobody uses the memory: pieces that are taken are given back.</summary>
sealed class NbdPieces : IDisposable
{
    public const uint CountMax = 256;

    const uint UnitBytes = (uint)AlignedRegion.PageBytes;

    readonly BufferPool _memory;
    readonly SlotTable<NbdPiece> _pieces = new(CountMax);

    NbdPieces(BufferPool memory) => _memory = memory;

    /// <param name="pieceBytesMax">Of one; whole pages.</param>
    /// <param name="memoryBytes">Of all; at least one.</param>
    /// <param name="pieces">Null where there is no memory.</param>
    public static bool TryCreate(uint pieceBytesMax, uint memoryBytes, out NbdPieces? pieces)
    {
        Fault fault = BufferPool.TryCreate(pieceBytesMax, UnitBytes, memoryBytes / UnitBytes, out BufferPool? memory);
        pieces = fault.IsNone ? new NbdPieces(memory!) : null;
        return fault.IsNone;
    }

    /// <summary>Entries that one page holds.</summary>
    public static unsafe uint MapCapacity => UnitBytes / (uint)sizeof(MapEntry);

    public AlignedRegion Region => _memory.Region;

    public uint TakenCount => _pieces.TakenCount;

    /// <param name="requestKey">Whose it is.</param>
    /// <param name="range">Of the disk.</param>
    /// <param name="memoryBytes">0: it needs none.</param>
    /// <param name="pieceKey">Never 0.</param>
    /// <returns>False: all are taken, or no memory is left.</returns>
    public bool TryTake(ulong requestKey, in Extent range, ulong memoryBytes, out ulong pieceKey)
    {
        pieceKey = 0;
        BufferLease lease = default;
        if (_pieces.TakenCount == CountMax || (memoryBytes > 0 && !_memory.TryRent(memoryBytes, out lease)))
            return false;
        Check.That(_pieces.TryTake(out pieceKey, out NbdPiece piece));
        piece.Begin(requestKey, range, lease);
        return true;
    }

    public NbdPiece Get(ulong pieceKey) => _pieces.Get(pieceKey);

    public void Free(ulong pieceKey)
    {
        NbdPiece piece = _pieces.Get(pieceKey);
        if (!piece.Lease.IsNone)
            _memory.Return(piece.Lease);
        _pieces.Free(pieceKey);
    }

    public unsafe nint AddressOf(NbdPiece piece) => (nint)_memory.Address(piece.Lease);

    /// <summary>The data of a piece's range.</summary>
    // SAFETY: the lease has at least as many bytes as the range, and is held until Free.
    public unsafe Span<byte> SpanOf(NbdPiece piece) => new(_memory.Address(piece.Lease), (int)piece.Range.LengthBytes);

    /// <summary>What the device has told of a range.</summary>
    // SAFETY: the device has filled in so many entries, MapCapacity at most.
    public unsafe ReadOnlySpan<MapEntry> EntriesOf(NbdPiece piece) =>
        new(_memory.Address(piece.Lease), (int)Math.Min(piece.EntryCount, MapCapacity));

    public void Dispose()
    {
        for (uint slot = 0; slot < CountMax; slot++)
            if (_pieces.TryGetAt(slot, out ulong key, out _))
                Free(key);
        _memory.Dispose();
    }
}
