// Ranges of a disk that a snapshot reader is reading from the source right now: until it has ended, no guest
// write may land there, even if the clusters are captured meanwhile. A handful at a time, so a plain list. Each knows
// its request at the source, so that a guest's write that has to wait for it can have it begun before others.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's. Cost: O(holds) per call.</summary>
sealed class RangeHolds(int capacity)
{
    readonly record struct Hold(Extent Extent, IBlockOwner Reader, ulong UserData, bool IsPromoted);

    readonly List<Hold> _holds = new(capacity);

    public int Count => _holds.Count;

    /// <param name="extent">Device range.</param>
    /// <param name="reader">Owner of the request that reads it.</param>
    /// <param name="userData">Of that request.</param>
    public void Add(in Extent extent, IBlockOwner reader, ulong userData)
    {
        Check.That(_holds.Count < capacity);
        _holds.Add(new Hold(extent, reader, userData, IsPromoted: false));
    }

    /// <summary>Takes the hold of this reader's request off.</summary>
    public void Remove(Extent extent, IBlockOwner reader, ulong userData)
    {
        int index = 0;
        while (index < _holds.Count && !IsOf(_holds[index], reader, userData))
            index++;
        Check.That(index < _holds.Count);
        Check.That(_holds[index].Extent == extent);
        _holds.RemoveAt(index);
    }

    /// <summary>A guest's write waits for the range: requests in it that the source has not begun go first.</summary>
    public void Promote(in Extent extent, IBlockDevice source)
    {
        for (int i = 0; i < _holds.Count; i++)
        {
            Hold held = _holds[i];
            if (held.IsPromoted || !held.Extent.Overlaps(extent))
                continue;
            _holds[i] = held with { IsPromoted = true };
            source.Promote(held.Reader, held.UserData);
        }
    }

    static bool IsOf(in Hold held, IBlockOwner reader, ulong userData) =>
        ReferenceEquals(held.Reader, reader) && held.UserData == userData;

    /// <summary>The hold that begins first of those that overlap a range.</summary>
    public bool TryFindFirst(in Extent extent, out Extent first)
    {
        first = default;
        bool isFound = false;
        foreach (Hold hold in _holds)
        {
            if (!hold.Extent.Overlaps(extent) || (isFound && hold.Extent.OffsetBytes >= first.OffsetBytes))
                continue;
            (first, isFound) = (hold.Extent, true);
        }
        return isFound;
    }
}
