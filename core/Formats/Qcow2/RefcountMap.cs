// The reference counts of an image that is written to: all of them in memory, as their blocks lie in the file, so that
// an allocation asks nobody. Two bytes for each 64 KiB of the file with the usual counts: 32 MiB for a full TiB.
// Which clusters are tables is known as well: nothing of a guest goes there, whatever an L2 entry says.
//
// What has changed is written by pages, by who commits (MetadataCommit). A page may be written at any moment: counts go
// up before anything refers to what they count, and down after nothing on the disk does.
// Source: QEMU docs/interop/qcow2.rst, "Host cluster management".
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: one at a time.</summary>
sealed class RefcountMap : IDisposable
{
    const ulong MemoryBytesMax = 256 * Units.MiB;
    const uint PageBytesMax = 4096;
    const uint SpareBlocks = 64;
    const ulong PassedMax = 1 << 20; // some ms

    readonly int _order;
    readonly int _clusterBits;
    AlignedRegion _counts;
    AlignedRegion _tableBits; // one a cluster, in the order of _counts
    AlignedRegion _isDirty; // a byte a page, in the order of _counts
    readonly Queue<uint> _dirty = new();
    readonly List<ulong> _offsets = []; // of blocks, in the order of _counts
    int[] _slots; // by the number of the block; -1: there is none, all its counts are 0

    /// <param name="header">Of the image.</param>
    /// <param name="tableCount">Entries of its table of blocks.</param>
    /// <param name="fileBytes">Of the file: it may become longer by three times the disk.</param>
    public RefcountMap(Qcow2Header header, int tableCount, ulong fileBytes)
    {
        (_order, _clusterBits) = (header.RefcountOrder, header.ClusterBits);
        BlockBits = header.ClusterBits + 3 - header.RefcountOrder;
        PageBytes = (uint)Math.Min(header.ClusterBytes, PageBytesMax);
        MemoryBytes = WantedBytes(fileBytes, header.SizeBytes);
        _counts = AlignedRegion.Map(MemoryBytes, RegionResidency.Lazy);
        _tableBits = AlignedRegion.Map(TableBitsBytes(MemoryBytes), RegionResidency.Lazy);
        _isDirty = AlignedRegion.Map(MemoryBytes / PageBytes, RegionResidency.Lazy);
        _slots = new int[tableCount];
        Array.Fill(_slots, -1);
    }

    /// <summary>Of blocks at most; address space until they are used.</summary>
    public ulong MemoryBytes { get; private set; }

    /// <summary>A block counts 2^this clusters.</summary>
    public int BlockBits { get; }

    /// <summary>What is written at once.</summary>
    public uint PageBytes { get; }

    /// <summary>Blocks that the table has room for.</summary>
    public int TableCount => _slots.Length;

    /// <summary>Pages.</summary>
    public int DirtyCount => _dirty.Count;

    /// <summary>No more blocks fit in memory.</summary>
    public bool IsFull => RoomCount == 0;

    /// <summary>Blocks that still fit in memory.</summary>
    public ulong RoomCount => (MemoryBytes >> _clusterBits) - (ulong)_offsets.Count;

    ulong WantedBytes(ulong fileBytes, ulong diskBytes)
    {
        ulong clusters = (fileBytes >> _clusterBits) + 3 * (diskBytes >> _clusterBits);
        ulong blocks = (clusters >> BlockBits) + SpareBlocks;
        return Math.Min(blocks, MemoryBytesMax >> _clusterBits) << _clusterBits;
    }

    ulong TableBitsBytes(ulong memoryBytes) => Math.Max(memoryBytes >> _order, 1);

    /// <summary>Room for the counts of a larger disk. Cost: a copy of those that there are.</summary>
    /// <param name="fileBytes">Of the file.</param>
    /// <param name="diskBytes">Of the disk that it is to hold.</param>
    /// <returns>None, or NoMemory: then nothing has changed.</returns>
    public Fault TryEnlarge(ulong fileBytes, ulong diskBytes)
    {
        ulong wanted = WantedBytes(fileBytes, diskBytes);
        if (wanted <= MemoryBytes)
            return Fault.None;
        ulong used = (ulong)_offsets.Count << _clusterBits;
        Fault fault = TryEnlarge(_counts, wanted, used, out AlignedRegion? counts);
        AlignedRegion? tableBits = null;
        AlignedRegion? isDirty = null;
        if (fault.IsNone)
            fault = TryEnlarge(_tableBits, TableBitsBytes(wanted), used >> _order, out tableBits);
        if (fault.IsNone)
            fault = TryEnlarge(_isDirty, wanted / PageBytes, used / PageBytes, out isDirty);
        if (fault.IsFault)
        {
            counts?.Dispose();
            tableBits?.Dispose();
            return fault;
        }
        Dispose();
        (_counts, _tableBits, _isDirty, MemoryBytes) = (counts!, tableBits!, isDirty!, wanted);
        return Fault.None;
    }

    static unsafe Fault TryEnlarge(AlignedRegion from, ulong lengthBytes, ulong usedBytes, out AlignedRegion? made)
    {
        Fault fault = AlignedRegion.TryMap(lengthBytes, RegionResidency.Lazy, out made);
        if (fault.IsNone)
            // SAFETY: both are at least so long, and nobody else's.
            Buffer.MemoryCopy(from.Pointer, made!.Pointer, made.LengthBytes, Math.Min(usedBytes, from.LengthBytes));
        return fault;
    }

