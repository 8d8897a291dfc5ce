// And, AndNot, Invert, PopCount, Equal: between bitmaps of one shape, block by block (64 lines) of those that
// level 1 calls dirty.
using System;
using System.Numerics;
using FastBackup.Base;
using FastBackup.Bitmaps.Kernels;

namespace FastBackup.Bitmaps;

public sealed partial class HierarchicalBitmap
{
    /// <summary>Keeps only the bits that the other bitmap has too.</summary>
    /// <returns>None, or Invalid when size or granularity differ.</returns>
    /// <remarks>Threads: exclusive. Cost: dirty blocks of this bitmap.</remarks>
    public Fault And(HierarchicalBitmap other)
    {
        if (!HasShapeOf(other))
            return new Fault(FaultKind.Invalid);
        if (!ReferenceEquals(other, this))
            ClearWith(other, keepsCommon: true);
        return Fault.None;
    }

    /// <summary>Clears the bits that the other bitmap has.</summary>
    /// <returns>None, or Invalid when size or granularity differ.</returns>
    /// <remarks>Threads: exclusive. Cost: dirty blocks of this bitmap.</remarks>
    public Fault AndNot(HierarchicalBitmap other)
    {
        if (!HasShapeOf(other))
            return new Fault(FaultKind.Invalid);
        if (ReferenceEquals(other, this))
            ResetAll();
        else
            ClearWith(other, keepsCommon: false);
        return Fault.None;
    }

    /// <summary>Makes dirty what was clean and the reverse; bits past the end stay zero.</summary>
    /// <remarks>Threads: exclusive. Cost: every word, at the speed of memory.</remarks>
    public void Invert()
    {
        if (_bitCount == 0)
            return;
        ulong ones = BitmapKernels.Invert(ref Leaf(0), (nuint)LeafWords);
        ref ulong last = ref Leaf(LeafWords - 1);
        ulong inside = MaskBetween(0, _bitCount - 1);
        ones -= (uint)BitOperations.PopCount(last & ~inside);
        last &= inside;
        RebuildSummaries(0, LeafLines);
        _count.Restart(ones);
    }

    /// <summary>Dirty granules among those that a byte range touches.</summary>
    /// <param name="offsetBytes">At most SizeBytes.</param>
    /// <param name="lengthBytes">May be 0; the sum must not pass SizeBytes.</param>
    /// <param name="dirtyBits">0 after a fault.</param>
    /// <returns>None or Range.</returns>
    /// <remarks>Threads: any. Cost: dirty lines of the range.</remarks>
    public Fault PopCount(ulong offsetBytes, ulong lengthBytes, out ulong dirtyBits)
    {
        dirtyBits = 0;
        if (!new Extent(offsetBytes, lengthBytes).IsWithin(_sizeBytes))
            return new Fault(FaultKind.Range, 0, offsetBytes);
        if (lengthBytes > 0)
        {
            ulong endBit = BitsFor(offsetBytes + lengthBytes, _granularityShift);
            dirtyBits = PopCountBits(offsetBytes >> _granularityShift, endBit);
        }
        return Fault.None;
    }

    /// <summary>Same size, granularity and bits.</summary>
    /// <remarks>Threads: any; meaningful when both are at rest. Cost: dirty blocks of either.</remarks>
    public bool Equal(HierarchicalBitmap other)
    {
        if (!HasShapeOf(other))
            return false;
        ulong lineCount = LeafLines;
        ulong line = 0;
        while (true)
        {
            // NotFound is the largest number, so the minimum is the next line that either has.
            line = Math.Min(NextDirtyLine(line, lineCount), other.NextDirtyLine(line, lineCount));
            if (line == NotFound)
                return true;
            ulong first = line - line % BlockLines;
            ulong end = Math.Min(first + BlockLines, lineCount);
            nuint words = (nuint)((end - first) * LineWords);
            if (
                BitmapKernels.FirstDifference(in Leaf(first * LineWords), in other.Leaf(first * LineWords), words)
                < words
            )
                return false;
            line = end;
        }
    }

