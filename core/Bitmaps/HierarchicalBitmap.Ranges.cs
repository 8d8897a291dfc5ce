// Setting and clearing long ranges beside other threads. What a single bit pays for itself, a block of 64 lines (a word
// of level 1) or a batch of blocks pays once: the count, and the look at the summaries. The order of the stores stays
// that of the argument in HierarchicalBitmap.cs, for each line: all of a block's lines are stored (S1, C1), then its
// bits in level 1 are looked at (S2) or cleared (C2), then those lines are looked at again (C3).
//
// The words themselves are exchanged one by one: only an atomic exchange tells which bits it has changed, without which
// the count would be wrong for ever once a claim falls between a plain read and a plain store. That is the floor: eight
// locked instructions a line, 8 to 20 cycles each. Who is alone with the bitmap needs none: HierarchicalBitmap.Bulk.cs.
using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Threading;
using FastBackup.Bitmaps.Kernels;

namespace FastBackup.Bitmaps;

public sealed partial class HierarchicalBitmap
{
    const ulong LineBits = LineWords * 64;

    /// <summary>So much is counted in one go: 2^20 bits, what a piece of work on a bitmap is.</summary>
    const ulong BatchLines = 2048;

    /// <summary>Sets the bits [first, last], beside other threads.</summary>
    void SetRange(ulong first, ulong last)
    {
        ulong wholeLine = (first + (LineBits - 1)) >> LineShift;
        ulong endLine = (last + 1) >> LineShift;
        if (wholeLine >= endLine)
        {
            SetParts(first, last);
            return;
        }
        if (first < wholeLine << LineShift)
            SetParts(first, (wholeLine << LineShift) - 1);
        for (ulong line = wholeLine; line < endLine; )
        {
            ulong end = Math.Min(endLine, (line / BatchLines + 1) * BatchLines);
            SetLines(line, end);
            line = end;
        }
        if (endLine << LineShift <= last)
            SetParts(endLine << LineShift, last);
    }

    /// <summary>Bits that make up no whole line, in at most two lines.</summary>
    void SetParts(ulong first, ulong last)
    {
        for (ulong line = first >> LineShift; line <= last >> LineShift; line++)
        {
            SetWithinLine(Math.Max(first, line << LineShift), Math.Min(last, (line << LineShift) | (LineBits - 1)));
            RaiseSummaries(1, line);
        }
    }

    void SetWithinLine(ulong first, ulong last)
    {
        for (ulong word = first >> 6; word <= last >> 6; word++)
        {
            ulong mask = MaskBetween(Math.Max(first, word << 6), Math.Min(last, (word << 6) | 63));
            ulong seen = Volatile.Read(ref Leaf(word));
            if ((seen & mask) != mask)
                StoreOnes(word, mask, seen);
        }
    }

    /// <summary>All ones can be exchanged in, whatever was there: no retry.</summary>
    /// <param name="line">The first, of one batch.</param>
    /// <param name="endLine">Behind the last.</param>
    void SetLines(ulong line, ulong endLine)
    {
        Span<ulong> were = stackalloc ulong[(int)BitmapShape.StripeCount];
        _count.AddLines(line, endLine, LineBits); // before any store: it never understates
        while (line < endLine)
        {
            ulong block = line / BlockLines;
            ulong blockEnd = Math.Min(endLine, (block + 1) * BlockLines);
            ulong lines = MaskBetween(line, blockEnd - 1);
            for (; line < blockEnd; line++)
                were[(int)(line & (BitmapShape.StripeCount - 1))] += SetLine(line);
            RaiseBlock(block, lines);
        }
        _count.Subtract(were);
    }

