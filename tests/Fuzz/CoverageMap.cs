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

    static readonly byte[] s_counts = GC.AllocateArray<byte>(EdgesMax, pinned: true);

    readonly byte[] _seen = new byte[EdgesMax]; // a bit a power of two

    // SAFETY: the array is pinned, and as old as the process.
    public CoverageMap() => Trace.SharedMem = (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(s_counts, 0);

    /// <summary>Edges that some session has taken.</summary>
    public int EdgeCount { get; private set; }

    /// <summary>Whatever comes is new again.</summary>
    public void Forget()
    {
        EdgeCount = 0;
        Array.Clear(_seen);
    }

    public static void Begin()
    {
        Array.Clear(s_counts);
        Trace.PrevLocation = 0;
    }

    /// <returns>Whether the session since Begin has done what none has before.</returns>
    public bool TakeNew()
    {
        bool isNew = false;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(s_counts);
        for (int word = 0; word < words.Length; word++)
        {
            if (words[word] == 0)
                continue;
            for (int i = word * 8; i < word * 8 + 8; i++)
            {
                byte bit = s_counts[i] == 0 ? (byte)0 : (byte)(1 << BitOperations.Log2(s_counts[i]));
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