    public bool HasBlock(ulong number) => number < (ulong)_slots.Length && _slots[number] >= 0;

    /// <summary>Takes a block in, whose content the caller fills in.</summary>
    /// <param name="number">Which; it has none yet.</param>
    /// <param name="hostBytes">Where it lies.</param>
    public Span<byte> AddBlock(int number, ulong hostBytes)
    {
        Check.That(!IsFull && _slots[number] < 0);
        _slots[number] = _offsets.Count;
        _offsets.Add(hostBytes);
        return _counts.Slice((ulong)_slots[number] << _clusterBits, 1 << _clusterBits);
    }

    /// <summary>The table has become longer.</summary>
    public void Lengthen(int tableCount)
    {
        int before = _slots.Length;
        Array.Resize(ref _slots, tableCount);
        Array.Fill(_slots, -1, before, tableCount - before);
    }

    /// <summary>Where a block lies; 0: nowhere.</summary>
    public ulong OffsetOf(int number) => _slots[number] < 0 ? 0 : _offsets[_slots[number]];

    public ulong Get(ulong cluster) =>
        HasBlock(cluster >> BlockBits)
            ? Get(_counts.Slice(ByteOf(cluster), Math.Max(1 << _order >> 3, 1)), _order, cluster)
            : 0;

    /// <summary>The first cluster from one on that is not counted as used. Behind the end of a file there may be many
    /// that are: after so many of them the next is the answer, whatever it is.</summary>
    public ulong PassUsed(ulong cluster)
    {
        ulong end = cluster + PassedMax;
        while (cluster < end && Get(cluster) != 0)
            cluster++;
        return cluster;
    }

    /// <summary>A cluster of a block that is there; its page is dirty from here on.</summary>
    public void Set(ulong cluster, ulong count)
    {
        ulong at = ByteOf(cluster);
        Set(_counts.Slice(at, Math.Max(1 << _order >> 3, 1)), _order, cluster, count);
        ref byte isDirty = ref _isDirty.Slice(at / PageBytes, 1)[0];
        if (isDirty != 0)
            return;
        isDirty = 1;
        _dirty.Enqueue((uint)(at / PageBytes));
    }

    /// <summary>One that somebody has changed; it counts as written.</summary>
    public bool TryTakeDirty(Span<byte> page, out ulong hostBytes)
    {
        hostBytes = 0;
        if (!_dirty.TryDequeue(out uint number))
            return false;
        ulong at = (ulong)number * PageBytes;
        _isDirty.Slice(number, 1)[0] = 0;
        _counts.Slice(at, (int)PageBytes).CopyTo(page);
        hostBytes = _offsets[(int)(at >> _clusterBits)] + (at & (1UL << _clusterBits) - 1);
        return true;
    }

    /// <summary>It holds tables of the image.</summary>
    public bool IsTable(ulong cluster) =>
        HasBlock(cluster >> BlockBits) && (TableByte(cluster, out int bit) >> bit & 1) != 0;

    /// <summary>Of a cluster that is counted.</summary>
    public void SetTable(ulong cluster, bool isTable)
    {
        ref byte bits = ref TableByte(cluster, out int bit);
        bits = (byte)(isTable ? bits | 1 << bit : bits & ~(1 << bit));
    }

    ref byte TableByte(ulong cluster, out int bit)
    {
        ulong place = PlaceOf(cluster);
        bit = (int)(place & 7);
        return ref _tableBits.Slice(place >> 3, 1)[0];
    }

    ulong PlaceOf(ulong cluster) =>
        ((ulong)_slots[cluster >> BlockBits] << BlockBits) + (cluster & (1UL << BlockBits) - 1);

    ulong ByteOf(ulong cluster) => PlaceOf(cluster) << _order >> 3;

    /// <param name="bytes">Of the count; of small ones the byte that it is in.</param>
    /// <param name="order">It has 2^this bits.</param>
    /// <param name="cluster">Whose; of small ones the first is in the lowest bits.</param>
    public static ulong Get(ReadOnlySpan<byte> bytes, int order, ulong cluster) =>
        order switch
        {
            3 => bytes[0],
            4 => BinaryPrimitives.ReadUInt16BigEndian(bytes),
            5 => BinaryPrimitives.ReadUInt32BigEndian(bytes),
            6 => BinaryPrimitives.ReadUInt64BigEndian(bytes),
            _ => (ulong)(bytes[0] >> Shift(order, cluster) & (1 << (1 << order)) - 1),
        };

    /// <summary>As Get.</summary>
    public static void Set(Span<byte> bytes, int order, ulong cluster, ulong count)
    {
        switch (order)
        {
            case 3:
                bytes[0] = (byte)count;
                break;
            case 4:
                BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)count);
                break;
            case 5:
                BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)count);
                break;
            case 6:
                BinaryPrimitives.WriteUInt64BigEndian(bytes, count);
                break;
            default:
                int mask = (1 << (1 << order)) - 1 << Shift(order, cluster);
                bytes[0] = (byte)(bytes[0] & ~mask | (int)count << Shift(order, cluster));
                break;
        }
    }

    static int Shift(int order, ulong cluster) => (int)(cluster << order & 7);

    public void Dispose()
    {
        _counts.Dispose();
        _tableBits.Dispose();
        _isDirty.Dispose();
    }
}
