// xoshiro256** seeded through splitmix64: fast, 256 bits of state, the same sequence on every machine.
// For simulation, tests and generated disks; not for secrets.
// Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators" (2018).
using System;
using System.Numerics;
using System.Runtime.InteropServices;

namespace FastBackup.Base;

/// <summary>Deterministic random numbers. Threads: one at a time.</summary>
public sealed class Prng
{
    ulong _s0,
        _s1,
        _s2,
        _s3;

    public Prng(ulong seed)
    {
        _s0 = SplitMix(ref seed);
        _s1 = SplitMix(ref seed);
        _s2 = SplitMix(ref seed);
        _s3 = SplitMix(ref seed);
    }

    public ulong NextULong()
    {
        ulong result = BitOperations.RotateLeft(_s1 * 5, 7) * 9;
        ulong t = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= t;
        _s3 = BitOperations.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>
    /// Uniform in [0, bound); the bias of the multiplication is below 2^-32 for the bounds used here.
    /// </summary>
    /// <param name="bound">At least 1.</param>
    public ulong Below(ulong bound)
    {
        Check.That(bound > 0);
        return Math.BigMul(NextULong(), bound, out _);
    }

    /// <summary>Uniform in [low, high], both included.</summary>
    public ulong Between(ulong low, ulong high)
    {
        Check.That(low <= high);
        return high - low == ulong.MaxValue ? NextULong() : low + Below(high - low + 1);
    }

    /// <summary>True with the given chance.</summary>
    /// <param name="numerator">0 = never.</param>
    /// <param name="denominator">At least 1.</param>
    public bool Chance(ulong numerator, ulong denominator) => Below(denominator) < numerator;

    public void Fill(Span<byte> bytes)
    {
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        for (int i = 0; i < words.Length; i++)
            words[i] = NextULong();
        for (int i = words.Length * sizeof(ulong); i < bytes.Length; i++)
            bytes[i] = (byte)NextULong();
    }

    static ulong SplitMix(ref ulong state)
    {
        state += 0x9E3779B97F4A7C15UL;
        ulong z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
