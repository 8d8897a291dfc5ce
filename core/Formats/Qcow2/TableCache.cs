// Pieces of L2 tables, as they lie in the file: of each image a bounded number, the ones that nobody has asked for
// longest make room (a clock hand). A piece is at most 64 KiB; with the usual clusters that is a whole table, and one
// read explains 512 MiB of a disk. A piece that cannot be read is forgotten, and asked for again by who comes next.
// Of an image that is written to a piece is what is written at once, 4 KiB; it stays while somebody is about to change
// it, and from then on until it is in the file.
// Cost: one look into a dictionary a piece; memory lazily, as pieces are read. Nothing is allocated after construction.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class TableCache : IBlockOwner, IDisposable
{
    public const uint PieceBytesMax = 64 * 1024;

    const ulong CacheBytes = 4 * Units.MiB;
    const uint PiecesMax = 1024;
    const ulong WritableCacheBytes = 8 * Units.MiB;
    const uint WritablePiecesMax = 2048;

    struct Piece
    {
        public ulong HostBytes; // 0: empty
        public bool IsLoading;
        public bool IsUsed; // since the hand has passed
        public bool IsDirty; // and so pinned
        public uint PinCount;
        public WaitList Waiting;
    }

    readonly IBlockDevice _file;
    readonly IWaitOwner _owner;
    readonly AlignedRegion _memory;
    readonly Piece[] _pieces;
    readonly Dictionary<ulong, uint> _index;
    WaitList _starving; // every piece is being read
    uint _hand;

    /// <param name="file">Read from.</param>
    /// <param name="clusterBytes">A table's length.</param>
    /// <param name="owner">Told when a piece has come.</param>
    /// <param name="pageBytes">Of an image that is written to: what is written at once; else 0.</param>
    public TableCache(IBlockDevice file, ulong clusterBytes, IWaitOwner owner, uint pageBytes)
    {
        (_file, _owner) = (file, owner);
        PieceBytes = pageBytes > 0 ? pageBytes : (uint)Math.Min(clusterBytes, PieceBytesMax);
        uint count = (uint)Math.Min(CacheBytes / PieceBytes, PiecesMax);
        if (pageBytes > 0)
            count = (uint)Math.Min(WritableCacheBytes / PieceBytes, WritablePiecesMax);
        _memory = AlignedRegion.Map((ulong)count * PieceBytes, RegionResidency.Lazy);
        _pieces = new Piece[count];
        _index = new Dictionary<ulong, uint>((int)count);
    }

    /// <summary>A power of two.</summary>
    public uint PieceBytes { get; }

    public uint LoadingCount { get; private set; }

    /// <summary>The piece at a place of the file, which has all of it.</summary>
    /// <param name="hostBytes">On PieceBytes.</param>
    /// <param name="slot">Who wants it.</param>
    /// <param name="piece">Until the next call.</param>
    public TableState Find(ulong hostBytes, Qcow2Slot slot, out ReadOnlySpan<byte> piece)
    {
        piece = default;
        if (!_index.TryGetValue(hostBytes, out uint number))
        {
            if (!TryTakeOldest(out number))
            {
                Wait(ref _starving, slot);
                return TableState.Waits;
            }
            Load(number, hostBytes, slot.Request.Lane);
        }
        ref Piece found = ref _pieces[number];
        found.IsUsed = true;
        if (found.IsLoading)
        {
            Wait(ref found.Waiting, slot);
            return TableState.Waits;
        }
        piece = _memory.Slice((ulong)number * PieceBytes, (int)PieceBytes);
        return TableState.Ready;
    }

    static void Wait(ref WaitList list, Qcow2Slot slot)
    {
        list.Add(slot);
    }

    bool TryTakeOldest(out uint number)
    {
        number = 0;
        for (uint looked = 0; looked < 2 * _pieces.Length; looked++)
        {
            number = _hand;
            _hand = _hand + 1 == _pieces.Length ? 0 : _hand + 1;
            ref Piece piece = ref _pieces[number];
            if (piece.IsLoading || piece.PinCount > 0)
                continue;
            if (piece.HostBytes == 0 || !piece.IsUsed)
                return true;
            piece.IsUsed = false;
        }
        return false;
    }

    void Load(uint number, ulong hostBytes, IoLane lane)
    {
        ref Piece piece = ref _pieces[number];
        if (piece.HostBytes != 0)
            _ = _index.Remove(piece.HostBytes);
        (piece.HostBytes, piece.IsLoading) = (hostBytes, true);
        _index.Add(hostBytes, number);
        LoadingCount++;
        BlockRequest request = default;
        request.Operation = BlockOperation.Read;
        request.Lane = lane;
        request.OffsetBytes = hostBytes;
        request.LengthBytes = PieceBytes;
        request.Buffer = _memory.Start + (nint)((ulong)number * PieceBytes);
        request.Owner = this;
        request.UserData = number;
        _file.Submit(request);
    }

    void IBlockOwner.OnBlockCompleted(ulong userData, in BlockResult result)
    {
        ref Piece piece = ref _pieces[userData];
        LoadingCount--;
        piece.IsLoading = false;
        if (result.Fault.IsFault)
        {
            _ = _index.Remove(piece.HostBytes);
            piece.HostBytes = 0;
        }
        WaitList waiting = piece.Waiting.TakeAll();
        WaitList starving = _starving.TakeAll();
        _owner.OnWaited(waiting, result.Fault);
        _owner.OnWaited(starving, Fault.None);
    }

    /// <summary>A piece that is there stays until it is unpinned as often.</summary>
    public void Pin(ulong hostBytes) => _pieces[_index[hostBytes]].PinCount++;

    public void Unpin(ulong hostBytes)
    {
        ref Piece piece = ref _pieces[_index[hostBytes]];
        Check.That(piece.PinCount > 0);
        piece.PinCount--;
    }

    /// <summary>A piece that is there, to be changed.</summary>
    public Span<byte> Writable(ulong hostBytes) => BytesOf(_index[hostBytes]);

    Span<byte> BytesOf(uint number) => _memory.Slice((ulong)number * PieceBytes, (int)PieceBytes);

    /// <summary>A piece that is there was changed: it is pinned, once.</summary>
    /// <returns>False: it was changed before and not taken since.</returns>
    public bool TryMarkDirty(ulong hostBytes)
    {
        ref Piece piece = ref _pieces[_index[hostBytes]];
        if (piece.IsDirty)
            return false;
        piece.IsDirty = true;
        piece.PinCount++;
        return true;
    }

    /// <summary>A changed piece as it is now, to be written; whoever does unpins it.</summary>
    public ReadOnlySpan<byte> TakeDirty(ulong hostBytes)
    {
        uint number = _index[hostBytes];
        _pieces[number].IsDirty = false;
        return BytesOf(number);
    }

    /// <summary>What is kept of a range is not what the file has there any more.</summary>
    public void Forget(ulong hostBytes, ulong lengthBytes)
    {
        for (ulong at = hostBytes; at < hostBytes + lengthBytes; at += PieceBytes)
        {
            if (!_index.Remove(at, out uint number))
                continue;
            ref Piece piece = ref _pieces[number];
            Check.That(piece is { IsLoading: false, PinCount: 0 });
            (piece.HostBytes, piece.IsUsed) = (0, false);
        }
    }

    public void Dispose()
    {
        if (LoadingCount == 0)
            _memory.Dispose();
        else
            _memory.Leak(); // of a loop that has stopped: the device may still write to it
    }
}
