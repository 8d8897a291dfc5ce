// Places for bitmaps in the file of an image that nobody writes to: clusters that are free, and a longer file when
// there are none. The counts change in memory; WriteCounts makes them durable, before anything refers to what they
// count and again after nothing refers to what was given back. What makes a longer file counted is durable at once, in
// the order of FileGrowth: blocks before the table that names them, that before the header.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using FastBackup.Base;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: one, that may wait.</summary>
sealed class BitmapSpace
{
    readonly IImageFile _file;
    readonly Qcow2Header _header;
    readonly WritableParts _parts;
    readonly ClusterAllocator _allocator;
    readonly List<(ulong First, ulong Count)> _spare = []; // taken, and too short for what was wanted
    byte[] _table;
    ulong _tableOffset;

    /// <param name="file">Of the image.</param>
    /// <param name="header">Its own.</param>
    /// <param name="parts">As they are in the file.</param>
    public BitmapSpace(IImageFile file, Qcow2Header header, WritableParts parts)
    {
        (_file, _header, _parts) = (file, header, parts);
        ulong end = parts.CanGrow
            ? Units.DivCeil(file.SizeBytes, header.ClusterBytes)
            : file.SizeBytes >> header.ClusterBits;
        _allocator = new ClusterAllocator(parts.Counts, end, isFreshBehind: false);
        _table = parts.RefcountTable.Slice(0, (int)parts.RefcountTable.LengthBytes).ToArray();
        _tableOffset = header.RefcountTableOffsetBytes;
    }

    RefcountMap Counts => _parts.Counts;

    /// <summary>Clusters that lie together.</summary>
    /// <param name="count">So many.</param>
    /// <param name="offsetBytes">Where.</param>
    /// <returns>None, or why there are none: NoSpace where nothing more can be counted.</returns>
    public Fault TryTake(ulong count, out ulong offsetBytes)
    {
        int found = _spare.FindIndex(one => one.Count >= count);
        while (found < 0)
        {
            offsetBytes = 0;
            Fault fault = _allocator.FreeCount > 0 ? Fault.None : Grow(count);
            if (fault.IsFault)
                return fault;
            if (!_allocator.TryTake((uint)count, out ulong first, out uint taken, out _))
                continue;
            bool isNext = _spare.Count > 0 && _spare[^1] is var last && last.First + last.Count == first;
            if (isNext)
                _spare[^1] = (_spare[^1].First, _spare[^1].Count + taken);
            else
                _spare.Add((first, taken));
            found = _spare[^1].Count >= count ? _spare.Count - 1 : -1;
        }
        (ulong begin, ulong length) = _spare[found];
        offsetBytes = begin << _header.ClusterBits;
        if (length == count)
            _spare.RemoveAt(found);
        else
            _spare[found] = (begin + count, length - count);
        return Fault.None;
    }

    /// <summary>What was taken and is not needed.</summary>
    public void GiveBackSpare()
    {
        foreach ((ulong first, ulong count) in _spare)
            for (ulong cluster = first; cluster < first + count; cluster++)
                _allocator.Release(cluster);
        _spare.Clear();
    }

    /// <summary>Nothing on the disk refers to it any more.</summary>
    /// <param name="offsetBytes">Of its first cluster.</param>
    /// <param name="lengthBytes">Of all of them, in bytes that are used.</param>
    public void Release(ulong offsetBytes, ulong lengthBytes)
    {
        for (ulong at = 0; at < lengthBytes; at += _header.ClusterBytes)
            _allocator.Release((offsetBytes + at) >> _header.ClusterBits);
    }

    /// <summary>All counts that have changed, durably.</summary>
    public Fault WriteCounts()
    {
        byte[] page = new byte[Counts.PageBytes];
        while (Counts.TryTakeDirty(page, out ulong hostBytes))
            if (_file.Write(hostBytes, page) is { IsFault: true } fault)
                return fault;
        return _file.Flush();
    }

    /// <summary>The file becomes longer by what is wanted, as far as blocks for it can be made.</summary>
    Fault Grow(ulong wanted)
    {
        if (!_parts.CanGrow)
            return new Fault(FaultKind.NoSpace, Errnos.ENOSPC);
        ulong end = Counts.PassUsed(_allocator.EndCluster);
        ulong block = end >> Counts.BlockBits;
        Fault fault = Fault.None;
        if (block >= (ulong)Counts.TableCount)
            fault = LengthenTable(ref end);
        else if (!Counts.HasBlock(block))
            fault = AddBlocks(block, BlocksFor(block, end, wanted), ref end);
        if (fault.IsFault)
            return fault;
        ulong counted = end >> Counts.BlockBits;
        while (Counts.HasBlock(counted))
            counted++;
        ulong newEnd = Math.Min(counted << Counts.BlockBits, end + wanted);
        byte[] zeroes = new byte[Counts.PageBytes];
        fault = _file.Write((newEnd << _header.ClusterBits) - (ulong)zeroes.Length, zeroes);
        if (fault.IsNone)
            _allocator.Open(newEnd);
        return fault;
    }

