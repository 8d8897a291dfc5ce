// Which blocks of partly captured clusters guests may overwrite already: an open-addressed hash table of fixed size, at
// most half full, that every guest's thread may read at any time and the reactor alone changes.
//
// A slot is one word of 64 bits: the cluster, and a bit for each of its blocks. So a look sees both or neither, and a
// slot that is used again meanwhile says nothing wrong about either cluster. Why a guest may go by what it has seen:
//
//   order     the reactor sets a bit (release) after the block's old data is in our memory; who sees the bit (acquire)
//             therefore overwrites what is saved already
//   for good  a bit that was ever shown stays right until the point in time is over, however old the look is: no block
//             is captured twice, no reader of the snapshot holds a block that was captured before it came (it reads our
//             memory), and one that held it earlier delays the bit. A cluster's word goes only when nothing protects
//             the cluster any more
//   missed    a removal moves words back while guests look: one that misses its word asks the reactor, which knows
//
// Linear probing; a guest looks at ProbesMax slots at most, so that it is through after a fixed number of steps.
// Cost: O(1) expected a call. Nothing is allocated after construction. Knows nothing of memory, reads or holds.
using System;
using System.Numerics;
using System.Threading;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's; <see cref="Allows"/> any.</summary>
sealed class BlockMasks : IDisposable
{
    /// <summary>Blocks of a cluster at most: bits of a word.</summary>
    public const int BlocksMax = 16;

    /// <summary>Clusters of a disk at most: the rest of the word, and 0 = free.</summary>
    public const ulong ClustersMax = (1UL << (64 - BlocksMax)) - 1;

    const int ProbesMax = 32;

    readonly NativeArray<ulong> _words; // (cluster + 1) << 16 | blocks
    readonly ushort[] _records; // of the word in the same slot; the reactor's
    readonly ulong _slotMask;
    readonly SlotHash _hash;
    readonly uint _clusterMax;

    /// <param name="clusterMax">Clusters at once: 1..2^15.</param>
    public BlockMasks(uint clusterMax)
    {
        Check.That(clusterMax is > 0 and <= 1 << 15);
        _clusterMax = clusterMax;
        ulong capacity = BitOperations.RoundUpToPowerOf2((ulong)clusterMax * 2);
        _slotMask = capacity - 1;
        _hash = new SlotHash(capacity);
        _words = new NativeArray<ulong>(capacity, RegionResidency.Resident);
        _records = new ushort[capacity];
    }

    public uint Count { get; private set; }

    public bool IsFull => Count == _clusterMax;

    /// <summary>Whether guests may overwrite all of these blocks. Threads: any, wait-free.</summary>
    /// <returns>False also where this look could not tell.</returns>
    public bool Allows(ulong cluster, uint blocks)
    {
        ulong slot = _hash.Home(cluster);
        for (int i = 0; i < ProbesMax; i++)
        {
            ulong word = Volatile.Read(ref _words[slot]);
            if (word >> BlocksMax == cluster + 1)
                return (blocks & ~word) == 0;
            if (word == 0)
                return false;
            slot = (slot + 1) & _slotMask;
        }
        return false;
    }

    public bool TryFind(ulong cluster, out ushort record)
    {
        ulong slot = Find(cluster);
        record = _records[slot];
        return _words[slot] != 0;
    }

    /// <summary>A cluster that is not here yet; no block of it is allowed.</summary>
    public void Add(ulong cluster, ushort record)
    {
        Check.That(!IsFull);
        ulong slot = Find(cluster);
        Check.That(_words[slot] == 0);
        _records[slot] = record;
        Volatile.Write(ref _words[slot], (cluster + 1) << BlocksMax);
        Count++;
    }

    /// <summary>Guests may overwrite these, too: their old data is in memory, and nobody holds them.</summary>
    public void Allow(ulong cluster, uint blocks)
    {
        ulong slot = Find(cluster);
        Check.That(_words[slot] != 0);
        Volatile.Write(ref _words[slot], _words[slot] | blocks);
    }

    /// <summary>Nothing protects the cluster any more, or nothing of it was ever allowed.</summary>
    public void Remove(ulong cluster)
    {
        ulong hole = Find(cluster);
        Check.That(_words[hole] != 0);
        Count--;
        for (ulong slot = hole; ; )
        {
            slot = (slot + 1) & _slotMask;
            ulong word = _words[slot];
            if (word == 0)
                break;
            // It may fill the hole unless its own place lies cyclically between the hole and where it is.
            ulong home = _hash.Home((word >> BlocksMax) - 1);
            if (((slot - home) & _slotMask) < ((slot - hole) & _slotMask))
                continue;
            _records[hole] = _records[slot];
            Volatile.Write(ref _words[hole], word); // for a moment it is in both
            hole = slot;
        }
        Volatile.Write(ref _words[hole], 0);
    }

    /// <summary>The first cluster of a range that is here; or its end.</summary>
    /// <remarks>Cost: O(the shorter of range and table).</remarks>
    public ulong Next(ulong firstCluster, ulong endCluster)
    {
        if (Count == 0 || firstCluster >= endCluster)
            return endCluster;
        if (endCluster - firstCluster <= _slotMask)
        {
            while (firstCluster < endCluster && !TryFind(firstCluster, out _))
                firstCluster++;
            return firstCluster;
        }
        ulong next = endCluster;
        foreach (ulong word in _words.AsSpan())
            if (word != 0 && (word >> BlocksMax) - 1 is var cluster && cluster >= firstCluster && cluster < next)
                next = cluster;
        return next;
    }

    public void Dispose() => _words.Dispose();

    ulong Find(ulong cluster)
    {
        ulong slot = _hash.Home(cluster);
        while (_words[slot] != 0 && _words[slot] >> BlocksMax != cluster + 1)
            slot = (slot + 1) & _slotMask;
        return slot;
    }
}
