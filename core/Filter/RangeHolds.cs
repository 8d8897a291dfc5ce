// Ranges of a disk that a snapshot reader is reading from the source right now: until it has ended, no guest
// write may land there, even if the clusters are captured meanwhile. A handful at a time, so a plain list.
using System.Collections.Generic;
using FastBackup.Base;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's. Cost: O(holds) per call.</summary>
sealed class RangeHolds(int capacity)
{
    readonly List<Extent> _extents = new(capacity);

    public int Count => _extents.Count;

    public void Add(in Extent extent)
    {
        Check.That(_extents.Count < capacity);
        _extents.Add(extent);
    }

    /// <summary>Takes one hold of exactly this range off.</summary>
    public void Remove(Extent extent)
    {
        if (Planted.Is(PlantedBug.R04OneHoldForAllReaders))
            _extents.RemoveAll(held => held.Overlaps(extent));
        else
            Check.That(_extents.Remove(extent));
    }

    public bool Overlaps(in Extent extent)
    {
        foreach (Extent held in _extents)
            if (held.Overlaps(extent))
                return true;
        return false;
    }
}
