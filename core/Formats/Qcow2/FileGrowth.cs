// Makes room in an image's file when what is free comes to its end: the file becomes longer, and counted. Done ahead
// where that can be, so that hardly a request waits for it; by steps of which every one may be the last.
//
//   longer       a page of zeroes at the new end; what is between reads as zero. Clusters behind the end that are
//                counted as used (a power cut can leave them) are passed over, however many they are
//   a block      of reference counts for clusters that have none: it lies in the first of them and counts itself. It is
//                durable before the table names it, and that is before a cluster of it is given away
//   the table    when it has no room for the block: a new one behind the end, twice as long, with the blocks that count
//                it; durable before the header names it (HeadWriting). The old one is free then
//   an area      clusters that lie together, for who asks for that: the last of the file, or behind the blocks that
//                they need
//
// A file that may not become longer (a block device) is counted as far as it goes.
// Memory: two clusters and the table; allocates for a longer table, and for blocks.
using System;
using System.Buffers.Binary;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class FileGrowth : IDisposable
{
    const ulong LowCount = 64;
    const uint BlocksPassedMax = 64; // that there are behind the end of the file already

    readonly IBlockDevice _file;
    readonly Qcow2Header _header;
    readonly WritableParts _parts;
    readonly ClusterAllocator _allocator;
    readonly FreedClusters _freed;
    readonly IImageOwner _owner;
    readonly HeadWriting _head;
    readonly FileSteps _steps;
    readonly AlignedRegion _zeroes;
    AlignedRegion _page; // of the table, on their way to the file
    AlignedRegion? _blocks; // being written
    AlignedRegion _table; // as in the file
    AlignedRegion? _longer; // that is to follow it
    ulong _tableHostBytes;
    ulong _nextEnd;
    ulong _nextBlock; // the first that is made now
    uint _nextBlockCount;
    ulong _blocksCluster; // where they lie
    ulong _nextTable; // the cluster where the longer table begins
    uint _area; // clusters that are wanted together
    ulong _areaFirst; // where they are, taken; 0: nowhere
    bool _isNaming;
    WaitList _waiting;

    /// <param name="image">Open for writing.</param>
    /// <param name="allocator">Is given what becomes free.</param>
    /// <param name="freed">Takes the old table.</param>
    /// <param name="head">Names the new one.</param>
    /// <param name="owner">Whose requests wait.</param>
    public FileGrowth(
        Qcow2Parts image,
        ClusterAllocator allocator,
        FreedClusters freed,
        HeadWriting head,
        IImageOwner owner
    )
    {
        (_file, _header, _parts) = (image.File, image.Header, image.Writable!);
        (_allocator, _freed, _head, _owner) = (allocator, freed, head, owner);
        _steps = new FileSteps(_file, OnEnd);
        _zeroes = AlignedRegion.Map(_parts.Counts.PageBytes, RegionResidency.Resident);
        _page = AlignedRegion.Map(_parts.Counts.PageBytes, RegionResidency.Resident);
        (_table, _tableHostBytes) = (_parts.RefcountTable, _header.RefcountTableOffsetBytes);
    }

    public bool IsRunning => _steps.IsRunning || _isNaming;

    /// <summary>To where it has made the file longer; 0: it has not.</summary>
    public ulong GrownBytes { get; private set; }

    /// <summary>The slot goes on when there is room.</summary>
    /// <returns>False: there will be none.</returns>
    public bool TryWait(Qcow2Slot slot)
    {
        if (!IsRunning && !TryStart())
            return false;
        _waiting.Add(slot);
        return true;
    }

    /// <summary>Begins ahead of need.</summary>
    public void StartIfLow()
    {
        if (_allocator.FreeCount < LowCount && !IsRunning && _parts.CanGrow)
            _ = TryStart();
    }

    /// <summary>Clusters that lie together; they count as used once. One who asks at a time.</summary>
    /// <param name="slot">Whose.</param>
    /// <param name="count">Of them.</param>
    /// <param name="first">The first of them.</param>
    /// <returns>False: the slot waits and asks again, or has failed.</returns>
    public bool TryTakeTogether(Qcow2Slot slot, uint count, out ulong first)
    {
        (first, _areaFirst) = (_areaFirst, 0);
        if (first != 0 || _allocator.TryTakeEnd(count, out first))
            return true;
        if (!_parts.CanGrow && _allocator.TryTakeTogether(count, out first))
            return true;
        if (IsRunning || TryStart(count))
            _waiting.Add(slot);
        else
            slot.Fault = new Fault(FaultKind.Io, Errnos.ENOSPC, slot.PositionBytes);
        return false;
    }

    /// <param name="area">Clusters that are wanted together; 0: any.</param>
    bool TryStart(uint area = 0)
    {
        RefcountMap counts = _parts.Counts;
        ulong end = counts.PassUsed(_allocator.EndCluster);
        (_nextBlockCount, _nextTable, _area) = (0, 0, 0);
        if (!_parts.CanGrow)
            return TryCountMore();
        ulong block = end >> counts.BlockBits;
        ulong blockEnd = (block + 1) << counts.BlockBits;
        ulong wanted = Math.Max(Math.Max(_parts.GrowthStepBytes >> _header.ClusterBits, 2), area + 1UL);
        _nextEnd = Math.Min(blockEnd, end + wanted);
        _area = area;
        if (block >= (ulong)counts.TableCount || _nextEnd - end <= area)
            return TryAddArea(end);
        if (!counts.HasBlock(block) && !TryAddBlocks(block, 1, end))
            return false;
        return TryRun();
    }

    /// <summary>A block for clusters that the file has, where there is none.</summary>
    bool TryCountMore()
    {
        ulong end = _allocator.EndCluster;
        ulong count = (ulong)_parts.Counts.TableCount;
        for (ulong block = 0; block < count && block << _parts.Counts.BlockBits < end; block++)
        {
            if (_parts.Counts.HasBlock(block))
                continue;
            _nextEnd = end;
            return TryAddBlocks(block, 1, Math.Max(block << _parts.Counts.BlockBits, 1)) && TryRun();
        }
        return false;
    }

    /// <summary>Blocks that follow each other, in clusters that do; they count themselves.</summary>
    bool TryAddBlocks(ulong block, uint count, ulong cluster)
    {
        RefcountMap counts = _parts.Counts;
        if (counts.RoomCount < count)
            return false;
        (_nextBlock, _nextBlockCount) = (block, count);
        _blocks?.Dispose();
        _blocks = AlignedRegion.Map((ulong)count << _header.ClusterBits, RegionResidency.Resident);
        for (uint i = 0; i < count; i++)
            Count(cluster + i);
        _blocksCluster = cluster;
        for (uint i = 0; i < count; i++)
            BinaryPrimitives.WriteUInt64BigEndian(
                TableEntry(_longer ?? _table, block + i),
                (cluster + i) << _header.ClusterBits
            );
        return true;
    }

    static Span<byte> TableEntry(AlignedRegion table, ulong block) => table.Slice(block * 8, 8);

    /// <summary>A cluster is used once, in the blocks that are made.</summary>
    void Count(ulong cluster)
    {
        ulong place = cluster - (_nextBlock << _parts.Counts.BlockBits);
        int order = _header.RefcountOrder;
        RefcountMap.Set(_blocks!.Slice(place << order >> 3, Math.Max(1 << order >> 3, 1)), order, cluster, 1);
    }

    /// <summary>Blocks, a table that has room for them, and what is wanted together, behind the end.</summary>
    /// <param name="end">Of the file.</param>
    bool TryAddArea(ulong end)
    {
        RefcountMap counts = _parts.Counts;
        ulong block = end >> counts.BlockBits;
        for (uint passed = 0; counts.HasBlock(block); passed++)
        {
            end = ++block << counts.BlockBits; // what is between is free
            if (passed == BlocksPassedMax)
                return false;
        }
        (ulong tableBytes, ulong tableClusters) = (_table.LengthBytes, 0);
        ulong least = Math.Max(_area, 1);
        uint blockCount = 1;
        while (true)
        {
            while (block + blockCount << counts.BlockBits < end + tableClusters + blockCount + least)
                if (counts.HasBlock(block + blockCount++))
                    return false;
            if ((block + blockCount) * 8 <= tableBytes)
                break;
            tableBytes *= 2;
            tableClusters = tableBytes >> _header.ClusterBits;
            if (tableBytes > HeaderParser.RefcountTableBytesMax)
                return false;
        }
        if (counts.RoomCount < blockCount)
            return false;
        if (tableClusters > 0)
        {
            _longer = AlignedRegion.Map(tableBytes, RegionResidency.Resident);
            _table.Slice(0, (int)_table.LengthBytes).CopyTo(_longer.Slice(0, (int)_table.LengthBytes));
            _nextTable = end + blockCount;
        }
        Check.That(TryAddBlocks(block, blockCount, end));
        for (ulong cluster = _nextTable; cluster < _nextTable + tableClusters; cluster++)
            Count(cluster);
        ulong counted = (block + blockCount) << counts.BlockBits;
        ulong wanted = Math.Max(_parts.GrowthStepBytes >> _header.ClusterBits, blockCount + tableClusters + least);
        _nextEnd = Math.Min(counted, end + wanted);
        return TryRun();
    }

    bool TryRun()
    {
        ulong endBytes = _nextEnd << _header.ClusterBits;
        bool isLonger = _nextEnd > _allocator.EndCluster;
        if (isLonger && _file.Limits.CapacityBytes < endBytes && _file.Grow(endBytes).IsFault)
        {
            for (uint i = 0; i < _nextBlockCount; i++)
                TableEntry(_longer ?? _table, _nextBlock + i).Clear();
            _longer?.Dispose();
            _longer = null;
            return false;
        }
        if (isLonger)
            _steps.AddWrite(endBytes - _zeroes.LengthBytes, _zeroes.Start, _zeroes.LengthBytes);
        if (_nextBlockCount > 0)
            _steps.AddWrite(_blocksCluster << _header.ClusterBits, _blocks!.Start, _blocks.LengthBytes);
        if (_nextTable != 0)
        {
            _steps.AddWrite(_nextTable << _header.ClusterBits, _longer!.Start, _longer.LengthBytes);
            _steps.AddFlush();
        }
        else if (_nextBlockCount > 0)
        {
            _steps.AddFlush();
            ulong at = Units.AlignDown(_nextBlock * 8, _zeroes.LengthBytes);
            ulong bytes = Units.AlignUp((_nextBlock + _nextBlockCount) * 8, _zeroes.LengthBytes) - at;
            if (bytes > _page.LengthBytes)
            {
                _page.Dispose();
                _page = AlignedRegion.Map(bytes, RegionResidency.Resident);
            }
            _table.Slice(at, (int)bytes).CopyTo(_page.Slice(0, (int)bytes));
            _steps.AddWrite(_tableHostBytes + at, _page.Start, bytes);
            _steps.AddFlush();
        }
        _steps.Run();
        return true;
    }

    void OnEnd(Fault fault)
    {
        if (fault.IsFault || _nextTable == 0)
        {
            OnSettled(fault);
            return;
        }
        _isNaming = true;
        ulong clusters = _longer!.LengthBytes >> _header.ClusterBits;
        _head.Write(() => _parts.SetRefcountTable(_nextTable << _header.ClusterBits, clusters), OnSettled);
    }

    void OnSettled(Fault fault)
    {
        _isNaming = false;
        if (fault.IsNone)
            TakeIn();
        else if (_nextBlockCount > 0 || fault.Errno is not (Errnos.ENOSPC or Errnos.EDQUOT or Errnos.EFBIG))
            _owner.OnMetadataFault(fault);
        WaitList waiting = _waiting.TakeAll();
        _owner.OnWaited(waiting, fault);
        _owner.OnQuiet();
    }

    void TakeIn()
    {
        RefcountMap counts = _parts.Counts;
        if (_longer != null)
        {
            counts.Lengthen((int)(_longer.LengthBytes / 8));
            ulong oldClusters = _table.LengthBytes >> _header.ClusterBits;
            for (ulong i = 0; i < oldClusters; i++)
                _freed.Add((_tableHostBytes >> _header.ClusterBits) + i);
            if (_table != _parts.RefcountTable)
                _table.Dispose();
            (_table, _tableHostBytes, _longer) = (_longer, _nextTable << _header.ClusterBits, null);
        }
        ulong endBefore = _allocator.EndCluster;
        for (uint i = 0; i < _nextBlockCount; i++)
        {
            ulong number = _nextBlock + i;
            ulong hostBytes = BinaryPrimitives.ReadUInt64BigEndian(TableEntry(_table, number));
            Span<byte> made = counts.AddBlock((int)number, hostBytes);
            _blocks!.Slice((ulong)i << _header.ClusterBits, made.Length).CopyTo(made);
            counts.SetTable(hostBytes >> _header.ClusterBits, isTable: true);
        }
        for (ulong i = 0; _nextTable != 0 && i < _table.LengthBytes >> _header.ClusterBits; i++)
            counts.SetTable(_nextTable + i, isTable: true);
        _allocator.Open(_nextEnd);
        if (_nextEnd == endBefore)
            _allocator.OpenBlock(_nextBlock);
        if (_area > 0)
            _ = _allocator.TryTakeEnd(_area, out _areaFirst); // false where counts were behind the end already
        GrownBytes = _nextEnd << _header.ClusterBits;
    }

    public void Dispose()
    {
        if (IsRunning) // of a loop that has stopped: the device may still read it
        {
            _zeroes.Leak();
            _page.Leak();
            _blocks?.Leak();
            _longer?.Leak();
            return;
        }
        _zeroes.Dispose();
        _page.Dispose();
        _blocks?.Dispose();
        _longer?.Dispose();
        if (_table != _parts.RefcountTable)
            _table.Dispose();
    }
}
