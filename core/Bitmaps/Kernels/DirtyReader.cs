// Reads the dirty bits, or the runs of dirty bits, of a bitmap that does not change, in batches into the caller's
// buffer. Level 1 gives the dirty lines, one load of a line the mask of its dirty words, and each word is decoded
// without a branch per bit: four positions are written without a test, and the output advances by the number
// of bits. A loop "while the word has bits" is mispredicted about once per word, which at 1 % density, where most
// dirty words have one bit or two, is the whole cost.
//
// Runs: a run starts at a one whose lower neighbour is zero and ends at a zero whose lower neighbour is one. Both are
// masks of a word and of the top bit before it, so starts and ends are decoded apart, the k-th of one
// belonging to the k-th of the other.
//   word 0b0110_1110, top bit before it 0:  starts 0b0010_0010, ends 0b1001_0000: [1, 4) and [5, 7)
//
// The lines of a level-1 word are asked for some words ahead: at low density every line is a miss.
using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using FastBackup.Base;

namespace FastBackup.Bitmaps.Kernels;

/// <summary>A walk over lines, resumed at any bit. Pure apart from its outputs.</summary>
readonly unsafe ref struct DirtyReader
{
    /// <summary>A line has 512 bits, and up to 3 positions are written past the last one.</summary>
    public const int BatchMin = 1024;

    /// <summary>
    /// From this many dirty words on, all eight are decoded: the loop over a mask is mispredicted once a line.
    /// </summary>
    const int WholeLineWords = 2;

    /// <summary>Lines with more bits are decoded a byte at a time (see IBitmapKernel.StorePositions).</summary>
    const ulong DenseLineBits = 64;

    const int BitSpare = 512 + 8;
    const int RunSpare = 256 + 4;
    const ulong PrefetchAheadWords = 12;

    readonly ulong* _leaf;
    readonly ulong* _summary; // null: at most 64 lines, all of them looked at
    readonly ulong _lineCount;

    // SAFETY: the bitmap passes the starts of its levels and a line count that lies within them.
    public DirtyReader(ulong* leaf, ulong* summary, ulong lineCount)
    {
        _leaf = leaf;
        _summary = summary;
        _lineCount = lineCount;
    }

    /// <summary>Writes positions of ones from fromBit on; returns how many, 0 only at the end.</summary>
    /// <param name="fromBit">Moved behind what was read.</param>
    /// <param name="bits">At least BatchMin.</param>
    public int ReadBits(ref ulong fromBit, Span<ulong> bits)
    {
        Check.That(bits.Length >= BatchMin);
        ulong from = fromBit;
        fixed (ulong* start = bits)
        {
            ulong* next = start;
            ulong* limit = start + (bits.Length - BitSpare);
            for (ulong index = from >> 15; index * 64 < _lineCount; index++)
            {
                ulong lines = LinesAt(index, from);
                while (lines != 0)
                {
                    ulong line = index * 64 + (uint)BitOperations.TrailingZeroCount(lines);
                    ulong* words = _leaf + line * BitmapShape.LineWords;
                    if (next > limit)
                    {
                        fromBit = line << BitmapShape.LineShift;
                        return (int)(next - start);
                    }
                    lines &= lines - 1;
                    // SAFETY: at least BitSpare entries are left, which is what one line takes.
                    uint mask = BitmapKernels.NonZeroWords(in *words);
                    ulong firstBit = line << BitmapShape.LineShift;
                    if (firstBit >= from && BitOperations.PopCount(mask) >= WholeLineWords)
                    {
                        next =
                            ScalarKernel.PopCountLine(in *words) > DenseLineBits
                                ? DenseLine(next, words, firstBit)
                                : SparseLine(next, words, firstBit);
                    }
                    else
                    {
                        for (; mask != 0; mask &= mask - 1)
                        {
                            uint i = (uint)BitOperations.TrailingZeroCount(mask);
                            ulong wordBit = firstBit + i * 64;
                            next = AppendBits(next, From(words[i], wordBit, from), wordBit);
                        }
                    }
                }
            }
            fromBit = Math.Max(from, _lineCount << BitmapShape.LineShift);
            return (int)(next - start);
        }
    }

    /// <summary>Writes maximal runs of ones from fromBit on; returns how many, 0 only at the end.</summary>
    /// <param name="fromBit">Moved behind what was read; a run that began before it starts there.</param>
    /// <param name="runs">At least BatchMin.</param>
    public int ReadRuns(ref ulong fromBit, Span<BitRun> runs)
    {
        Check.That(runs.Length >= BatchMin);
        ulong from = fromBit;
        fixed (BitRun* start = runs)
        {
            // Starts go to the even words of the buffer, ends to the odd ones.
            ulong* nextStart = (ulong*)start;
            ulong* nextEnd = (ulong*)start + 1;
            ulong* limit = (ulong*)(start + (runs.Length - RunSpare));
            ulong open = 0; // 1 while the last decoded word ended within a run
            ulong nextBit = 0; // end of that word
            for (ulong index = from >> 15; index * 64 < _lineCount; index++)
            {
                ulong lines = LinesAt(index, from);
                while (lines != 0)
                {
                    ulong line = index * 64 + (uint)BitOperations.TrailingZeroCount(lines);
                    if (nextStart > limit)
                    {
                        fromBit = open != 0 ? EndOfRun(nextBit) : line << BitmapShape.LineShift;
                        if (open != 0)
                            *nextEnd = fromBit;
                        return (int)((BitRun*)nextStart - start);
                    }
                    lines &= lines - 1;
                    ulong* words = _leaf + line * BitmapShape.LineWords;
                    // SAFETY: at least RunSpare runs are left, which is what one line takes.
                    uint mask = BitmapKernels.NonZeroWords(in *words);
                    ulong firstBit = line << BitmapShape.LineShift;
                    if (firstBit < from || BitOperations.PopCount(mask) < WholeLineWords)
                    {
                        for (; mask != 0; mask &= mask - 1)
                        {
                            uint i = (uint)BitOperations.TrailingZeroCount(mask);
                            ulong wordBit = firstBit + i * 64;
                            if (open != 0 && wordBit != nextBit)
                                nextEnd = Close(nextEnd, nextBit, ref open);
                            nextBit = wordBit + 64;
                            ulong word = From(words[i], wordBit, from);
                            ulong before = (word << 1) | open;
                            nextStart = AppendEdges(nextStart, word & ~before, wordBit);
                            nextEnd = AppendEdges(nextEnd, before & ~word, wordBit);
                            open = word >> 63;
                        }
                        continue;
                    }
                    if (open != 0 && firstBit != nextBit)
                        nextEnd = Close(nextEnd, nextBit, ref open);
                    open = RunLine(ref nextStart, ref nextEnd, open, words, firstBit);
                    nextBit = firstBit + 512;
                }
            }
            if (open != 0)
                *nextEnd = nextBit;
            fromBit = Math.Max(from, _lineCount << BitmapShape.LineShift);
            return (int)((BitRun*)nextStart - start);
        }
    }

    // The lines have functions of their own because the walk around them needs more registers than there are; inlined
    // there, every bit went through the stack.

    [MethodImpl(MethodImplOptions.NoInlining)]
    static ulong* SparseLine(ulong* next, ulong* words, ulong firstBit)
    {
        for (ulong* end = words + BitmapShape.LineWords; words < end; words += 4, firstBit += 256)
        {
            next = AppendBits(next, words[0], firstBit);
            next = AppendBits(next, words[1], firstBit + 64);
            next = AppendBits(next, words[2], firstBit + 128);
            next = AppendBits(next, words[3], firstBit + 192);
        }
        return next;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    static ulong* DenseLine(ulong* next, ulong* words, ulong firstBit)
    {
        for (ulong* end = words + BitmapShape.LineWords; words < end; words++, firstBit += 64)
        {
            BitmapKernels.StorePositions(ref *next, *words, firstBit);
            next += BitOperations.PopCount(*words);
        }
        return next;
    }

    /// <summary>Appends the starts and ends of a line; returns whether its last bit leaves a run open.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    static ulong RunLine(ref ulong* nextStart, ref ulong* nextEnd, ulong open, ulong* words, ulong firstBit)
    {
        ulong* starts = nextStart;
        ulong* ends = nextEnd;
        for (ulong* end = words + BitmapShape.LineWords; words < end; words++, firstBit += 64)
        {
            ulong word = *words;
            ulong before = (word << 1) | open;
            starts = AppendEdges(starts, word & ~before, firstBit);
            ends = AppendEdges(ends, before & ~word, firstBit);
            open = word >> 63;
        }
        nextStart = starts;
        nextEnd = ends;
        return open;
    }

    /// <summary>
    /// Writes firstBit + i for each one bit i of word, and up to two entries more; returns the new end.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static ulong* AppendBits(ulong* next, ulong word, ulong firstBit)
    {
        ulong* end = next + BitOperations.PopCount(word);
        next[0] = firstBit + Lowest(word);
        word &= word - 1;
        next[1] = firstBit + Lowest(word);
        word &= word - 1;
        for (next += 2; word != 0; word &= word - 1)
            *next++ = firstBit + Lowest(word);
        return end;
    }

    /// <summary>Index of the lowest one; as a 64-bit result it needs no widening, a fifth of the work here.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static ulong Lowest(ulong word) =>
        Bmi1.X64.IsSupported ? Bmi1.X64.TrailingZeroCount(word) : (uint)BitOperations.TrailingZeroCount(word);

    /// <summary>
    /// As AppendBits, into every other word: the starts, or the ends, of runs. Up to three entries more.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static ulong* AppendEdges(ulong* next, ulong word, ulong firstBit)
    {
        ulong* end = next + 2 * BitOperations.PopCount(word);
        next[0] = firstBit + Lowest(word);
        word &= word - 1;
        next[2] = firstBit + Lowest(word);
        word &= word - 1;
        while (word != 0)
        {
            next[4] = firstBit + Lowest(word);
            word &= word - 1;
            next[6] = firstBit + Lowest(word);
            word &= word - 1;
            next[8] = firstBit + Lowest(word);
            word &= word - 1;
            next[10] = firstBit + Lowest(word);
            word &= word - 1;
            next += 8;
        }
        return end;
    }

    /// <summary>The word after the last one is zero and was left out: the open run ends there.</summary>
    static ulong* Close(ulong* nextEnd, ulong endBit, ref ulong open)
    {
        *nextEnd = endBit;
        open = 0;
        return nextEnd + 2;
    }

    /// <summary>The ones of a word from a bit on; all of them when the word starts there or later.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static ulong From(ulong word, ulong firstBit, ulong from)
    {
        if (firstBit >= from)
            return word;
        return from - firstBit >= 64 ? 0 : word & (ulong.MaxValue << (int)(from - firstBit));
    }

    /// <summary>The first zero bit at or after a word boundary, or the end.</summary>
    ulong EndOfRun(ulong bit)
    {
        ulong end = _lineCount * BitmapShape.LineWords;
        ulong word = bit >> 6;
        // SAFETY: word is at most end, the number of words of all lines.
        word += BitmapKernels.FirstNotAllOnes(in _leaf[word], (nuint)(end - word));
        return (word << 6) + (word < end ? (uint)BitOperations.TrailingZeroCount(~_leaf[word]) : 0);
    }

    /// <summary>The lines of a level-1 word that may be dirty, from the line of a bit on.</summary>
    ulong LinesAt(ulong index, ulong from)
    {
        ulong lines;
        if (_summary == null)
        {
            lines = ulong.MaxValue >> (int)(64 - _lineCount);
        }
        else
        {
            lines = _summary[index];
            ulong ahead = index + PrefetchAheadWords;
            if (ahead * 64 < _lineCount)
                LinePrefetch.Lines(_leaf + ahead * 64 * BitmapShape.LineWords, _summary[ahead]);
        }
        return index == from >> 15 ? lines & (ulong.MaxValue << (int)((from >> BitmapShape.LineShift) & 63)) : lines;
    }
}
