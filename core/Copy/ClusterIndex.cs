// Where the old data of a cluster is while it is on its way: an open-addressed hash table from cluster to place, of
// fixed size, at most half full. Linear probing; a removal moves back what follows, so that there are no tombstones.
// Cost: O(1) expected per call. Nothing is allocated after construction.
using System;
using System.Numerics;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's.</summary>
sealed class ClusterIndex : IDisposable
{
    struct Entry
    {
        public ulong ClusterPlusOne; // 0 = free
        public ulong Place;
    }

    readonly NativeArray<Entry> _entries;
    readonly ulong _mask;
    readonly SlotHash _hash;
    readonly ulong _clusterMax;

    /// <param name="clusterMax">Clusters at once, at least 1.</param>
    public ClusterIndex(ulong clusterMax)
    {
        Check.That(clusterMax is > 0 and <= 1 << 30);
        _clusterMax = clusterMax;
        ulong capacity = BitOperations.RoundUpToPowerOf2(clusterMax * 2);
        _mask = capacity - 1;
        _hash = new SlotHash(capacity);
        _entries = new NativeArray<Entry>(capacity, RegionResidency.Resident);
    }

    public ulong Count { get; private set; }

    public bool TryGet(ulong cluster, out ulong place)
    {
        ulong slot = Find(cluster);
        place = _entries[slot].Place;
        return _entries[slot].ClusterPlusOne != 0;
    }

    /// <summary>Says where a cluster is, also anew.</summary>
    public void Set(ulong cluster, ulong place)
    {
        ref Entry entry = ref _entries[Find(cluster)];
        if (entry.ClusterPlusOne == 0)
        {
            Check.That(Count < _clusterMax);
            Count++;
        }
        entry = new Entry { ClusterPlusOne = cluster + 1, Place = place };
    }

    public void SetRun(ulong firstCluster, ulong clusterCount, ulong place)
    {
        for (ulong cluster = firstCluster; cluster < firstCluster + clusterCount; cluster++)
            Set(cluster, place);
    }

    public void RemoveRun(ulong firstCluster, ulong clusterCount)
    {
        for (ulong cluster = firstCluster; cluster < firstCluster + clusterCount; cluster++)
            Remove(cluster);
    }

    /// <summary>A cluster that is not here is an invariant failure.</summary>
    public void Remove(ulong cluster)
    {
        ulong hole = Find(cluster);
        Check.That(_entries[hole].ClusterPlusOne != 0);
        Count--;
        for (ulong slot = hole; ; )
        {
            slot = (slot + 1) & _mask;
            ref Entry entry = ref _entries[slot];
            if (entry.ClusterPlusOne == 0)
                break;
            // It may fill the hole unless its own place lies cyclically between the hole and where it is.
            ulong home = _hash.Home(entry.ClusterPlusOne - 1);
            if (((slot - home) & _mask) < ((slot - hole) & _mask))
                continue;
            _entries[hole] = entry;
            hole = slot;
        }
        _entries[hole] = default;
    }

    public void Dispose() => _entries.Dispose();

    ulong Find(ulong cluster)
    {
        ulong slot = _hash.Home(cluster);
        while (_entries[slot].ClusterPlusOne != 0 && _entries[slot].ClusterPlusOne != cluster + 1)
            slot = (slot + 1) & _mask;
        return slot;
    }
}
