// Which branches a session has taken, and how often: a byte an edge, which the instrumented engine counts up. As AFL
// does it, counts are told apart by their power of two, so that one turn more of a loop is nothing new but a hundred
// are.
using System;
using System.Numerics;
using System.Runtime.InteropServices;
using SharpFuzz.Common;

namespace FastBackup.Tests.Fuzz;

/// <summary>Threads: one, the only one that runs instrumented code.</summary>
sealed unsafe class CoverageMap
{
    const int EdgesMax = 65536;

    readonly byte* _counts = (byte*)NativeMemory.AllocZeroed(EdgesMax); // as long as the process
    readonly byte[] _seen = new byte[EdgesMax]; // a bit a power of two

    // SAFETY: the memory is never freed.
    public CoverageMap() => Trace.SharedMem = _counts;

    /// <summary>Edges that some session has taken.</summary>
    public int EdgeCount { get; private set; }

    /// <summary>Whatever comes is new again.</summary>
    public void Forget()
    {
        EdgeCount = 0;
        Array.Clear(_seen);
    }

    public void Begin()
    {
        new Span<byte>(_counts, EdgesMax).Clear(); // SAFETY: so many bytes were allocated
        Trace.PrevLocation = 0;
    }

    /// <returns>Whether the session since Begin has done what none has before.</returns>
    public bool TakeNew()
    {
        bool isNew = false;
        ReadOnlySpan<ulong> words = new(_counts, EdgesMax / 8); // SAFETY: as in Begin
        for (int word = 0; word < words.Length; word++)
        {
            if (words[word] == 0)
                continue;
            for (int i = word * 8; i < word * 8 + 8; i++)
            {
                byte bit = _counts[i] == 0 ? (byte)0 : (byte)(1 << BitOperations.Log2(_counts[i]));
                if ((bit & ~_seen[i]) == 0)
                    continue;
                EdgeCount += _seen[i] == 0 ? 1 : 0;
                _seen[i] |= bit;
                isNew = true;
            }
        }
        return isNew;
    }
}
