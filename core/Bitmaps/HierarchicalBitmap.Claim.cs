// Claims: turning dirty into "mine". A claim is an atomic clear, so exactly one thread gets each bit; what a
// thread got and could not use goes back with SetBits.
using System;
using System.Numerics;
using System.Threading;
using FastBackup.Base;

namespace FastBackup.Bitmaps;

public sealed partial class HierarchicalBitmap
{
    /// <summary>Clears one bit; of all threads that try, exactly one gets true per time the bit was set.</summary>
    /// <param name="bit">Less than BitCount.</param>
    /// <remarks>Threads: any. Cost: a plain read when the bit is clean.</remarks>
    public bool TryClaim(ulong bit) => TryClaim<Unwatched>(bit);

    internal bool TryClaim<TWatch>(ulong bit)
        where TWatch : struct, ISummaryWatch
    {
        Check.That(bit < _bitCount);
        ulong mask = 1UL << (int)bit;
        ref ulong word = ref Leaf(bit >> 6);
        if ((Volatile.Read(ref word) & mask) == 0)
            return false;
        ulong before = Interlocked.And(ref word, ~mask);
        if ((before & mask) == 0)
            return false;
        _count.Subtract(bit >> LineShift, 1);
        if ((before & ~mask) == 0)
            LowerSummaries<TWatch>(1, bit >> LineShift);
        return true;
    }

    /// <summary>Finds the next dirty bit and claims the run that starts there.</summary>
    /// <param name="fromBit">Where the search starts; at most endBit.</param>
    /// <param name="endBit">Where search and run end; at most BitCount.</param>
    /// <param name="maxBits">The run is cut at this length; at least 1.</param>
    /// <param name="firstBit">First claimed bit, or NotFound.</param>
    /// <param name="bitCount">1..maxBits bits from firstBit, each cleared by this very call; 0 when none.</param>
    /// <returns>False when nothing dirty was found; the end of the work is CountBits() == 0.</returns>
    /// <remarks>Threads: any. Retries only after another thread changed the word it is at.</remarks>
    public bool TryClaimRun(ulong fromBit, ulong endBit, ulong maxBits, out ulong firstBit, out ulong bitCount)
    {
        Check.That(fromBit <= endBit);
        Check.That(endBit <= _bitCount);
        Check.That(maxBits > 0);
        bitCount = 0;
        while (true)
        {
            firstBit = FindOne(0, fromBit, endBit);
            if (firstBit == NotFound)
                return false;
            ulong limit = firstBit + Math.Min(maxBits, endBit - firstBit);
            bitCount = ClaimFrom(firstBit, limit);
            if (bitCount > 0)
                return true;
            fromBit = firstBit; // another claim was faster: look again from here
        }
    }

    /// <summary>Claims the one bits from first on, without a gap, up to limit; returns how many.</summary>
    ulong ClaimFrom(ulong first, ulong limit)
    {
        ulong bit = first;
        while (bit < limit)
        {
            ulong line = bit >> LineShift;
            ulong lineEnd = Math.Min(limit, (line + 1) << LineShift);
            ulong lineFirst = bit;
            while (bit < lineEnd)
            {
                ulong wordEnd = Math.Min(lineEnd, (bit | 63) + 1);
                ulong claimed = ClaimInWord(bit, wordEnd);
                bit += claimed;
                if (bit < wordEnd)
                    break; // a clean bit: the run ends here
            }
            if (bit > lineFirst)
            {
                _count.Subtract(line, bit - lineFirst);
                LowerSummaries(1, line);
            }
            if (bit < lineEnd)
                break;
        }
        return bit - first;
    }

    /// <summary>
    /// Claims the ones from bit on, up to end, within one word. All or a shorter run, never with a gap.
    /// </summary>
    /// <remarks>
    /// A compare-exchange of exactly the word that was looked at: an And could find that another claim took a bit
    /// from the middle, and the bits after it would have to be set back, invisible to searches meanwhile.
    /// </remarks>
    ulong ClaimInWord(ulong bit, ulong end)
    {
        ref ulong word = ref Leaf(bit >> 6);
        ulong seen = Volatile.Read(ref word);
        while (true)
        {
            ulong ones = (uint)BitOperations.TrailingZeroCount(~(seen >> (int)bit));
            ulong run = Math.Min(ones, end - bit);
            if (run == 0)
                return 0;
            ulong mask = MaskBetween(bit, bit + run - 1);
            ulong before = Interlocked.CompareExchange(ref word, seen & ~mask, seen);
            if (before == seen)
                return run;
            seen = before;
        }
    }
}
