// Runs of dirty granules. Within a word a run costs no branch: adding its lowest bit to the word carries
// through the run (0b0111_0 + 0b0001_0 = 0b1000_0), so one add and one and remove it.
using System.Numerics;
using System.Runtime.CompilerServices;
using FastBackup.Bitmaps.Kernels;

namespace FastBackup.Bitmaps;

/// <summary>Enumerates maximal runs of dirty granules of a bitmap that does not change, ascending. Threads: one.</summary>
public ref struct DirtyRuns
{
    DirtyWords _walk;
    ulong _word; // bits of the current word that are still to come
    ulong _wordIndex;
    BitRun _current;

    internal DirtyRuns(DirtyWords walk) => _walk = walk;

    public readonly BitRun Current => _current;

    public readonly DirtyRuns GetEnumerator() => this;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool MoveNext()
    {
        if (_word == 0 && !_walk.MoveNext(out _wordIndex, out _word))
            return false;
        int first = BitOperations.TrailingZeroCount(_word);
        ulong carried = _word + (_word & (0 - _word));
        ulong firstBit = (_wordIndex << 6) + (uint)first;
        if (carried == 0)
        {
            // The run reaches the end of the word, and may go on.
            _word = 0;
            _current = new BitRun(firstBit, EndOfRun() - firstBit);
            return true;
        }
        _current = new BitRun(firstBit, (uint)(BitOperations.TrailingZeroCount(carried) - first));
        _word &= carried;
        return true;
    }

    /// <summary>End of a run that reaches the end of the current word; moves the walk there.</summary>
    unsafe ulong EndOfRun()
    {
        ulong next = _wordIndex + 1;
        ulong end = _walk.WordCount;
        // SAFETY: next is at most end, the number of words the walk may read.
        if (next < end && _walk.Leaf[next] == ulong.MaxValue)
            next += BitmapKernels.FirstNotAllOnes(in _walk.Leaf[next], (nuint)(end - next));
        _walk.SkipTo(next);
        if (next >= end)
            return next << 6;
        ulong word = _walk.Leaf[next];
        int ones = BitOperations.TrailingZeroCount(~word);
        if (ones == 0)
            return next << 6;
        _walk.SkipTo(next + 1); // this word is handed out here
        _wordIndex = next;
        _word = word & (ulong.MaxValue << ones);
        return (next << 6) + (uint)ones;
    }
}
