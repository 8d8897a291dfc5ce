// Blocks of a disk whose content is known before a point in time: in the memory that will have what is captured, to be
// captured in that instant without a read.
//
// Takes half of that memory at most: the rest is for what nobody could know. What finds no place is left out; what is
// written again keeps its place by taking the one that it has just given up.
//
// Cost: a look and a copy a block; a long range costs no more than all blocks that are here. Nothing is allocated after
// construction. Does not know when a content is known: WarmSet does.
using System;
using System.Collections.Generic;
using FastBackup.Base;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's.</summary>
sealed class WarmBlocks
{
    /// <summary>Clusters that may have to be taken over by the map in the point in time, at most: see CopyMap.Named.
    /// </summary>
    const int NamedMax = 64;

    readonly BlockCapture _capture;
    readonly BlockGrid _grid;
    readonly BlockMemory _memory;
    readonly Dictionary<ulong, ushort> _places; // by block of the disk
    readonly int _countMax;

    /// <param name="capture">Of a point in time that is still to come.</param>
    public WarmBlocks(BlockCapture capture)
    {
        (_capture, _grid, _memory) = (capture, capture.Grid, capture.Memory);
        _countMax = (int)_memory.Capacity / 2;
        _places = new Dictionary<ulong, ushort>(_countMax);
    }

    public BlockGrid Grid => _grid;

    /// <summary>What whole blocks of a range hold.</summary>
    /// <param name="extent">Nothing of it is here.</param>
    /// <param name="bytes">Its content.</param>
    public void Put(in Extent extent, ReadOnlySpan<byte> bytes)
    {
        ulong blockBytes = _grid.BlockBytes;
        ulong sizeBytes = _capture.Map.SizeBytes; // the disk may have grown since
        for (ulong block = Units.DivCeil(extent.OffsetBytes, blockBytes); ; block++)
        {
            ulong offsetBytes = block * blockBytes;
            ulong lengthBytes = Math.Min(blockBytes, sizeBytes - Math.Min(sizeBytes, offsetBytes));
            if (lengthBytes == 0 || offsetBytes + lengthBytes > extent.EndBytes || !HasRoom)
                return;
            if (!_memory.TryTake(1, out ushort place))
                return;
            ReadOnlySpan<byte> content = bytes[(int)(offsetBytes - extent.OffsetBytes)..][..(int)lengthBytes];
            content.CopyTo(_memory.Span(place, lengthBytes));
            _places.Add(block, place);
        }
    }

    /// <summary>What is in a range is not known any more.</summary>
    public void Cool(in Extent extent)
    {
        if (extent.IsEmpty || _places.Count == 0)
            return;
        ulong first = extent.OffsetBytes / _grid.BlockBytes;
        ulong last = (extent.EndBytes - 1) / _grid.BlockBytes;
        if (last - first < (ulong)_places.Count)
        {
            for (ulong block = first; block <= last; block++)
                Drop(block);
            return;
        }
        foreach (ulong block in _places.Keys)
            if (block >= first && block <= last)
                Drop(block);
    }

    /// <summary>In the point in time: what is here is captured, where anything is to be kept. Nothing is left here.
    /// </summary>
    /// <returns>Blocks that are captured.</returns>
    public int CaptureAll(ICopyOwner owner)
    {
        CopyMap map = _capture.Map;
        ulong blocksOfCluster = map.ClusterBytes / _grid.BlockBytes;
        int countBefore = _places.Count;
        int left = map.IsWhole ? countBefore : NamedMax;
        foreach ((ulong block, ushort place) in _places)
        {
            (ulong cluster, ulong blockOfCluster) = (block / blocksOfCluster, block % blocksOfCluster);
            if (left-- <= 0)
                break;
            if (map.TryTake(cluster, 1) && _capture.TryAdopt(cluster, (uint)blockOfCluster, place, owner))
                _ = _places.Remove(block);
        }
        int leftCount = _places.Count;
        DropAll();
        return countBefore - leftCount;
    }

    /// <summary>Nothing is known.</summary>
    public void DropAll()
    {
        foreach (ushort place in _places.Values)
            _memory.Return(place, 1);
        _places.Clear();
    }

    bool HasRoom => _places.Count < _countMax && !_memory.IsHalfFull;

    void Drop(ulong block)
    {
        if (_places.Remove(block, out ushort place))
            _memory.Return(place, 1);
    }
}
