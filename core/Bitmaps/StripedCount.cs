// The number of dirty bits, kept by many threads without one hot line. A change of a line is counted in the
// stripe of that line, so two threads meet on a counter only when they meet on neighbouring lines anyway
// (or by 1 chance in 32), and no thread needs an identity.
//
// It never understates: a setter adds before it stores and takes back what was set already; a clearer
// subtracts after it stores. So at each moment stripe s >= (dirty bits of its lines) - (those in the base).
// Read sums the base and the stripes one after the other. A bit that was set before Read and stays set is in the
// base or in its own stripe at the moment that stripe is read, and no other stripe can fall below zero net
// of the base; so a Read of 0 proves that no such bit exists, although the sum is not a snapshot.
// Bulk clears subtract from the base, once, afterwards. Read takes the base first: if it misses that subtraction the
// sum is too high, and if it does not, the stripes read later still hold what the setters had added.
// If setters added after their store, a claim could subtract a bit that is not yet counted and hide another.
using System;
using System.Threading;
using FastBackup.Base;

namespace FastBackup.Bitmaps;

/// <summary>Threads: any, but Restart exclusive.</summary>
struct StripedCount
{
    readonly unsafe long* _stripes; // one per BitmapShape.StripeWords words, in the bitmap's region
    long _base;

    public unsafe StripedCount(nint stripes)
    {
        _stripes = (long*)stripes;
        _base = 0;
    }

    public readonly void Add(ulong lineIndex, ulong count) => Interlocked.Add(ref Stripe(lineIndex), (long)count);

    public readonly void Subtract(ulong lineIndex, ulong count) => Interlocked.Add(ref Stripe(lineIndex), -(long)count);

    /// <summary>As Add for each of some lines.</summary>
    /// <param name="firstLine">The first of them.</param>
    /// <param name="endLine">Behind the last.</param>
    /// <param name="countEach">Bits of each.</param>
    public readonly void AddLines(ulong firstLine, ulong endLine, ulong countEach)
    {
        const ulong last = BitmapShape.StripeCount - 1;
        for (ulong stripe = 0; stripe <= last; stripe++)
        {
            ulong lines = (endLine + last - stripe) / (last + 1) - (firstLine + last - stripe) / (last + 1);
            if (lines > 0)
                Add(stripe, lines * countEach);
        }
    }

    /// <summary>As Subtract for many lines.</summary>
    /// <param name="counts">Of each stripe: the sum over its lines, which are a stripe count apart.</param>
    public readonly void Subtract(ReadOnlySpan<ulong> counts)
    {
        for (int stripe = 0; stripe < counts.Length; stripe++)
            if (counts[stripe] > 0)
                Subtract((ulong)stripe, counts[stripe]);
    }

    /// <summary>Subtracts bits that were cleared in many lines. Threads: any.</summary>
    public void SubtractFromBase(ulong count) => Interlocked.Add(ref _base, -(long)count);

    public readonly ulong Read()
    {
        long sum = Volatile.Read(in _base);
        for (ulong stripe = 0; stripe < BitmapShape.StripeCount; stripe++)
            sum += Volatile.Read(ref Stripe(stripe));
        return sum < 0 ? 0 : (ulong)sum;
    }

    /// <summary>Starts again from an exact count. Threads: exclusive.</summary>
    public void Restart(ulong count)
    {
        for (ulong stripe = 0; stripe < BitmapShape.StripeCount; stripe++)
            Stripe(stripe) = 0;
        _base = (long)count;
    }

    // SAFETY: the index is masked to the stripes that BitmapShape placed in the region.
    readonly unsafe ref long Stripe(ulong lineIndex) =>
        ref _stripes[(lineIndex & (BitmapShape.StripeCount - 1)) * BitmapShape.StripeWords];
}
