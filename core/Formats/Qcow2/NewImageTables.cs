// The tables of a new image, cluster by cluster in the order in which they lie in the file behind the data: L2
// tables that have something in them, the L1 table, blocks of reference counts, their table. Each is made from the map
// of the disk when it is asked for.
using System;
using System.Buffers.Binary;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class NewImageTables
{
    readonly NewImageShape _shape;
    readonly NewImageMap _map;
    readonly ulong _first; // cluster of the file, where data ends
    readonly ulong _l2Count;
    readonly ulong _blockCount;
    readonly ulong _tableClusters;
    ulong _scanned; // L2 tables of the disk that were looked at

    /// <param name="shape">Of the image.</param>
    /// <param name="map">Stays as it is from here.</param>
    public NewImageTables(NewImageShape shape, NewImageMap map)
    {
        (_shape, _map, _first) = (shape, map, map.EndCluster);
        foreach (bool has in map.HasSome)
            _l2Count += has ? 1u : 0;
        ulong used = _first + _l2Count + shape.L1Clusters;
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
        ImageHeader.Fill(
            bytes,
            _shape.Header,
            (Offset(L1Cluster), (uint)_shape.TableCount),
            (Offset(RefcountCluster), (uint)_tableClusters)
        );
    }

    static ulong Offset(ulong cluster) => cluster << NewImageShape.ClusterBits;

    void FillL2(Span<byte> bytes)
    {
        while (!_map.HasSome[(int)_scanned])
            _scanned++;
        ulong first = _scanned++ * NewImageShape.EntriesATable;
        ulong count = Math.Min(NewImageShape.EntriesATable, _map.ClusterCount - first);
        for (ulong i = 0; i < count; i++)
            BinaryPrimitives.WriteUInt64BigEndian(bytes[((int)i * sizeof(ulong))..], _map.Entry(first + i));
    }

    void FillL1(ulong firstTable, Span<byte> bytes)
    {
        ulong cluster = _first;
        for (ulong table = 0; table < firstTable; table++)
            cluster += _map.HasSome[(int)table] ? 1u : 0;
        for (ulong i = 0; i < NewImageShape.EntriesATable && firstTable + i < _shape.TableCount; i++)
            if (_map.HasSome[(int)(firstTable + i)])
                WriteUsed(bytes, i, cluster++);
    }

    static void WriteUsed(Span<byte> bytes, ulong index, ulong cluster) =>
        BinaryPrimitives.WriteUInt64BigEndian(
            bytes[(int)(index * sizeof(ulong))..],
            Offset(cluster) | EntryReader.Copied
        );

    void FillCounts(ulong firstCluster, Span<byte> bytes)
    {
        for (int i = 0; i < bytes.Length && firstCluster + (ulong)i / sizeof(ushort) < EndCluster; i += sizeof(ushort))
        {
            ulong cluster = firstCluster + (ulong)i / sizeof(ushort);
            BinaryPrimitives.WriteUInt16BigEndian(bytes[i..], cluster < _first ? _map.Count(cluster) : (ushort)1);
        }
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
