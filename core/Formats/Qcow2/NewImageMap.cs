// Where the clusters of a new image lie: for each cluster of its disk the entry that its L2 table will have, for each
// cluster of the file how many use it: many, where they are packed. What is new goes behind all else; where all have a
// place from the start it is known already, and written or not is all that is noted.
// Memory: 8 bytes for each 64 KiB of the disk and 2 for each of the file, as they are needed: 160 MiB for a full TiB.
// Cost: O(1) a cluster.
// Source: QEMU docs/interop/qcow2.rst, "Standard Cluster Descriptor" and those after it.
using System;
using FastBackup.Memory;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: the loop's.</summary>
sealed class NewImageMap : IDisposable
{
    const ulong ReadsAsZero = 1;
    const ulong SectorBytes = 512;
    const int PackedOffsetBits = 62 - (NewImageShape.ClusterBits - 8);

    readonly NativeArray<ulong> _entries; // 0: nowhere
    readonly NativeArray<ushort> _counts;
    readonly bool[] _hasSome; // of each L2 table
    readonly bool _isPreallocated;

    /// <param name="shape">Of the image.</param>
    public NewImageMap(NewImageShape shape)
    {
        _entries = new NativeArray<ulong>(shape.DataClusters, RegionResidency.Lazy);
        _counts = new NativeArray<ushort>(shape.DataEndMax, RegionResidency.Lazy);
        _hasSome = new bool[shape.TableCount];
        _counts[0] = 1; // the header
        if (!shape.Options.IsPreallocated)
            return;
        _isPreallocated = true;
        EndCluster += shape.DataClusters;
        Array.Fill(_hasSome, true);
    }

    /// <summary>The cluster of the file behind all that are in use.</summary>
    public ulong EndCluster { get; private set; } = 1;

    /// <summary>Of each L2 table whether there is something in it.</summary>
    public ReadOnlySpan<bool> HasSome => _hasSome;

    public ushort Count(ulong hostCluster) => _isPreallocated ? (ushort)1 : _counts[hostCluster];

    /// <summary>Of the disk.</summary>
    public ulong ClusterCount => _entries.Count;

    /// <summary>The entry of a cluster of the disk.</summary>
    public ulong Entry(ulong cluster) => _isPreallocated ? OwnPlace(cluster) | EntryReader.Copied : _entries[cluster];

    /// <summary>Where all have one.</summary>
    static ulong OwnPlace(ulong cluster) => (1 + cluster) << NewImageShape.ClusterBits;

    /// <summary>Where in the file a cluster lies as it is; 0: nowhere, or otherwise, or nothing was written there.
    /// </summary>
    public ulong PlaceOf(ulong cluster)
    {
        ulong entry = _entries[cluster];
        return (entry & EntryReader.Compressed) == 0 ? entry & EntryReader.OffsetMask : 0;
    }

    /// <summary>A cluster gets a place of its own.</summary>
    /// <returns>Where; 0: the file is as long as it can be.</returns>
    public ulong Place(ulong cluster)
    {
        if (_isPreallocated)
            return (_entries[cluster] = Entry(cluster)) & EntryReader.OffsetMask;
        if (EndCluster == _counts.Count)
            return 0;
        ulong host = EndCluster++ << NewImageShape.ClusterBits;
        _counts[host >> NewImageShape.ClusterBits] = 1;
        Set(cluster, host | EntryReader.Copied);
        return host;
    }

    /// <summary>Places for packed clusters, one behind the other, that nobody uses yet.</summary>
    /// <returns>Where; 0: the file is as long as it can be.</returns>
    public ulong TakePlaces(uint count)
    {
        if (_counts.Count - EndCluster < count)
            return 0;
        ulong host = EndCluster << NewImageShape.ClusterBits;
        EndCluster += count;
        return host;
    }

    /// <summary>Of places that were taken only the first are needed; the rest is free again if it is last.</summary>
    public void GiveBack(ulong hostBytes, ulong usedCount, ulong takenCount)
    {
        ulong first = hostBytes >> NewImageShape.ClusterBits;
        if (first + takenCount == EndCluster)
            EndCluster = first + usedCount;
    }

    /// <summary>A cluster lies packed in places that were taken.</summary>
    public void SetPacked(ulong cluster, ulong hostBytes, ulong packedBytes)
    {
        ulong sectors = (hostBytes + packedBytes - 1) / SectorBytes - hostBytes / SectorBytes;
        Count(hostBytes, packedBytes, 1);
        Set(cluster, EntryReader.Compressed | sectors << PackedOffsetBits | hostBytes);
    }

    /// <summary>A cluster reads as zero: by its entry, whatever lies below; or because nothing does.</summary>
    public void SetZero(ulong cluster, bool isBased)
    {
        if (isBased || _entries[cluster] != 0)
            Set(cluster, isBased ? ReadsAsZero : 0);
    }

    void Set(ulong cluster, ulong entry)
    {
        ulong before = _entries[cluster];
        if ((before & EntryReader.Compressed) != 0)
            Count(before & (1UL << PackedOffsetBits) - 1, PackedBytes(before), -1);
        else if ((before & EntryReader.OffsetMask) != 0)
            Count(before & EntryReader.OffsetMask, NewImageShape.ClusterBytes, -1);
        _entries[cluster] = entry;
        _hasSome[cluster / NewImageShape.EntriesATable] = true;
    }

    /// <summary>To the end of the last sector, which lies in the same cluster of the file.</summary>
    static ulong PackedBytes(ulong entry)
    {
        ulong host = entry & (1UL << PackedOffsetBits) - 1;
        ulong sectors = (entry & EntryReader.Compressed - 1) >> PackedOffsetBits;
        return (sectors + 1) * SectorBytes - host % SectorBytes;
    }

    /// <summary>All clusters of the file that a packed one touches.</summary>
    void Count(ulong hostBytes, ulong lengthBytes, int change)
    {
        ulong last = (hostBytes + lengthBytes - 1) >> NewImageShape.ClusterBits;
        for (ulong cluster = hostBytes >> NewImageShape.ClusterBits; cluster <= last; cluster++)
            _counts[cluster] = (ushort)(_counts[cluster] + change);
    }

    public void Dispose()
    {
        _entries.Dispose();
        _counts.Dispose();
    }
}
