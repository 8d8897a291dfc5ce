// Access to the levels, and the three things every operation is made of: set bits of a word, clear bits of a
// word, keep the summaries true. The order of the stores here is what the argument in HierarchicalBitmap.cs
// is about.
using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps.Kernels;
using FastBackup.Memory;

namespace FastBackup.Bitmaps;

public sealed partial class HierarchicalBitmap
{
    const int LineShift = BitmapShape.LineShift;
    const ulong LineWords = BitmapShape.LineWords;

    [InlineArray(BitmapShape.LevelCountMax)]
    struct LevelStarts
    {
        nint _first;
    }

    /// <summary>Takes the addresses of a region; the size fields are the caller's.</summary>
    void Adopt(AlignedRegion region, BitmapShape shape)
    {
        Check.That(region.LengthBytes >= shape.RegionBytes);
        _region = region;
        _shape = shape;
        _topLevel = shape.LevelCount - 1;
        for (int level = 0; level < shape.LevelCount; level++)
            _levelStarts[level] = region.Start + checked((nint)(shape.FirstWord(level) * sizeof(ulong)));
        _leafStart = _levelStarts[0];
        _count = new StripedCount(region.Start + checked((nint)(shape.FirstStripeWord * sizeof(ulong))));
    }

    // SAFETY: callers pass an index below the level's word count: bits were checked against _bitCount, and
    // _bitCount <= shape.BitCountMax, from which the word counts of all levels were derived.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal unsafe ref ulong Leaf(ulong wordIndex) => ref ((ulong*)_leafStart)[wordIndex];

    // SAFETY: as Leaf; an index of level k + 1 is a line index of level k, below its line count.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    unsafe ref ulong Word(int level, ulong wordIndex) => ref ((ulong*)_levelStarts[level])[wordIndex];

    /// <summary>Reads dirty bits in batches; the bitmap must not change meanwhile.</summary>
    // SAFETY: level 0 has LeafLines whole lines, and level 1, where it exists, a bit for each.
    internal unsafe DirtyReader Reader() =>
        new((ulong*)_leafStart, _topLevel > 0 ? (ulong*)_levelStarts[1] : null, LeafLines);

    /// <summary>Words of level 0 in use; those past it, up to the end of the region, are zero.</summary>
    ulong LeafWords => (_bitCount + 63) >> 6;

    ulong LeafLines => (_bitCount + 511) >> LineShift;

    /// <summary>Ones from bit (first mod 64) to bit (last mod 64) of one word.</summary>
    static ulong MaskBetween(ulong first, ulong last) =>
        (ulong.MaxValue << (int)(first & 63)) & (ulong.MaxValue >> (int)(63 - (last & 63)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    void SetBit(ulong bit)
    {
        ulong mask = 1UL << (int)bit;
        ulong seen = Volatile.Read(ref Leaf(bit >> 6));
        if ((seen & mask) == 0)
            StoreOnes(bit >> 6, mask, seen);
        RaiseSummaries(1, bit >> LineShift);
    }

    /// <summary>Sets the bits of mask in a word of level 0; the count never understates (see StripedCount).</summary>
    void StoreOnes(ulong wordIndex, ulong mask, ulong seen)
    {
        ulong line = wordIndex >> (LineShift - 6);
        ulong assumed = (uint)BitOperations.PopCount(mask);
        _count.Add(line, assumed);
        while (true)
        {
            ulong before = Interlocked.CompareExchange(ref Leaf(wordIndex), seen | mask, seen);
            if (before == seen)
                break;
            seen = before;
        }
        ulong added = (uint)BitOperations.PopCount(mask & ~seen);
        if (added != assumed)
            _count.Subtract(line, assumed - added);
    }

    /// <summary>Clears the bits of mask in a word of level 0 and returns those that this call cleared.</summary>
    ulong TakeOnes(ulong wordIndex, ulong mask) =>
        mask == ulong.MaxValue
            ? Interlocked.Exchange(ref Leaf(wordIndex), 0)
            : Interlocked.And(ref Leaf(wordIndex), ~mask) & mask;

    /// <summary>S2 and S3 of the argument, for every level from the given one up.</summary>
    /// <param name="level">Level whose bit is looked at first, at least 1.</param>
    /// <param name="index">Index of that bit: a line of the level below.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    void RaiseSummaries(int level, ulong index)
    {
        for (; level <= _topLevel; level++)
        {
            ref ulong word = ref Word(level, index >> 6);
            ulong bit = 1UL << (int)index;
            if ((Volatile.Read(ref word) & bit) == 0)
                Interlocked.Or(ref word, bit);
            index >>= LineShift;
        }
    }

    /// <summary>
    /// C2 to C4 of the argument, upwards while lines become zero. Call after bits of a line were cleared.
    /// </summary>
    /// <param name="level">Level whose bit goes first, at least 1.</param>
    /// <param name="index">Index of that bit: the line of the level below in which bits were cleared.</param>
    void LowerSummaries(int level, ulong index) => LowerSummaries<Unwatched>(level, index);

    void LowerSummaries<TWatch>(int level, ulong index)
        where TWatch : struct, ISummaryWatch
    {
        for (; level <= _topLevel; level++)
        {
            if (!IsLineZero(level - 1, index))
                return;
            ref ulong word = ref Word(level, index >> 6);
            ulong bit = 1UL << (int)index;
            if ((Volatile.Read(ref word) & bit) == 0)
                return; // another clearer is past C2 and will do its own C3
            TWatch.BeforeClear(this, level);
            Interlocked.And(ref word, ~bit);
            TWatch.AfterClear(this, level);
            if (!IsLineZero(level - 1, index))
            {
                RaiseSummaries(level, index);
                return;
            }
            index >>= LineShift;
        }
    }

    /// <summary>C1's test and C3: eight loads that no later load may pass.</summary>
    bool IsLineZero(int level, ulong line)
    {
        ref ulong first = ref Word(level, line * LineWords);
        ulong any = 0;
        for (nuint word = 0; word < LineWords; word++)
            any |= Volatile.Read(ref Unsafe.Add(ref first, word));
        return any == 0;
    }
}
