// Where each level of a bitmap lies in its one region. Level 0 holds the bits; a bit of level k + 1 stands
// for one line (8 words, 64 bytes) of level k. Levels are added until the top has at most 64 words, which
// a search scans as a whole. Every level starts on a line; bits past a level's end stay zero.
using FastBackup.Base;

namespace FastBackup.Bitmaps;

/// <summary>Sizes of the levels for a number of bits. Immutable.</summary>
sealed class BitmapShape
{
    public const int LineShift = 9; // 512 bits = 8 words = 64 bytes: one cache line, one AVX-512 load
    public const ulong LineWords = 8;
    public const ulong TopWordsMax = 64;
    public const int LevelCountMax = 5; // 2^41 bits: 2^35, 2^26, 2^17, 2^8, 2^0 words

    // One counter per 128 bytes: neighbours share neither a line nor the prefetcher's pair of lines.
    public const ulong StripeCount = 32;
    public const ulong StripeWords = 16;

    readonly ulong[] _firstWord = new ulong[LevelCountMax];
    readonly ulong[] _wordCount = new ulong[LevelCountMax];

    public BitmapShape(ulong bitCountMax)
    {
        Check.That(bitCountMax <= HierarchicalBitmap.BitCountMax);
        BitCountMax = bitCountMax;
        ulong bits = bitCountMax;
        ulong next = 0;
        for (LevelCount = 0; ; )
        {
            Check.That(LevelCount < LevelCountMax);
            ulong words = Units.AlignUp(Units.DivCeil(System.Math.Max(bits, 1), 64), LineWords);
            _firstWord[LevelCount] = next;
            _wordCount[LevelCount] = words;
            next += words;
            LevelCount++;
            if (words <= TopWordsMax)
                break;
            bits = words / LineWords;
        }
        FirstStripeWord = Units.AlignUp(next, StripeWords);
        RegionBytes = (FirstStripeWord + StripeCount * StripeWords) * sizeof(ulong);
    }

    public ulong BitCountMax { get; }

    public int LevelCount { get; }

    public ulong FirstStripeWord { get; }

    public ulong RegionBytes { get; }

    public ulong FirstWord(int level) => _firstWord[level];

    public ulong WordCount(int level) => _wordCount[level];
}
