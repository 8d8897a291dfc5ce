// The tables of a new image, cluster by cluster in the order in which they lie in the file behind the data: L2
// tables that have something in them, the L1 table, blocks of reference counts, their table. Each is made from the map
// of the disk when it is asked for.
using System;
using System.Buffers.Binary;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class NewImageTables
{
    const ulong UsedOnce = 1UL << 63;
    const int HeaderBytes = 104;

    readonly NewImageShape _shape;
    readonly NativeArray<uint> _map;
    readonly bool[] _hasSome;
    readonly ulong _first; // cluster of the file
    readonly ulong _l2Count;
    readonly ulong _blockCount;
    readonly ulong _tableClusters;
    ulong _scanned; // L2 tables of the disk that were looked at

    /// <param name="shape">Of the image.</param>
    /// <param name="map">For each cluster of the disk where it lies, in clusters of the file; 0: nowhere.</param>
    /// <param name="hasSome">Of each L2 table of the disk whether there is something in it.</param>
    /// <param name="firstCluster">Where data ends.</param>
    public NewImageTables(NewImageShape shape, NativeArray<uint> map, bool[] hasSome, ulong firstCluster)
    {
        (_shape, _map, _hasSome, _first) = (shape, map, hasSome, firstCluster);
        foreach (bool has in hasSome)
            _l2Count += has ? 1u : 0;
        ulong used = firstCluster + _l2Count + shape.L1Clusters;
        EndCluster = NewImageShape.EndCluster(used, out _blockCount, out _tableClusters);
    }

    /// <summary>Where the file ends.</summary>
    public ulong EndCluster { get; }

    ulong L1Cluster => _first + _l2Count;

    ulong BlocksCluster => L1Cluster + _shape.L1Clusters;

    ulong RefcountCluster => BlocksCluster + _blockCount;

    /// <summary>Fills a cluster in. From the first one on, each once.</summary>
    /// <param name="cluster">Of the file, behind the data.</param>
    /// <param name="bytes">Of a cluster.</param>
    public void Fill(ulong cluster, Span<byte> bytes)
    {
        bytes.Clear();
        if (cluster < L1Cluster)
            FillL2(bytes);
        else if (cluster < BlocksCluster)
            FillL1((cluster - L1Cluster) * NewImageShape.EntriesATable, bytes);
        else if (cluster < RefcountCluster)
            FillCounts((cluster - BlocksCluster) * (NewImageShape.ClusterBytes / sizeof(ushort)), bytes);
        else
            FillRefcountTable((cluster - RefcountCluster) * NewImageShape.EntriesATable, bytes);
    }

    /// <summary>The header, which makes an image of it all.</summary>
    public void FillHeader(Span<byte> bytes)
    {
        bytes.Clear();
        BinaryPrimitives.WriteUInt32BigEndian(bytes, 0x514649fb);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], 3);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[20..], NewImageShape.ClusterBits);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[24..], _shape.SizeBytes);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[36..], (uint)_shape.TableCount);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[40..], Offset(L1Cluster));
        BinaryPrimitives.WriteUInt64BigEndian(bytes[48..], Offset(RefcountCluster));
        BinaryPrimitives.WriteUInt32BigEndian(bytes[56..], (uint)_tableClusters);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[96..], 4); // counts of 16 bits
        BinaryPrimitives.WriteUInt32BigEndian(bytes[100..], HeaderBytes);
    }

    static ulong Offset(ulong cluster) => cluster << NewImageShape.ClusterBits;

    unsafe ReadOnlySpan<uint> Entries(ulong table)
    {
        ulong first = table * NewImageShape.EntriesATable;
        ulong count = Math.Min(NewImageShape.EntriesATable, _map.Count - first);
        // SAFETY: within the array, which outlives this object.
        return new ReadOnlySpan<uint>(_map.Pointer + first, (int)count);
    }

    void FillL2(Span<byte> bytes)
    {
        while (!_hasSome[_scanned])
            _scanned++;
        ReadOnlySpan<uint> entries = Entries(_scanned++);
        for (int i = 0; i < entries.Length; i++)
            if (entries[i] != 0)
                BinaryPrimitives.WriteUInt64BigEndian(bytes[(i * sizeof(ulong))..], Offset(entries[i]) | UsedOnce);
    }

    void FillL1(ulong firstTable, Span<byte> bytes)
    {
        ulong cluster = _first;
        for (ulong table = 0; table < firstTable; table++)
            cluster += _hasSome[table] ? 1u : 0;
        for (ulong i = 0; i < NewImageShape.EntriesATable && firstTable + i < _shape.TableCount; i++)
            if (_hasSome[firstTable + i])
                BinaryPrimitives.WriteUInt64BigEndian(bytes[(int)(i * sizeof(ulong))..], Offset(cluster++) | UsedOnce);
    }

    void FillCounts(ulong firstCluster, Span<byte> bytes)
    {
        for (int i = 0; i < bytes.Length && firstCluster + (ulong)i / 2 < EndCluster; i += sizeof(ushort))
            bytes[i + 1] = 1;
    }

    void FillRefcountTable(ulong firstBlock, Span<byte> bytes)
    {
        for (ulong i = 0; i < NewImageShape.EntriesATable && firstBlock + i < _blockCount; i++)
            BinaryPrimitives.WriteUInt64BigEndian(
                bytes[(int)(i * sizeof(ulong))..],
                Offset(BlocksCluster + firstBlock + i)
            );
    }
}
