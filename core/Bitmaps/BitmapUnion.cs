// How much unions of bitmaps have, without making them: that is what is asked most, and a bitmap of a large disk takes
// thousands of fresh pages to be made. The parts meet block by block (64 lines, a page) in a buffer on the stack, the
// last one first, and only lines that are dirty in some part are looked at: the cost is what is dirty, not what is
// there.
// Cost: a word of level 1 a block and part, and a miss a dirty line and part, asked for ahead. No memory. The figures:
// bench/Micro since.
using System;
using System.Collections.Generic;
using System.Numerics;
using System.Runtime.CompilerServices;
using FastBackup.Base;
using FastBackup.Bitmaps.Kernels;

namespace FastBackup.Bitmaps;

public static class BitmapUnion
{
    const ulong BlockLines = 64;
    const int LineWords = (int)BitmapShape.LineWords;

    /// <summary>For each part, how many bytes are dirty in it or in any of those behind it.</summary>
    /// <param name="parts">One at least, all of one size and granularity.</param>
    /// <param name="dirtyBytes">As long: of the union of the parts from each on.</param>
    /// <remarks>Threads: any; of what is set meanwhile some may be missed.</remarks>
    public static void CountFromEach(IReadOnlyList<HierarchicalBitmap> parts, Span<ulong> dirtyBytes)
    {
        HierarchicalBitmap[] all = OfOneShape(parts);
        Check.That(dirtyBytes.Length == all.Length);
        dirtyBytes.Clear();
        CountGains(all, dirtyBytes);
        for (int i = all.Length - 2; i >= 0; i--)
            dirtyBytes[i] += dirtyBytes[i + 1];
        ToBytes(all, dirtyBytes);
    }

    /// <summary>Whether a bitmap of the union would take most of the pages that one of this size can have.</summary>
    /// <param name="parts">As above.</param>
    public static bool IsSpread(IReadOnlyList<HierarchicalBitmap> parts)
    {
        HierarchicalBitmap[] all = OfOneShape(parts);
        ulong blockCount = BlockCount(all[0]);
        ulong takenCount = 0;
        for (ulong block = 0; block < blockCount; block++)
            foreach (HierarchicalBitmap part in all)
            {
                if (part.BlockMask(block) == 0)
                    continue;
                takenCount++;
                break;
            }
        return takenCount > blockCount / 2;
    }

    static HierarchicalBitmap[] OfOneShape(IReadOnlyList<HierarchicalBitmap> parts)
    {
        HierarchicalBitmap[] all = [.. parts];
        Check.That(all.Length > 0);
        foreach (HierarchicalBitmap part in all)
            Check.That(part.HasShapeOf(all[0]));
        return all;
    }

    static ulong BlockCount(HierarchicalBitmap bitmap) =>
        Units.DivCeil(bitmap.BitCount, BlockLines * BitmapShape.LineWords * 64);

    /// <summary>Of each part the bits that none behind it has.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void CountGains(HierarchicalBitmap[] parts, Span<ulong> gains)
    {
        Span<ulong> union = stackalloc ulong[(int)BlockLines * LineWords];
        ulong blockCount = BlockCount(parts[0]);
        for (ulong block = 0; block < blockCount; block++)
        {
            ulong seen = 0;
            for (int i = parts.Length - 1; i >= 0; i--)
            {
                parts[i].PrefetchAhead(block);
                ulong lines = parts[i].BlockMask(block);
                for (ulong rest = lines; rest != 0; rest &= rest - 1)
                {
                    int line = BitOperations.TrailingZeroCount(rest);
                    Span<ulong> words = union.Slice(line * LineWords, LineWords);
                    if ((seen >> line & 1) == 0)
                        words.Clear();
                    ref ulong source = ref parts[i].Leaf((block * BlockLines + (uint)line) * BitmapShape.LineWords);
                    gains[i] += BitmapKernels.Or(ref words[0], in source, LineWords);
                }
                seen |= lines;
            }
        }
    }

    /// <summary>Granules to bytes: the last one may be shorter.</summary>
    static void ToBytes(HierarchicalBitmap[] parts, Span<ulong> counts)
    {
        ulong granuleBytes = parts[0].GranularityBytes;
        ulong bitCount = parts[0].BitCount;
        ulong missingBytes = bitCount * granuleBytes - parts[0].SizeBytes;
        bool isLastDirty = false;
        for (int i = parts.Length - 1; i >= 0; i--)
        {
            isLastDirty |= bitCount > 0 && parts[i].GetBit(bitCount - 1);
            counts[i] = counts[i] * granuleBytes - (isLastDirty && counts[i] > 0 ? missingBytes : 0);
        }
    }
}
