// Walks the dirty words of a bitmap that does not change. Level 1 gives the dirty lines; one load of a line
// gives the mask of its dirty words. The lines of a level-1 word are asked for ahead of time: at low density
// every line is a miss, and eight words of level 1 ahead keep several misses in flight.
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using FastBackup.Bitmaps.Kernels;

namespace FastBackup.Bitmaps;

/// <summary>Position in a walk over words that are not zero. Threads: one.</summary>
public unsafe ref struct DirtyWords
{
    const ulong PrefetchAheadWords = 4;
    const int PrefetchLinesMax = 24; // denser blocks are read in a row, which the hardware prefetches

    readonly ulong* _leaf;
    readonly ulong* _summary; // null: at most 64 lines, all of them looked at
    readonly ulong _lineCount;
    ulong _summaryIndex; // of the level-1 word whose lines are being walked
    ulong _lines; // its lines that are still to come
    ulong _line; // current line
    uint _words; // words of the current line that are still to come

    // SAFETY: the bitmap passes the starts of its levels and counts that lie within them.
    internal DirtyWords(ulong* leaf, ulong* summary, ulong lineCount)
    {
        _leaf = leaf;
        _summary = summary;
        _lineCount = lineCount;
        _lines = lineCount == 0 ? 0 : LinesAt(0);
    }

    /// <summary>Words of level 0 that may be read past the walk's own: the run enumerator looks one ahead.</summary>
    internal readonly ulong WordCount => _lineCount * BitmapShape.LineWords;

    internal readonly ulong* Leaf => _leaf;

    /// <summary>Goes to the next word that is not zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool MoveNext(out ulong wordIndex, out ulong word)
    {
        if (_words == 0 && !MoveNextLine())
        {
            wordIndex = 0;
            word = 0;
            return false;
        }
        wordIndex = _line * BitmapShape.LineWords + (uint)BitOperations.TrailingZeroCount(_words);
        _words &= _words - 1;
        word = _leaf[wordIndex];
        return true;
    }

    /// <summary>Leaves out words before an index: the run enumerator has consumed them.</summary>
    internal void SkipTo(ulong wordIndex)
    {
        ulong line = wordIndex / BitmapShape.LineWords;
        if (line != _line)
        {
            _line = line;
            _summaryIndex = line / 64;
            _words = 0;
            if (line >= _lineCount)
            {
                _lines = 0;
                _summaryIndex = _lineCount; // past the last one
                return;
            }
            _lines = LinesAt(_summaryIndex) & (ulong.MaxValue << (int)line) & ~(1UL << (int)line);
            _words = BitmapKernels.NonZeroWords(in _leaf[line * BitmapShape.LineWords]);
        }
        _words &= uint.MaxValue << (int)(wordIndex % BitmapShape.LineWords);
    }

    bool MoveNextLine()
    {
        while (true)
        {
            while (_lines != 0)
            {
                _line = _summaryIndex * 64 + (uint)BitOperations.TrailingZeroCount(_lines);
                _lines &= _lines - 1;
                _words = BitmapKernels.NonZeroWords(in _leaf[_line * BitmapShape.LineWords]);
                if (_words != 0)
                    return true;
            }
            _summaryIndex++;
            if (_summaryIndex * 64 >= _lineCount)
                return false;
            _lines = LinesAt(_summaryIndex);
        }
    }

    readonly ulong LinesAt(ulong summaryIndex)
    {
        if (_summary == null)
            return ulong.MaxValue >> (int)(64 - _lineCount);
        ulong ahead = summaryIndex + PrefetchAheadWords;
        if (Sse.IsSupported && ahead * 64 < _lineCount)
            Prefetch(ahead);
        return _summary[summaryIndex];
    }

    readonly void Prefetch(ulong summaryIndex)
    {
        ulong lines = _summary[summaryIndex];
        if (BitOperations.PopCount(lines) > PrefetchLinesMax)
            return;
        for (; lines != 0; lines &= lines - 1)
        {
            ulong line = summaryIndex * 64 + (uint)BitOperations.TrailingZeroCount(lines);
            Sse.Prefetch0(_leaf + line * BitmapShape.LineWords);
        }
    }
}
