// The reference counts of an image as its file has them: a table of blocks, each a cluster of counts of 1 to 64 bits.
// Reads one block at a time. Source: QEMU docs/interop/qcow2.rst, "Host cluster management".
using System;
using System.Buffers.Binary;
using FastBackup.Base;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: one.</summary>
sealed class RefcountReader
{
    readonly IImageReader _reader;
    readonly Qcow2Header _header;
    readonly int _blockBits; // counts in a block, as a power of two
    readonly byte[] _block;
    readonly ulong[] _table;
    ulong _blockNumber = ulong.MaxValue;
    bool _isEmpty;

    /// <param name="reader">Of the file, which has the whole table.</param>
    /// <param name="header">Its own.</param>
    /// <param name="fault">Of the table.</param>
    public RefcountReader(IImageReader reader, Qcow2Header header, out Fault fault)
    {
        (_reader, _header) = (reader, header);
        _blockBits = header.ClusterBits + 3 - header.RefcountOrder;
        _block = new byte[header.ClusterBytes];
        byte[] table = new byte[(ulong)header.RefcountTableClusters << header.ClusterBits];
        fault = reader.Read(header.RefcountTableOffsetBytes, table);
        _table = new ulong[table.Length / sizeof(ulong)];
        for (int i = 0; i < _table.Length; i++)
            _table[i] = BinaryPrimitives.ReadUInt64BigEndian(table.AsSpan(i * sizeof(ulong)));
    }

    /// <summary>Where the blocks lie; 0: nothing is counted there.</summary>
    public ReadOnlySpan<ulong> Blocks => _table;

    /// <summary>How often a cluster is counted as used.</summary>
    /// <param name="cluster">Of the file.</param>
    /// <param name="count">0 where nothing is counted.</param>
    /// <returns>A fault of the storage.</returns>
    public Fault TryGet(ulong cluster, out ulong count)
    {
        count = 0;
        ulong number = cluster >> _blockBits;
        if (number >= (ulong)_table.Length)
            return Fault.None;
        if (number != _blockNumber)
        {
            ulong offset = _table[number];
            _isEmpty =
                offset == 0
                || !Units.IsAligned(offset, _header.ClusterBytes)
                || !new Extent(offset, _header.ClusterBytes).IsWithin(_reader.SizeBytes);
            Fault fault = _isEmpty ? Fault.None : _reader.Read(offset, _block);
            if (fault.IsFault)
                return fault;
            _blockNumber = number;
        }
        if (!_isEmpty)
            count = Get(cluster & (1UL << _blockBits) - 1);
        return Fault.None;
    }

    ulong Get(ulong index)
    {
        int order = _header.RefcountOrder;
        if (order >= 3)
        {
            ReadOnlySpan<byte> bytes = _block.AsSpan((int)(index << order - 3));
            return order switch
            {
                3 => bytes[0],
                4 => BinaryPrimitives.ReadUInt16BigEndian(bytes),
                5 => BinaryPrimitives.ReadUInt32BigEndian(bytes),
                _ => BinaryPrimitives.ReadUInt64BigEndian(bytes),
            };
        }
        int shift = (int)(index << order & 7); // the first count is in the lowest bits
        return (ulong)(_block[index << order >> 3] >> shift & (1 << (1 << order)) - 1);
    }
}
