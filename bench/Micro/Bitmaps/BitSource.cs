using System;
using System.Runtime.CompilerServices;

namespace FastBackup.Bench.Micro.Bitmaps;

/// <summary>
/// The bits of the table: pure functions of a seed and an index, the same here and in hbitmap_bench.c.
/// </summary>
static class BitSource
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Mix(ulong index)
    {
        ulong z = (index + 1) * 0x9E3779B97F4A7C15UL;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Position(ulong seed, ulong index, ulong bitCount) =>
        Math.BigMul(Mix(seed + index), bitCount, out _);

    /// <summary>Serialised form at a density: random words for 0.5, else that many random bits.</summary>
    public static ulong[] MakeWords(ulong seed, double density, ulong bitCount)
    {
        ulong[] words = new ulong[bitCount / 64];
        if (density == 0.5)
        {
            for (ulong i = 0; i < bitCount / 64; i++)
                words[i] = Mix(seed + i);
            return words;
        }
        for (ulong i = 0; i < (ulong)(density * bitCount); i++)
        {
            ulong bit = Position(seed, i, bitCount);
            words[bit / 64] |= 1UL << (int)(bit % 64);
        }
        return words;
    }
}
