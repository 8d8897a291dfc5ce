// Which of N equal units are free, and contiguous runs of them: the space map of a buffer pool and of a scratch file.
// One bit a unit, set while taken. First fit keeps what is used together at the low end; next fit (TryTakeNext) walks
// on from the last run, so that what is taken one after the other lies one after the other: a log that reuses space.
//
// Cost: a search reads a word per 64 units from the first that may have room; a single unit is found in the first
// word that has a zero. All memory is reserved at construction and is present as far as units were ever taken, so that
// room for very many costs nothing. Knows nothing of what the units are.
using System;
using System.Numerics;
using FastBackup.Base;

namespace FastBackup.Memory;

/// <summary>Threads: one at a time.</summary>
public sealed class UnitRuns : IDisposable
{
    readonly NativeArray<ulong> _taken; // bits past Count are never looked at
    uint _firstWord; // no unit is free below it
    uint _next; // where the last run of TryTakeNext ended

    /// <param name="count">Units, all free: 1..2^28.</param>
    public UnitRuns(uint count)
    {
        Check.That(count is > 0 and <= 1 << 28);
        Count = count;
        FreeCount = count;
        _taken = new NativeArray<ulong>((count + 63) / 64, RegionResidency.Lazy);
    }

    public uint Count { get; }

    public uint FreeCount { get; private set; }

    /// <summary>Takes the lowest run that is long enough.</summary>
    /// <param name="length">Units, at least 1.</param>
    /// <param name="first">The first unit of the run.</param>
    /// <returns>False when there is no such run.</returns>
    public bool TryTake(uint length, out uint first) => TryTakeFrom(_firstWord * 64, length, out first);

    /// <summary>Takes the next run after the last one that was taken so, from the start again at the end.</summary>
    /// <inheritdoc cref="TryTake"/>
    public bool TryTakeNext(uint length, out uint first)
    {
        if (!TryTakeFrom(_next, length, out first) && !TryTakeFrom(_firstWord * 64, length, out first))
            return false;
        _next = first + length;
        return true;
    }

    /// <summary>The longest run of free units, but no more than asked for.</summary>
    /// <param name="lengthMax">At least 1.</param>
    /// <returns>0..lengthMax.</returns>
    public uint LongestRun(uint lengthMax)
    {
        uint longest = 0;
        for (uint first = NextFree(_firstWord * 64); first < Count && longest < lengthMax; )
        {
            uint end = NextTaken(first, lengthMax);
            longest = Math.Max(longest, end - first);
            first = NextFree(end);
        }
        return longest;
    }

    /// <summary>Gives a run back; units that are free already are an invariant failure.</summary>
    public void Return(uint first, uint length)
    {
        Check.That(length <= Count && first <= Count - length);
        for (uint unit = first; unit < first + length; unit++)
        {
            ulong mask = 1UL << (int)(unit & 63);
            Check.That((_taken[unit >> 6] & mask) != 0);
            _taken[unit >> 6] &= ~mask;
        }
        FreeCount += length;
        _firstWord = Math.Min(_firstWord, first >> 6);
    }

    bool TryTakeFrom(uint from, uint length, out uint first)
    {
        Check.That(length > 0);
        for (first = NextFree(from); first < Count; )
        {
            uint end = NextTaken(first, length);
            if (end - first >= length)
            {
                Take(first, length);
                return true;
            }
            first = NextFree(end);
        }
        return false;
    }

    void Take(uint first, uint length)
    {
        for (uint unit = first; unit < first + length; unit++)
            _taken[unit >> 6] |= 1UL << (int)(unit & 63);
        FreeCount -= length;
        while (_firstWord < _taken.Count - 1 && _taken[_firstWord] == ulong.MaxValue)
            _firstWord++;
    }

    /// <summary>The first free unit at or after one, or Count.</summary>
    uint NextFree(uint from)
    {
        for (uint word = from >> 6; word < _taken.Count; word++)
        {
            ulong free = ~_taken[word];
            if (word == from >> 6)
                free &= ulong.MaxValue << (int)(from & 63);
            if (free != 0)
                return Math.Min(Count, word * 64 + (uint)BitOperations.TrailingZeroCount(free));
        }
        return Count;
    }

    /// <summary>The end of the run of free units that starts here, looked for no further than asked.</summary>
    uint NextTaken(uint from, uint lengthMax)
    {
        uint limit = Count - from > lengthMax ? from + lengthMax : Count;
        for (uint word = from >> 6; word * 64 < limit; word++)
        {
            ulong taken = _taken[word];
            if (word == from >> 6)
                taken &= ulong.MaxValue << (int)(from & 63);
            if (taken != 0)
                return Math.Min(limit, word * 64 + (uint)BitOperations.TrailingZeroCount(taken));
        }
        return limit;
    }

    public void Dispose() => _taken.Dispose();
}
