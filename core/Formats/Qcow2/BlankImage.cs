// An empty image, written to a file that has nothing: what qemu-img create makes, by the same options. In the file lie
// the header, the table of reference counts and its blocks, the L1 table; and where every cluster has a place from the
// start, L2 tables and behind them room for the data, a hole that reads as zero.
//
// The header comes last, behind a flush: a creation that ends before leaves no image to any program.
// Memory: a MiB or a cluster. Cost: a write each MiB of tables. Does not look at what the image is based on.
// Source: QEMU docs/interop/qcow2.rst.
using System;
using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using FastBackup.Base;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: one, that may wait. Used once.</summary>
public sealed class BlankImage
{
    const ulong L1BytesMax = 32 * Units.MiB;
    const ulong PieceBytes = Units.MiB;
    const ulong HeadBytes = 4096;

    readonly BlankImageOptions _options;
    readonly ulong _clusterBytes;
    readonly int _order;
    readonly ulong _l1Count;
    readonly ulong _l1Clusters;
    readonly ulong _entriesATable;
    readonly ulong _dataClusters; // of the disk
    readonly bool _hasEntries;
    ulong _tableClusters; // of reference counts
    ulong _blockCount;

    BlankImage(BlankImageOptions options)
    {
        (_options, _clusterBytes) = (options, options.ClusterBytes);
        _order = BitOperations.Log2(options.RefcountBits);
        _entriesATable = _clusterBytes / (options.HasSubclusters ? 16u : 8u);
        _dataClusters = Units.DivCeil(options.SizeBytes, _clusterBytes);
        _l1Count = Units.DivCeil(_dataClusters, _entriesATable);
        _l1Clusters = Units.DivCeil(_l1Count * sizeof(ulong), _clusterBytes);
        _hasEntries = options.IsPreallocated || options.IsDataFileRaw;
        Count();
    }

    ulong BlocksCluster => 1 + _tableClusters;

    ulong L1Cluster => BlocksCluster + _blockCount;

    ulong L2Cluster => L1Cluster + _l1Clusters;

    ulong DataCluster => L2Cluster + (_hasEntries ? _l1Count : 0);

    ulong EndCluster => DataCluster + (_options.IsPreallocated && _options.DataFileName == null ? _dataClusters : 0);

    ulong CountsABlock => _clusterBytes * 8 >> _order;

    /// <param name="options">Of the image.</param>
    /// <param name="image">Null where there is a refusal.</param>
    /// <returns>Null, or why there is no such image: a sentence.</returns>
    public static string? TryPlan(BlankImageOptions options, out BlankImage? image)
    {
        image = null;
        if (Refusal(options) is { } refusal)
            return refusal;
        BlankImage made = new(options);
        if (made._l1Count * sizeof(ulong) > L1BytesMax)
            return Text($"a disk of {options.SizeBytes} bytes takes larger clusters than {options.ClusterBytes} bytes");
        if (made._tableClusters * options.ClusterBytes > HeaderParser.RefcountTableBytesMax)
            return "so many clusters cannot be counted: take larger ones, or no preallocation";
        ulong nameBytes = options.Version == 2 ? 72u : 112u;
        foreach (string? name in (string?[])[options.BackingFormat, options.DataFileName, options.BackingName])
            nameBytes += name == null ? 0 : 16 + (ulong)System.Text.Encoding.UTF8.GetByteCount(name);
        if (nameBytes + 8 > options.ClusterBytes)
            return Text($"the names of other files do not fit into a cluster of {options.ClusterBytes} bytes");
        image = made;
        return null;
    }

    static string? Refusal(BlankImageOptions options)
    {
        if (!Units.IsAligned(options.SizeBytes, 512) || options.SizeBytes > long.MaxValue)
            return Text($"an image holds whole sectors of 512 bytes, not {options.SizeBytes} bytes");
        if (!BitOperations.IsPow2(options.ClusterBytes) || options.ClusterBytes is < 512 or > 2 * Units.MiB)
            return Text($"a cluster is a power of two from 512 bytes to 2 MiB, not {options.ClusterBytes} bytes");
        if (!BitOperations.IsPow2(options.RefcountBits) || options.RefcountBits > 64)
            return Text($"a reference count has a power of two of bits, up to 64, not {options.RefcountBits}");
        bool isNew =
            options.HasSubclusters
            || options.IsLazy
            || options.RefcountBits != 16
            || options.DataFileName != null
            || options.Compression != Qcow2Compression.Zlib;
        if (options.Version == 2 && isNew)
            return "version v2 has clusters without parts, counts of 16 bits, zlib, and its data in itself; take v3";
        if (options.HasSubclusters && options.ClusterBytes < 16 * Units.KiB)
            return Text($"extended-l2 takes clusters of 16 KiB at least, not {options.ClusterBytes} bytes");
        if (options.IsDataFileRaw && options.DataFileName == null)
            return "data-file-raw is about a data-file";
        return (options.IsPreallocated || options.IsDataFileRaw) && options.BackingName != null
            ? "an image whose clusters all have places shows nothing of a backing-file: take the one or the other"
            : null;
    }

