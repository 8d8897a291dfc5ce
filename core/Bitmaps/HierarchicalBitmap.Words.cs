// Questions that only the leaf may answer. The summaries can hide a set bit for a moment while a neighbour is
// being cleared (see the file head of HierarchicalBitmap.cs); a guest write must not slip through there.
using System.Runtime.CompilerServices;
using System.Threading;
using FastBackup.Base;

namespace FastBackup.Bitmaps;

public sealed partial class HierarchicalBitmap
{
    /// <summary>Whether any bit of a run is set, from the leaf alone.</summary>
    /// <param name="firstBit">At most BitCount.</param>
    /// <param name="bitCount">May be 0; the sum must not pass BitCount.</param>
    /// <returns>True when a bit was set before the call and not cleared during it; false when none was.</returns>
    /// <remarks>Threads: any, wait-free. Cost: one read per 64 bits: for the few granules of one request.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsAnySet(ulong firstBit, ulong bitCount)
    {
        Check.That(firstBit <= _bitCount);
        Check.That(bitCount <= _bitCount - firstBit);
        if (bitCount == 0)
            return false;
        ulong lastBit = firstBit + bitCount - 1;
        ulong word = firstBit >> 6;
        ulong lastWord = lastBit >> 6;
        ulong mask = ulong.MaxValue << (int)firstBit;
        for (; word < lastWord; word++, mask = ulong.MaxValue)
            if ((Volatile.Read(ref Leaf(word)) & mask) != 0)
                return true;
        mask &= ulong.MaxValue >> (63 - (int)(lastBit & 63));
        return (Volatile.Read(ref Leaf(word)) & mask) != 0;
    }

    /// <summary>Clears a run of bits by index.</summary>
    /// <param name="firstBit">At most BitCount.</param>
    /// <param name="bitCount">May be 0; the sum must not pass BitCount.</param>
    /// <remarks>Threads: any; of a set at the same time, either comes last.</remarks>
    public void ClearBits(ulong firstBit, ulong bitCount)
    {
        Check.That(firstBit <= _bitCount);
        Check.That(bitCount <= _bitCount - firstBit);
        if (bitCount > 0)
            ResetRange(firstBit, firstBit + bitCount - 1);
    }
}