    /// <summary>So many that what is wanted lies together behind them, as far as the table has room for them.</summary>
    uint BlocksFor(ulong block, ulong end, ulong wanted)
    {
        uint count = 1;
        while (IsNext(block + count) && block + count << Counts.BlockBits < end + count + wanted)
            count++;
        return count;
    }

    /// <summary>The table has room for a block, and has it not; an image may have one for what is far behind its end.
    /// </summary>
    bool IsNext(ulong block) => block < (ulong)Counts.TableCount && !Counts.HasBlock(block);

    /// <summary>Blocks at the end of the file, which count themselves; named by the table as it is.</summary>
    Fault AddBlocks(ulong block, uint count, ref ulong end, bool isNamed = true)
    {
        for (uint i = 0; i < count; i++)
        {
            if (Counts.IsFull)
                return new Fault(FaultKind.NoSpace, Errnos.ENOSPC);
            ulong offset = (end + i) << _header.ClusterBits;
            Counts.AddBlock((int)(block + i), offset).Clear();
            BinaryPrimitives.WriteUInt64BigEndian(_table.AsSpan((int)(block + i) * 8), offset);
        }
        for (uint i = 0; i < count; i++)
        {
            Counts.Set(end + i, 1);
            Counts.SetTable(end + i, isTable: true);
        }
        Fault fault = Fault.None;
        for (uint i = 0; i < count && fault.IsNone; i++)
            fault = _file.Write((end + i) << _header.ClusterBits, new byte[_header.ClusterBytes]);
        if (fault.IsNone)
            fault = WriteCounts();
        ulong at = Units.AlignDown(block * 8, Counts.PageBytes);
        ulong bytes = Units.AlignUp((block + count) * 8, Counts.PageBytes) - at;
        if (fault.IsNone && isNamed)
            fault = _file.Write(_tableOffset + at, _table.AsSpan((int)at, (int)bytes));
        if (fault.IsNone && isNamed)
            fault = _file.Flush();
        end += count;
        return fault;
    }

    /// <summary>A table twice as long behind the end, with the blocks that count it and what follows.</summary>
    Fault LengthenTable(ref ulong end)
    {
        ulong tableBytes = (ulong)_table.Length * 2;
        ulong tableClusters = tableBytes >> _header.ClusterBits;
        ulong block = end >> Counts.BlockBits;
        uint blockCount = 1;
        while (block + blockCount << Counts.BlockBits < end + tableClusters + blockCount + 1)
            blockCount++;
        if (tableBytes > HeaderParser.RefcountTableBytesMax || (block + blockCount) * 8 > tableBytes)
            return new Fault(FaultKind.NoSpace, Errnos.ENOSPC);
        (ulong oldOffset, ulong oldBytes) = (_tableOffset, (ulong)_table.Length);
        Array.Resize(ref _table, (int)tableBytes);
        Counts.Lengthen((int)(tableBytes / 8));
        Fault fault = AddBlocks(block, blockCount, ref end, isNamed: false);
        ulong place = end;
        for (ulong cluster = place; cluster < place + tableClusters && fault.IsNone; cluster++)
        {
            Counts.Set(cluster, 1);
            Counts.SetTable(cluster, isTable: true);
        }
        _tableOffset = place << _header.ClusterBits;
        if (fault.IsNone)
            fault = _file.Write(_tableOffset, _table);
        if (fault.IsNone)
            fault = WriteCounts();
        if (fault.IsNone)
            fault = NameTable(tableClusters);
        if (fault.IsFault)
            return fault;
        end += tableClusters;
        _allocator.Open(end);
        Release(oldOffset, oldBytes);
        return Fault.None;
    }

    /// <summary>One sector, which is there whole or not at all.</summary>
    Fault NameTable(ulong tableClusters)
    {
        _parts.SetRefcountTable(_tableOffset, tableClusters);
        Fault fault = _file.Write(0, _parts.Head.Slice(0, 512));
        return fault.IsNone ? _file.Flush() : fault;
    }
}
