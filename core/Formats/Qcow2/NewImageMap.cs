// Where the clusters of a new image lie: for each cluster of its disk the entry that its L2 table will have, for each
// cluster of the file how many use it. What is new goes behind all else.
// Memory: 8 bytes for each 64 KiB of the disk and 2 for each of the file, as they are needed: 160 MiB for a full TiB.
// Cost: O(1) a cluster.
// Source: QEMU docs/interop/qcow2.rst, "Standard Cluster Descriptor".
using System;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class NewImageMap : IDisposable
{
    const ulong ReadsAsZero = 1;

    readonly NativeArray<ulong> _entries; // 0: nowhere
    readonly NativeArray<ushort> _counts;
    readonly bool[] _hasSome; // of each L2 table

    /// <param name="shape">Of the image.</param>
    public NewImageMap(NewImageShape shape)
    {
        _entries = new NativeArray<ulong>(shape.DataClusters, RegionResidency.Lazy);
        _counts = new NativeArray<ushort>(shape.FileBytesMax / NewImageShape.ClusterBytes, RegionResidency.Lazy);
        _hasSome = new bool[shape.TableCount];
        _counts[0] = 1; // the header
    }

    /// <summary>The cluster of the file behind all that are in use.</summary>
    public ulong EndCluster { get; private set; } = 1;

    /// <summary>Of each L2 table whether there is something in it.</summary>
    public ReadOnlySpan<bool> HasSome => _hasSome;

    public ushort Count(ulong hostCluster) => _counts[hostCluster];

    /// <summary>Entries of the disk's clusters from one on.</summary>
    public unsafe ReadOnlySpan<ulong> Entries(ulong firstCluster, ulong countMax)
    {
        ulong count = Math.Min(countMax, _entries.Count - firstCluster);
        // SAFETY: within the array, which lives as long as this object; the caller keeps it no longer.
        return new ReadOnlySpan<ulong>(_entries.Pointer + firstCluster, (int)count);
    }

    /// <summary>Where in the file a cluster lies as it is; 0: nowhere, or otherwise.</summary>
    public ulong PlaceOf(ulong cluster)
    {
        ulong entry = _entries[cluster];
        return (entry & EntryReader.Compressed) == 0 ? entry & EntryReader.OffsetMask : 0;
    }

    /// <summary>A cluster gets a place of its own.</summary>
    /// <returns>Where; 0: the file is as long as it can be.</returns>
    public ulong Place(ulong cluster)
    {
        if (EndCluster == _counts.Count)
            return 0;
        ulong host = EndCluster++ << NewImageShape.ClusterBits;
        _counts[host >> NewImageShape.ClusterBits] = 1;
        Set(cluster, host | EntryReader.Copied);
        return host;
    }

    /// <summary>A cluster reads as zero, whatever lies below.</summary>
    public void SetZero(ulong cluster) => Set(cluster, ReadsAsZero);

    void Set(ulong cluster, ulong entry)
    {
        _entries[cluster] = entry;
        _hasSome[cluster / NewImageShape.EntriesATable] = true;
    }

    public void Dispose()
    {
        _entries.Dispose();
        _counts.Dispose();
    }
}
