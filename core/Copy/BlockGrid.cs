// How clusters are cut into blocks: which of them a range touches, and where they lie.
using System;
using FastBackup.Base;

namespace FastBackup.Copy;

/// <param name="map">Of the clusters.</param>
/// <param name="blockBytes">A power of two, at most a cluster; at most BlockMasks.BlocksMax a cluster.</param>
readonly struct BlockGrid(CopyMap map, ulong blockBytes)
{
    /// <summary>The blocks of a cluster that a range touches, a bit each.</summary>
    public uint Touched(ulong cluster, in Extent extent)
    {
        ulong baseBytes = cluster * map.ClusterBytes;
        ulong start = Math.Max(extent.OffsetBytes, baseBytes) - baseBytes;
        ulong end = Math.Min(extent.EndBytes - baseBytes, map.ClusterBytes);
        if (start >= end)
            return 0;
        int first = (int)(start / blockBytes);
        int count = (int)Units.DivCeil(end, blockBytes) - first;
        return ((1u << count) - 1) << first;
    }

    public ulong BlockBytes => blockBytes;

    /// <summary>Whether some block is touched by both.</summary>
    public bool ShareABlock(in Extent one, in Extent other) =>
        !one.IsEmpty
        && !other.IsEmpty
        && one.OffsetBytes / blockBytes <= (other.EndBytes - 1) / blockBytes
        && other.OffsetBytes / blockBytes <= (one.EndBytes - 1) / blockBytes;

    /// <summary>A run of blocks of a cluster, cut at the disk's end.</summary>
    public Extent Bytes(ulong cluster, uint block, uint count)
    {
        Extent whole = map.Bytes(cluster, 1);
        ulong startBytes = block * blockBytes;
        return new Extent(whole.OffsetBytes + startBytes, Math.Min(count * blockBytes, whole.LengthBytes - startBytes));
    }
}
