// The buckets of a histogram over many magnitudes: eight of equal width for every power of two, so that a value is
// known to an eighth of itself; the values below eight have one each. The layout is that of HdrHistogram with three
// significant bits. Cost: some shifts.
using System.Numerics;

namespace FastBackup.Base;

/// <summary>Threads: any.</summary>
static class LogBuckets
{
    const int StepBits = 3;

    /// <summary>Buckets for each power of two.</summary>
    public const int Steps = 1 << StepBits;

    /// <summary>How many there are for values of so many bits.</summary>
    /// <param name="bits">4..64.</param>
    public static int CountFor(int bits) => (bits - StepBits + 1) * Steps;

    /// <summary>The bucket that a value falls into, from 0 on.</summary>
    public static int Of(ulong value)
    {
        if (value < Steps)
            return (int)value;
        int exponent = BitOperations.Log2(value);
        int step = (int)(value >> (exponent - StepBits)) & (Steps - 1);
        return (exponent - StepBits + 1) * Steps + step;
    }

    /// <summary>The least value of a bucket.</summary>
    public static ulong First(int bucket) =>
        bucket < Steps ? (ulong)bucket : (ulong)(Steps + bucket % Steps) << (bucket / Steps - 1);

    /// <summary>How many values fall into a bucket.</summary>
    public static ulong Width(int bucket) => bucket < Steps ? 1 : 1UL << (bucket / Steps - 1);
}
