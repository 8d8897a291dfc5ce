// Which parts of a read have come: chunks may come in any order, but none twice, and none may be missing. Kept as runs
// in order, those that touch are one: what comes in order is one run. A server that leaves more gaps at once than
// RunsMax is not followed. Cost: O(runs) a chunk, nothing allocated after construction.
using System;
using FastBackup.Base;

namespace FastBackup.Devices.Nbd;

/// <summary>Threads: the device's.</summary>
sealed class NbdCoverage
{
    const int RunsMax = 64;

    readonly Extent[] _runs = new Extent[RunsMax + 1];
    int _count;

    public void Clear() => _count = 0;

    /// <param name="start">Of the range.</param>
    /// <param name="lengthBytes">Of the range, above 0.</param>
    public bool IsWhole(ulong start, ulong lengthBytes) => _count == 1 && _runs[0] == new Extent(start, lengthBytes);

    /// <param name="chunk">Not empty.</param>
    /// <returns>False: a part of it was there already, or there are too many gaps.</returns>
    public bool TryAdd(in Extent chunk)
    {
        int place = 0;
        while (place < _count && _runs[place].OffsetBytes < chunk.OffsetBytes)
            place++;
        bool isTaken =
            (place > 0 && _runs[place - 1].EndBytes > chunk.OffsetBytes)
            || (place < _count && chunk.EndBytes > _runs[place].OffsetBytes);
        if (isTaken)
            return false;
        Array.Copy(_runs, place, _runs, place + 1, _count - place);
        _runs[place] = chunk;
        _count++;
        Join(place);
        Join(place - 1);
        return _count <= RunsMax;
    }

    /// <summary>A run and the next become one when they touch.</summary>
    void Join(int place)
    {
        if (place < 0 || place + 1 >= _count || _runs[place].EndBytes != _runs[place + 1].OffsetBytes)
            return;
        _runs[place] = new Extent(_runs[place].OffsetBytes, _runs[place].LengthBytes + _runs[place + 1].LengthBytes);
        _count--;
        Array.Copy(_runs, place + 2, _runs, place + 1, _count - place - 1);
    }
}