    void ClearWith(HierarchicalBitmap other, bool keepsCommon)
    {
        ulong lineCount = LeafLines;
        ulong cleared = 0;
        for (ulong line = NextDirtyLine(0, lineCount); line != NotFound; )
        {
            ulong block = line / BlockLines;
            ulong first = block * BlockLines * LineWords;
            nuint lines = (nuint)Math.Min(BlockLines, lineCount - block * BlockLines);
            nuint words = lines * (nuint)LineWords;
            cleared += keepsCommon
                ? BitmapKernels.And(ref Leaf(first), in other.Leaf(first), words)
                : BitmapKernels.AndNot(ref Leaf(first), in other.Leaf(first), words);
            if (_topLevel > 0)
            {
                ulong dirty = BitmapKernels.NonZeroLines(in Leaf(first), lines);
                Word(1, block) = dirty;
                if (dirty == 0)
                    LowerSummaries(2, block * BlockLines >> LineShift);
            }
            line = NextDirtyLine((block + 1) * BlockLines, lineCount);
        }
        _count.Restart(CountBits() - cleared);
    }

    ulong PopCountBits(ulong firstBit, ulong endBit)
    {
        if (firstBit >= endBit)
            return 0;
        ulong endLine = ((endBit - 1) >> LineShift) + 1;
        ulong ones = 0;
        ulong line = firstBit >> LineShift;
        while (true)
        {
            line = NextDirtyLine(line, endLine);
            if (line == NotFound)
                return ones;
            ulong runEnd = _topLevel > 0 ? FindZero(1, line, endLine) : endLine;
            ones += PopCountWords(Math.Max(firstBit, line << LineShift), Math.Min(endBit, runEnd << LineShift));
            line = runEnd;
        }
    }

    ulong PopCountWords(ulong firstBit, ulong endBit)
    {
        ulong firstWord = firstBit >> 6;
        ulong lastWord = (endBit - 1) >> 6;
        if (firstWord == lastWord)
            return (uint)BitOperations.PopCount(Leaf(firstWord) & MaskBetween(firstBit, endBit - 1));
        ulong edges = (uint)BitOperations.PopCount(Leaf(firstWord) & (ulong.MaxValue << (int)(firstBit & 63)));
        edges += (uint)BitOperations.PopCount(Leaf(lastWord) & (ulong.MaxValue >> (int)(63 - ((endBit - 1) & 63))));
        return edges + BitmapKernels.PopCount(in Leaf(firstWord + 1), (nuint)(lastWord - firstWord - 1));
    }

    /// <summary>Makes every summary bit above lines [firstLine, endLine) of level 0 exact. Exclusive.</summary>
    void RebuildSummaries(ulong firstLine, ulong endLine)
    {
        for (int level = 1; level <= _topLevel && firstLine < endLine; level++)
        {
            ulong lineCount = _shape.WordCount(level - 1) / LineWords;
            for (ulong word = firstLine / 64; word * 64 < endLine; word++)
            {
                nuint lines = (nuint)Math.Min(64, lineCount - word * 64);
                Word(level, word) = BitmapKernels.NonZeroLines(in Word(level - 1, word * 64 * LineWords), lines);
            }
            firstLine >>= LineShift;
            endLine = ((endLine - 1) >> LineShift) + 1;
        }
    }

    /// <summary>Checks the whole structure; for tests and simulation. Throws InvariantException.</summary>
    /// <remarks>Threads: exclusive. Cost: every word of every level.</remarks>
    public void Verify()
    {
        nuint allWords = (nuint)_shape.WordCount(0);
        Check.That(LeafWords <= allWords);
        if ((_bitCount & 63) != 0)
            Check.That(Leaf(LeafWords - 1) >> (int)(_bitCount & 63) == 0);
        if (LeafWords < allWords)
        {
            nuint past = allWords - (nuint)LeafWords;
            Check.That(BitmapKernels.FirstNonZero(in Leaf(LeafWords), past) == past);
        }
        for (int level = 1; level <= _topLevel; level++)
        {
            ulong lineCount = _shape.WordCount(level - 1) / LineWords;
            for (ulong word = 0; word < _shape.WordCount(level); word++)
            {
                ulong first = Math.Min(word * 64, lineCount);
                nuint lines = (nuint)Math.Min(64, lineCount - first);
                ulong dirty = lines == 0 ? 0 : BitmapKernels.NonZeroLines(in Word(level - 1, first * LineWords), lines);
                Check.That((dirty & ~Word(level, word)) == 0); // no line without its summary bit
            }
        }
        Check.That(_count.Read() == BitmapKernels.PopCount(in Leaf(0), allWords));
    }
}
