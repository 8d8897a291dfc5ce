// How a chunk is read: in pieces of whole clusters, at most 64, so that a word names any set of them. Each piece is a
// read of its own and is captured, released or set back by itself.
using System;
using System.Numerics;
using FastBackup.Base;

namespace FastBackup.Copy;

/// <param name="FirstCluster">Of the chunk.</param>
/// <param name="ClusterCount">Of the chunk, at least 1.</param>
/// <param name="PieceClusters">Clusters of a piece; the last may have fewer.</param>
readonly record struct PieceMap(ulong FirstCluster, ulong ClusterCount, ulong PieceClusters)
{
    public const ulong PiecesMax = 64;

    public uint Count => (uint)Units.DivCeil(ClusterCount, PieceClusters);

    /// <summary>All pieces, one bit each.</summary>
    public ulong All => ulong.MaxValue >> (int)(PiecesMax - Count);

    /// <param name="firstCluster">Of the chunk.</param>
    /// <param name="clusterCount">Of the chunk, at least 1.</param>
    /// <param name="pieceClustersWanted">At least 1; made larger where that would be too many pieces.</param>
    public static PieceMap Cut(ulong firstCluster, ulong clusterCount, ulong pieceClustersWanted) =>
        new(
            firstCluster,
            clusterCount,
            Math.Clamp(pieceClustersWanted, Units.DivCeil(clusterCount, PiecesMax), clusterCount)
        );

    public uint PieceOf(ulong cluster) => (uint)((cluster - FirstCluster) / PieceClusters);

    /// <summary>The clusters of the lowest run of neighbours in a set; they leave the set.</summary>
    /// <returns>False when the set is empty.</returns>
    public bool TryTakeRun(ref ulong pieces, out ulong firstCluster, out ulong clusterCount)
    {
        (firstCluster, clusterCount) = (0, 0);
        if (pieces == 0)
            return false;
        int first = BitOperations.TrailingZeroCount(pieces);
        int length = BitOperations.TrailingZeroCount(~(pieces >> first));
        ulong run = length == 64 ? ulong.MaxValue : ((1UL << length) - 1) << first;
        pieces &= ~run;
        firstCluster = FirstCluster + (ulong)first * PieceClusters;
        ulong end = Math.Min(firstCluster + (ulong)length * PieceClusters, FirstCluster + ClusterCount);
        clusterCount = end - firstCluster;
        return true;
    }
}
