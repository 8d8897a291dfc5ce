using System.Numerics;
using System.Runtime.CompilerServices;

namespace FastBackup.Bitmaps;

/// <summary>Enumerates dirty granules of a bitmap that does not change, ascending. Threads: one.</summary>
public ref struct DirtyBits
{
    DirtyWords _walk;
    ulong _word; // bits of the current word that are still to come
    ulong _firstBit; // of the current word
    ulong _current;

    internal DirtyBits(DirtyWords walk) => _walk = walk;

    public readonly ulong Current => _current;

    public readonly DirtyBits GetEnumerator() => this;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool MoveNext()
    {
        if (_word == 0)
        {
            if (!_walk.MoveNext(out ulong wordIndex, out _word))
                return false;
            _firstBit = wordIndex << 6;
        }
        _current = _firstBit + (uint)BitOperations.TrailingZeroCount(_word);
        _word &= _word - 1;
        return true;
    }
}
