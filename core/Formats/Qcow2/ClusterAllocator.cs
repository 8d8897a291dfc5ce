// Which clusters of an image's file are free, and who gets the next ones: first fit from where the last were found, so
// that what is written together lies together, and round again. Blocks of counts without a free cluster are passed
// over. Behind EndCluster nothing is given away: the file is not that long yet, or not counted (FileGrowth).
// Cost: O(clusters looked at), a block of counts at most beside those that are passed over. A cluster that was freed is
// free here only once nobody on the disk or under way refers to it (FreedClusters).
using System;
using FastBackup.Base;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: one at a time.</summary>
sealed class ClusterAllocator
{
    readonly RefcountMap _counts;
    readonly ulong _freshFrom; // from here on the file was made longer by us: it reads as zero
    uint[] _free; // by block, below EndCluster
    bool[] _isOpen; // by block: its free clusters are in _free, as far as the end
    ulong _hand = 1;
    ulong _usedEnd; // nothing from here on was ever given away

    /// <param name="counts">Of the image.</param>
    /// <param name="endCluster">Whole clusters that the file has.</param>
    /// <param name="isFreshBehind">What it becomes longer by reads as zero.</param>
    public ClusterAllocator(RefcountMap counts, ulong endCluster, bool isFreshBehind)
    {
        _counts = counts;
        _free = new uint[counts.TableCount];
        _isOpen = new bool[counts.TableCount];
        Open(endCluster);
        _usedEnd = EndCluster;
        _freshFrom = isFreshBehind ? EndCluster + 1 : ulong.MaxValue; // the last may be a part of one
    }

    public ulong EndCluster { get; private set; }

    public ulong FreeCount { get; private set; }

    /// <summary>Clusters below the end may be given away, as far as they are counted.</summary>
    public void Open(ulong endCluster)
    {
        if (_free.Length < _counts.TableCount)
        {
            Array.Resize(ref _free, _counts.TableCount);
            Array.Resize(ref _isOpen, _counts.TableCount);
        }
        ulong before = EndCluster;
        EndCluster = Math.Max(before, endCluster);
        for (ulong block = before >> _counts.BlockBits; block << _counts.BlockBits < CountedEnd; block++)
            OpenBlock(block, before);
    }

    /// <summary>A block of counts was made for clusters below the end.</summary>
    /// <param name="number">Which.</param>
    /// <param name="from">Of one that was there before: from this cluster on.</param>
    public void OpenBlock(ulong number, ulong from = ulong.MaxValue)
    {
        if (!_counts.HasBlock(number))
            return;
        ulong first = number << _counts.BlockBits;
        ulong end = Math.Min(CountedEnd, first + (1UL << _counts.BlockBits));
        for (ulong cluster = _isOpen[number] ? Math.Max(first, from) : first; cluster < end; cluster++)
            CountFree(cluster);
        _isOpen[number] = true;
    }

    /// <summary>Behind it nothing can be counted, however long the file is.</summary>
    ulong CountedEnd => Math.Min(EndCluster, (ulong)_counts.TableCount << _counts.BlockBits);

    void CountFree(ulong cluster)
    {
        ulong block = cluster >> _counts.BlockBits;
        if (_counts.Get(cluster) != 0)
            return;
        _free[block]++;
        FreeCount++;
    }

    /// <summary>Clusters that lie together; they count as used once.</summary>
    /// <param name="wanted">As many at most.</param>
    /// <param name="first">The first of them.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="isFresh">They read as zero.</param>
    public bool TryTake(uint wanted, out ulong first, out uint count, out bool isFresh)
    {
        (first, count, isFresh) = (0, 0, false);
        if (FreeCount == 0)
            return false;
        ulong end = CountedEnd;
        ulong cluster = _hand >= end ? 1 : _hand;
        for (; !IsFree(cluster); cluster = cluster + 1 >= end ? 1 : cluster + 1)
            cluster = PassOver(cluster);
        first = cluster;
        for (; count < wanted && cluster < end && IsFree(cluster); cluster++, count++)
        {
            _counts.Set(cluster, 1);
            _free[cluster >> _counts.BlockBits]--;
            FreeCount--;
        }
        isFresh = first >= Math.Max(_freshFrom, _usedEnd);
        _usedEnd = Math.Max(_usedEnd, cluster);
        _hand = cluster;
        return true;
    }

    /// <summary>The last clusters of the file, where those are free; they count as used once.</summary>
    /// <param name="count">Of them.</param>
    /// <param name="first">The first of them; 0: they are not.</param>
    public bool TryTakeEnd(uint count, out ulong first)
    {
        first = EndCluster - Math.Min(EndCluster, count);
        bool isTaken = CountedEnd == EndCluster && TryTakeAt(first, count);
        first = isTaken ? first : 0;
        return isTaken;
    }

    /// <summary>Clusters that lie together, wherever that is. Cost: O(clusters of the file).</summary>
    /// <param name="count">Of them.</param>
    /// <param name="first">The first of them.</param>
    public bool TryTakeTogether(uint count, out ulong first)
    {
        first = 1;
        for (ulong cluster = 1; cluster < CountedEnd && cluster - first < count; cluster++)
        {
            cluster = PassOver(cluster);
            if (!IsFree(cluster))
                first = cluster + 1;
        }
        return first + count <= CountedEnd && TryTakeAt(first, count);
    }

    bool TryTakeAt(ulong first, uint count)
    {
        for (ulong cluster = first; cluster < first + count; cluster++)
            if (cluster == 0 || !IsFree(cluster))
                return false;
        for (ulong cluster = first; cluster < first + count; cluster++)
        {
            _counts.Set(cluster, 1);
            _free[cluster >> _counts.BlockBits]--;
            FreeCount--;
        }
        _usedEnd = Math.Max(_usedEnd, first + count);
        return true;
    }

    bool IsFree(ulong cluster) => _counts.HasBlock(cluster >> _counts.BlockBits) && _counts.Get(cluster) == 0;

    /// <summary>The last cluster of a block in which nothing is free.</summary>
    ulong PassOver(ulong cluster)
    {
        ulong block = cluster >> _counts.BlockBits;
        return block < (ulong)_free.Length && _free[block] > 0 ? cluster : cluster | (1UL << _counts.BlockBits) - 1;
    }

    /// <summary>One reference to a cluster is gone; in a corrupt image there may be more than were counted.</summary>
    public void Release(ulong cluster)
    {
        ulong count = _counts.Get(cluster);
        if (count == 0)
            return;
        _counts.Set(cluster, count - 1);
        if (count > 1 || cluster == 0) // which is never searched
            return;
        _counts.SetTable(cluster, isTable: false);
        if (cluster >= CountedEnd)
            return;
        _free[cluster >> _counts.BlockBits]++;
        FreeCount++;
    }
}