    void Count()
    {
        while (true)
        {
            ulong blocks = Units.DivCeil(EndCluster, CountsABlock);
            ulong tables = Math.Max(1, Units.DivCeil(blocks * sizeof(ulong), _clusterBytes));
            if (blocks == _blockCount && tables == _tableClusters)
                return;
            (_blockCount, _tableClusters) = (blocks, tables);
        }
    }

    /// <summary>Writes it, durably.</summary>
    /// <param name="file">Has nothing.</param>
    /// <returns>None, or what the storage has answered: then it is no image.</returns>
    public Fault Write(IImageFile file)
    {
        ulong pieceBytes = Math.Max(PieceBytes, _clusterBytes);
        ulong tablesEnd = Units.AlignUp(DataCluster * _clusterBytes, HeadBytes);
        byte[] piece = new byte[Math.Min(pieceBytes, tablesEnd)];
        Fault fault = Fault.None;
        for (ulong at = 0; at < tablesEnd && fault.IsNone; at += (ulong)piece.Length)
        {
            int length = (int)Math.Min((ulong)piece.Length, tablesEnd - at);
            Fill(at, piece.AsSpan(0, length), hasHeader: false);
            fault = file.Write(at, piece.AsSpan(0, length));
        }
        ulong endBytes = Units.AlignUp(EndCluster * _clusterBytes, HeadBytes);
        if (fault.IsNone && endBytes > tablesEnd)
            fault = file.Write(endBytes - HeadBytes, new byte[HeadBytes]);
        if (fault.IsNone)
            fault = file.Flush();
        byte[] head = new byte[Math.Max(_clusterBytes, HeadBytes)];
        Fill(0, head, hasHeader: true);
        if (fault.IsNone)
            fault = file.Write(0, head.AsSpan(0, (int)Math.Min((ulong)head.Length, tablesEnd)));
        return fault.IsNone ? file.Flush() : fault;
    }

    /// <summary>Bytes of the file, from a cluster's start on, to the end of the tables at most.</summary>
    void Fill(ulong offsetBytes, Span<byte> bytes, bool hasHeader)
    {
        bytes.Clear();
        for (int at = 0; at < bytes.Length; at += (int)_clusterBytes)
        {
            ulong cluster = (offsetBytes + (ulong)at) / _clusterBytes;
            Span<byte> one = bytes[at..Math.Min(bytes.Length, at + (int)_clusterBytes)];
            if (cluster == 0 && hasHeader)
                ImageHeader.Fill(
                    one,
                    _options,
                    (L1Cluster * _clusterBytes, (uint)_l1Count),
                    (_clusterBytes, (uint)_tableClusters)
                );
            else if (cluster >= 1 && cluster < BlocksCluster)
                FillPlaces(one, (cluster - 1) * (_clusterBytes / 8), _blockCount, BlocksCluster, 0);
            else if (cluster >= BlocksCluster && cluster < L1Cluster)
                FillCounts(one, (cluster - BlocksCluster) * CountsABlock);
            else if (cluster >= L1Cluster && cluster < L2Cluster && _hasEntries)
                FillPlaces(one, (cluster - L1Cluster) * (_clusterBytes / 8), _l1Count, L2Cluster, EntryReader.Copied);
            else if (cluster >= L2Cluster && cluster < DataCluster)
                FillEntries(one, (cluster - L2Cluster) * _entriesATable);
        }
    }

    void FillPlaces(Span<byte> bytes, ulong first, ulong count, ulong cluster, ulong flags)
    {
        for (ulong i = 0; i < _clusterBytes / 8 && first + i < count; i++)
            BinaryPrimitives.WriteUInt64BigEndian(bytes[((int)i * 8)..], (cluster + first + i) * _clusterBytes | flags);
    }

    void FillCounts(Span<byte> bytes, ulong first)
    {
        for (ulong i = 0; i < CountsABlock && first + i < EndCluster; i++)
            RefcountMap.Set(bytes[(int)(i << _order >> 3)..], _order, first + i, 1);
    }

    void FillEntries(Span<byte> bytes, ulong first)
    {
        int entryBytes = _options.HasSubclusters ? 16 : 8;
        ulong start = _options.DataFileName == null ? DataCluster : 0;
        for (ulong i = 0; i < _entriesATable && first + i < _dataClusters; i++)
        {
            Span<byte> entry = bytes[((int)i * entryBytes)..];
            BinaryPrimitives.WriteUInt64BigEndian(entry, (start + first + i) * _clusterBytes | EntryReader.Copied);
            if (_options.HasSubclusters)
                BinaryPrimitives.WriteUInt64BigEndian(entry[8..], uint.MaxValue);
        }
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
