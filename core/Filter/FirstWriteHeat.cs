// Where guests' writes had to wait for old data most often lately: what a job copies first, fewer wait for.
//
// The disk is seen in regions; the busiest are counted in a table of fixed size: a region that is not in it takes the
// place of the coldest, with its count (a "space saving" summary: Metwally, Agrawal, El Abbadi, 2005), so that a
// count is never too low, and by no more than its error too high. Only what is certain, count less error, is believed:
// guests that write everywhere make no region hot. All counts are halved now and then, so that heat is of late.
//
// Cost: O(EntryMax) a copy for a guest, beside a read of the source. Nothing is allocated after construction.
using System;
using FastBackup.Base;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's.</summary>
public sealed class FirstWriteHeat
{
    struct Entry
    {
        public ulong Region;
        public uint Count; // 0: free
        public uint Error;
    }

    const int EntryMax = 64;
    const uint HotCount = 6;
    const uint HalvedEvery = 4096;
    const ulong RegionBytesMax = 4 * Units.MiB;
    const ulong RegionsOfDisk = 64;

    readonly Entry[] _entries = new Entry[EntryMax];
    readonly ulong _clusterCount;
    readonly ulong _regionClusters;
    uint _sinceHalved;

    /// <param name="clusterCount">Of the disk.</param>
    /// <param name="clusterBytes">Of each.</param>
    public FirstWriteHeat(ulong clusterCount, uint clusterBytes)
    {
        _clusterCount = clusterCount;
        // So large that a disk streams, and a small disk has many.
        ulong mostClusters = Math.Max(1, RegionBytesMax / clusterBytes);
        _regionClusters = Math.Clamp(clusterCount / RegionsOfDisk, 1, mostClusters);
    }

    /// <summary>A guest's write waits for old data of this cluster, and is the first one.</summary>
    public void Add(ulong cluster)
    {
        ulong region = cluster / _regionClusters;
        if (++_sinceHalved == HalvedEvery)
            Halve();
        int coldest = 0;
        for (int i = 0; i < EntryMax; i++)
        {
            ref Entry entry = ref _entries[i];
            if (entry.Count > 0 && entry.Region == region)
            {
                entry.Count++;
                return;
            }
            if (entry.Count < _entries[coldest].Count)
                coldest = i;
        }
        uint error = _entries[coldest].Count;
        _entries[coldest] = new Entry
        {
            Region = region,
            Count = error + 1,
            Error = error,
        };
    }

    /// <summary>Takes the hottest region out, to be copied now.</summary>
    /// <param name="firstCluster">Where it begins.</param>
    /// <param name="endCluster">Where it ends.</param>
    /// <returns>False: none is hot.</returns>
    public bool TryTake(out ulong firstCluster, out ulong endCluster)
    {
        int hottest = 0;
        for (int i = 1; i < EntryMax; i++)
            if (Sure(_entries[i]) > Sure(_entries[hottest]))
                hottest = i;
        (firstCluster, endCluster) = (0, 0);
        if (Sure(_entries[hottest]) < HotCount)
            return false;
        firstCluster = _entries[hottest].Region * _regionClusters;
        endCluster = Math.Min(_clusterCount, firstCluster + _regionClusters);
        _entries[hottest] = default;
        return true;
    }

    static uint Sure(in Entry entry) => entry.Count - entry.Error;

    void Halve()
    {
        _sinceHalved = 0;
        foreach (ref Entry entry in _entries.AsSpan())
            (entry.Count, entry.Error) = (entry.Count / 2, entry.Error / 2);
    }
}
