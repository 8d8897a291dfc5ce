// Filling and clearing whole stretches by plain stores, for callers that are alone with the bitmap. The levels are
// written one after the other, each in as few and as long pieces as it has.
using System.Numerics;
using FastBackup.Bitmaps.Kernels;

namespace FastBackup.Bitmaps;

public sealed partial class HierarchicalBitmap
{
    void SetRangeExclusive(ulong firstBit, ulong endBit)
    {
        ulong count = CountBits() - PopCountBits(firstBit, endBit) + (endBit - firstBit);
        FillOnes(firstBit, endBit);
        _count.Restart(count);
    }

    void ResetRangeExclusive(ulong firstBit, ulong endBit)
    {
        if (firstBit == 0 && endBit == _bitCount)
        {
            ResetAll();
            return;
        }
        ulong firstLine = (firstBit + 511) >> LineShift;
        ulong endLine = endBit >> LineShift;
        if (firstLine >= endLine)
        {
            ResetRange(firstBit, endBit - 1);
            return;
        }
        // The lines at the edges are shared with bits that stay.
        if (firstBit < firstLine << LineShift)
            ResetRange(firstBit, (firstLine << LineShift) - 1);
        if (endLine << LineShift < endBit)
            ResetRange(endLine << LineShift, endBit - 1);
        ulong count = CountBits() - PopCountBits(firstLine << LineShift, endLine << LineShift);
        for (ulong line = NextDirtyLine(firstLine, endLine); line != NotFound; )
        {
            ulong runEnd = _topLevel > 0 ? FindZero(1, line, endLine) : endLine;
            BitmapKernels.Fill(ref Leaf(line * LineWords), 0, (nuint)((runEnd - line) * LineWords));
            line = NextDirtyLine(runEnd, endLine);
        }
        RebuildSummaries(firstLine, endLine);
        _count.Restart(count);
    }

    /// <summary>Zeroes the dirty lines and all summaries above them. Exclusive; the count is the caller's.</summary>
    void ClearDirtyLines()
    {
        ClearLevelLines(0);
        for (int level = 1; level < _topLevel; level++)
            ClearLevelLines(level);
        BitmapKernels.Fill(ref Word(_topLevel, 0), 0, (nuint)_shape.WordCount(_topLevel));
    }

    /// <summary>Zeroes the lines of a level whose bit is set in the level above; dense blocks in one go.</summary>
    void ClearLevelLines(int level)
    {
        if (level >= _topLevel)
            return;
        ulong lineCount = _shape.WordCount(level) / LineWords;
        for (ulong line = FindOne(level + 1, 0, lineCount); line != NotFound; )
        {
            ulong block = line / BlockLines;
            ulong first = block * BlockLines;
            ulong dirty = Word(level + 1, block);
            if (BitOperations.PopCount(dirty) >= DenseLineCount)
            {
                ulong words = System.Math.Min(BlockLines, lineCount - first) * LineWords;
                BitmapKernels.Fill(ref Word(level, first * LineWords), 0, (nuint)words);
            }
            else
            {
                for (; dirty != 0; dirty &= dirty - 1)
                {
                    ulong word = (first + (uint)BitOperations.TrailingZeroCount(dirty)) * LineWords;
                    BitmapKernels.Fill(ref Word(level, word), 0, (nuint)LineWords);
                }
            }
            line = FindOne(level + 1, first + BlockLines, lineCount);
        }
    }

    /// <summary>Sets the bits [first, end) and every summary above. Exclusive; the count is the caller's.</summary>
    void FillOnes(ulong first, ulong end)
    {
        for (int level = 0; level <= _topLevel && first < end; level++)
        {
            FillLevelOnes(level, first, end);
            first >>= LineShift;
            end = ((end - 1) >> LineShift) + 1;
        }
    }

    void FillLevelOnes(int level, ulong first, ulong end)
    {
        ulong firstWord = first >> 6;
        ulong lastWord = (end - 1) >> 6;
        if (firstWord == lastWord)
        {
            Word(level, firstWord) |= MaskBetween(first, end - 1);
            return;
        }
        Word(level, firstWord) |= ulong.MaxValue << (int)(first & 63);
        BitmapKernels.Fill(ref Word(level, firstWord + 1), ulong.MaxValue, (nuint)(lastWord - firstWord - 1));
        Word(level, lastWord) |= ulong.MaxValue >> (int)(63 - ((end - 1) & 63));
    }
}
