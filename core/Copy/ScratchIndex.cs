// Which clusters of the disk are in scratch space, and in which of its entries: one number a cluster of the disk, in a
// table that is reserved as a whole and present only where clusters were ever spilled. A hash table as for memory
// (ClusterIndex) would have to be as large as the scratch space from the start, and its hash would touch all of it.
// Cost: O(1) per cluster; 4 bytes of memory per cluster, in pages of 1024 neighbours.
using System;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's.</summary>
/// <param name="clusterCount">Of the disk.</param>
sealed class ScratchIndex(ulong clusterCount) : IDisposable
{
    readonly NativeArray<uint> _entriesPlusOne = new(clusterCount, RegionResidency.Lazy); // 0 = not there

    public bool TryGet(ulong cluster, out uint entry)
    {
        uint plusOne = _entriesPlusOne[cluster];
        entry = plusOne - 1;
        return plusOne != 0;
    }

    public void SetRun(ulong firstCluster, ulong clusterCount, uint entry)
    {
        for (ulong cluster = firstCluster; cluster < firstCluster + clusterCount; cluster++)
            _entriesPlusOne[cluster] = entry + 1;
    }

    /// <summary>Clusters that are not there are an invariant failure.</summary>
    public void RemoveRun(ulong firstCluster, ulong clusterCount)
    {
        for (ulong cluster = firstCluster; cluster < firstCluster + clusterCount; cluster++)
        {
            Check.That(_entriesPlusOne[cluster] != 0);
            _entriesPlusOne[cluster] = 0;
        }
    }

    public void Dispose() => _entriesPlusOne.Dispose();
}
