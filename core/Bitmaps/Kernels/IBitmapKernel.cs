// The inner loops of the bitmaps and of zero detection, as one set of pure functions per vector width.
// Nothing here knows of levels, sizes or threads. Concurrent writers are harmless: every word is read or
// written by one aligned access, and callers that need an order bring their own fences.
namespace FastBackup.Bitmaps.Kernels;

/// <summary>One width of the inner loops. Pure: no state, no allocation, no bounds checks.</summary>
/// <remarks>Every function accepts any word count, 0 included, and touches no word outside of it.</remarks>
internal interface IBitmapKernel
{
    static abstract bool IsSupported { get; }

    /// <summary>Index of the first word that is not zero, or <paramref name="wordCount"/>.</summary>
    static abstract nuint FirstNonZero(ref readonly ulong words, nuint wordCount);

    /// <summary>Index of the first word with a zero bit, or <paramref name="wordCount"/>.</summary>
    static abstract nuint FirstNotAllOnes(ref readonly ulong words, nuint wordCount);

    /// <summary>Index of the first word that differs, or <paramref name="wordCount"/>.</summary>
    static abstract nuint FirstDifference(ref readonly ulong left, ref readonly ulong right, nuint wordCount);

    /// <summary>Number of one bits.</summary>
    static abstract ulong PopCount(ref readonly ulong words, nuint wordCount);

    /// <summary>target |= source; returns how many bits became one.</summary>
    static abstract ulong Or(ref ulong target, ref readonly ulong source, nuint wordCount);

    /// <summary>target &amp;= source; returns how many bits became zero.</summary>
    static abstract ulong And(ref ulong target, ref readonly ulong source, nuint wordCount);

    /// <summary>target &amp;= ~source; returns how many bits became zero.</summary>
    static abstract ulong AndNot(ref ulong target, ref readonly ulong source, nuint wordCount);

    /// <summary>target = ~target; returns how many bits are one afterwards.</summary>
    static abstract ulong Invert(ref ulong target, nuint wordCount);

    /// <summary>Copies whole lines into the target; zero lines over zero lines are not stored.</summary>
    /// <param name="target">8 * lineCount words.</param>
    /// <param name="source">As many words, at any alignment.</param>
    /// <param name="lineCount">At most 64.</param>
    /// <param name="dirtyLines">Bit i: line i of the target may have ones; the others are zero.</param>
    /// <param name="gained">Ones of the source.</param>
    /// <param name="lost">Ones of the target that were overwritten.</param>
    /// <returns>Bit i: line i of the source has a one.</returns>
    static abstract ulong CopyLines(
        ref ulong target,
        ref readonly ulong source,
        nuint lineCount,
        ulong dirtyLines,
        out ulong gained,
        out ulong lost
    );

    static abstract void Fill(ref ulong target, ulong value, nuint wordCount);

    /// <summary>Bit i tells whether line i, the eight words from 8 * i on, has a one bit.</summary>
    /// <param name="words">8 * lineCount words.</param>
    /// <param name="lineCount">At most 64; higher bits of the result are zero.</param>
    static abstract ulong NonZeroLines(ref readonly ulong words, nuint lineCount);

    /// <summary>Bit i (0..7) tells whether word i of the one line at <paramref name="line"/> is not zero.</summary>
    static abstract uint NonZeroWords(ref readonly ulong line);

    /// <summary>
    /// Writes firstBit + i for each one bit i of the word, ascending, and possibly eight entries more.
    /// </summary>
    static abstract void StorePositions(ref ulong target, ulong word, ulong firstBit);
}