    /// <returns>Bits that were set already.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    ulong SetLine(ulong line)
    {
        ref ulong first = ref Leaf(line * LineWords);
        if (BitmapKernels.FirstNotAllOnes(in first, (nuint)LineWords) == LineWords)
            return LineBits;
        ulong were = 0;
        for (nuint word = 0; word < LineWords; word++)
            were += (uint)BitOperations.PopCount(Interlocked.Exchange(ref Unsafe.Add(ref first, word), ulong.MaxValue));
        return were;
    }

    /// <summary>Clears the bits [first, last], beside other threads.</summary>
    void ResetRange(ulong first, ulong last) => ResetRange<Unwatched>(first, last);

    internal void ResetRange<TWatch>(ulong first, ulong last)
        where TWatch : struct, ISummaryWatch
    {
        ulong endLine = (last >> LineShift) + 1;
        ulong cleared = 0;
        for (ulong line = NextDirtyLine(first >> LineShift, endLine); line != NotFound; )
        {
            ulong block = line / BlockLines;
            ulong blockEnd = Math.Min(endLine, (block + 1) * BlockLines);
            ulong touched = 0;
            for (ulong rest = BlockMask(block) & MaskBetween(line, blockEnd - 1); rest != 0; rest &= rest - 1)
            {
                ulong ones = ResetLine(block * BlockLines + (uint)BitOperations.TrailingZeroCount(rest), first, last);
                touched |= ones == 0 ? 0 : rest & (0 - rest);
                cleared += ones;
            }
            LowerBlock<TWatch>(block, touched);
            line = NextDirtyLine(blockEnd, endLine);
        }
        if (cleared > 0)
            _count.SubtractFromBase(cleared);
    }

    /// <summary>Clears what a line has of [first, last].</summary>
    /// <returns>Bits that this call has cleared.</returns>
    ulong ResetLine(ulong line, ulong first, ulong last)
    {
        ulong cleared = 0;
        for (uint words = BitmapKernels.NonZeroWords(in Leaf(line * LineWords)); words != 0; words &= words - 1)
        {
            ulong word = line * LineWords + (uint)BitOperations.TrailingZeroCount(words);
            ulong low = Math.Max(first, word << 6);
            ulong high = Math.Min(last, (word << 6) | 63);
            if (low <= high)
                cleared += (uint)BitOperations.PopCount(TakeOnes(word, MaskBetween(low, high)));
        }
        return cleared;
    }

    /// <summary>S2 and S3 for lines of one block, all of which were stored into.</summary>
    void RaiseBlock(ulong block, ulong lines)
    {
        if (_topLevel == 0 || lines == 0)
            return;
        ref ulong word = ref Word(1, block);
        if ((Volatile.Read(ref word) & lines) != lines)
            Interlocked.Or(ref word, lines);
        RaiseSummaries(2, block * BlockLines >> LineShift);
    }

    /// <summary>C2 to C4 for lines of one block, in all of which bits were cleared.</summary>
    void LowerBlock<TWatch>(ulong block, ulong lines)
        where TWatch : struct, ISummaryWatch
    {
        if (_topLevel == 0)
            return;
        ref ulong word = ref Word(1, block);
        ulong cleared = ZeroLines(block, lines) & Volatile.Read(ref word); // else another clearer is past its C2
        if (cleared == 0)
            return;
        TWatch.BeforeClear(this, 1);
        Interlocked.And(ref word, ~cleared);
        TWatch.AfterClear(this, 1);
        ulong refilled = cleared & ~ZeroLines(block, cleared);
        if (refilled != 0)
            RaiseBlock(block, refilled);
        else
            LowerSummaries<TWatch>(2, block * BlockLines >> LineShift);
    }

    /// <summary>Those of some lines of a block that are zero: C1's test and C3.</summary>
    ulong ZeroLines(ulong block, ulong lines)
    {
        ulong zero = 0;
        for (ulong rest = lines; rest != 0; rest &= rest - 1)
            if (IsLineZero(0, block * BlockLines + (uint)BitOperations.TrailingZeroCount(rest)))
                zero |= rest & (0 - rest);
        return zero;
    }
}
