// One word at a time: the model that the vector kernels are tested against, their remainder loop, and
// the loops that count. Counting stays scalar in every width: popcnt retires at least one word per cycle
// on every x86-64-v2 and arm64 core, which is above what memory delivers (8 words = 64 bytes in 8 cycles).
using System.Numerics;
using System.Runtime.CompilerServices;

namespace FastBackup.Bitmaps.Kernels;

internal readonly struct ScalarKernel : IBitmapKernel
{
    public static bool IsSupported => true;

    public static nuint FirstNonZero(ref readonly ulong words, nuint wordCount)
    {
        ref ulong start = ref Unsafe.AsRef(in words);
        nuint index = 0;
        while (index < wordCount && Unsafe.Add(ref start, index) == 0)
            index++;
        return index;
    }

    public static nuint FirstNotAllOnes(ref readonly ulong words, nuint wordCount)
    {
        ref ulong start = ref Unsafe.AsRef(in words);
        nuint index = 0;
        while (index < wordCount && Unsafe.Add(ref start, index) == ulong.MaxValue)
            index++;
        return index;
    }

    public static nuint FirstDifference(ref readonly ulong left, ref readonly ulong right, nuint wordCount)
    {
        ref ulong leftStart = ref Unsafe.AsRef(in left);
        ref ulong rightStart = ref Unsafe.AsRef(in right);
        nuint index = 0;
        while (index < wordCount && Unsafe.Add(ref leftStart, index) == Unsafe.Add(ref rightStart, index))
            index++;
        return index;
    }

    public static ulong PopCount(ref readonly ulong words, nuint wordCount)
    {
        ref ulong start = ref Unsafe.AsRef(in words);
        ulong even = 0;
        ulong odd = 0;
        nuint index = 0;
        for (; index + 4 <= wordCount; index += 4)
        {
            even += (uint)BitOperations.PopCount(Unsafe.Add(ref start, index));
            odd += (uint)BitOperations.PopCount(Unsafe.Add(ref start, index + 1));
            even += (uint)BitOperations.PopCount(Unsafe.Add(ref start, index + 2));
            odd += (uint)BitOperations.PopCount(Unsafe.Add(ref start, index + 3));
        }
        for (; index < wordCount; index++)
            even += (uint)BitOperations.PopCount(Unsafe.Add(ref start, index));
        return even + odd;
    }

    /// <summary>Of the eight words of a line, without a loop.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong PopCountLine(ref readonly ulong line)
    {
        ref ulong start = ref Unsafe.AsRef(in line);
        int low = BitOperations.PopCount(start) + BitOperations.PopCount(Unsafe.Add(ref start, 1));
        low += BitOperations.PopCount(Unsafe.Add(ref start, 2)) + BitOperations.PopCount(Unsafe.Add(ref start, 3));
        int high = BitOperations.PopCount(Unsafe.Add(ref start, 4)) + BitOperations.PopCount(Unsafe.Add(ref start, 5));
        high += BitOperations.PopCount(Unsafe.Add(ref start, 6)) + BitOperations.PopCount(Unsafe.Add(ref start, 7));
        return (uint)(low + high);
    }

    public static ulong Or(ref ulong target, ref readonly ulong source, nuint wordCount) =>
        Combine<OrStep>(ref target, in source, wordCount);

    public static ulong And(ref ulong target, ref readonly ulong source, nuint wordCount) =>
        Combine<AndStep>(ref target, in source, wordCount);

    public static ulong AndNot(ref ulong target, ref readonly ulong source, nuint wordCount) =>
        Combine<AndNotStep>(ref target, in source, wordCount);

    public static ulong Invert(ref ulong target, nuint wordCount)
    {
        ulong ones = 0;
        for (nuint index = 0; index < wordCount; index++)
        {
            ulong word = ~Unsafe.Add(ref target, index);
            Unsafe.Add(ref target, index) = word;
            ones += (uint)BitOperations.PopCount(word);
        }
        return ones;
    }

    public static ulong CopyLines(
        ref ulong target,
        ref readonly ulong source,
        nuint lineCount,
        ulong dirtyLines,
        out ulong gained,
        out ulong lost
    )
    {
        gained = lost = 0;
        ulong lines = 0;
        for (nuint line = 0; line < lineCount; line++)
        {
            ref ulong to = ref Unsafe.Add(ref target, line * 8);
            ref ulong from = ref Unsafe.Add(ref Unsafe.AsRef(in source), line * 8);
            if (((dirtyLines >> (int)line) & 1) != 0)
                lost += PopCount(in to, 8);
            ulong ones = PopCount(in from, 8);
            gained += ones;
            lines |= (ones != 0 ? 1UL : 0UL) << (int)line;
            for (nuint word = 0; word < 8; word++)
                Unsafe.Add(ref to, word) = Unsafe.Add(ref from, word);
        }
        return lines;
    }

    public static void Fill(ref ulong target, ulong value, nuint wordCount)
    {
        for (nuint index = 0; index < wordCount; index++)
            Unsafe.Add(ref target, index) = value;
    }

    public static ulong NonZeroLines(ref readonly ulong words, nuint lineCount)
    {
        ref ulong start = ref Unsafe.AsRef(in words);
        ulong lines = 0;
        for (nuint line = 0; line < lineCount; line++)
        {
            ref ulong first = ref Unsafe.Add(ref start, line * 8);
            ulong any = first | Unsafe.Add(ref first, 1) | Unsafe.Add(ref first, 2) | Unsafe.Add(ref first, 3);
            any |= Unsafe.Add(ref first, 4) | Unsafe.Add(ref first, 5) | Unsafe.Add(ref first, 6);
            any |= Unsafe.Add(ref first, 7);
            lines |= (any != 0 ? 1UL : 0UL) << (int)line;
        }
        return lines;
    }

    public static uint NonZeroWords(ref readonly ulong line)
    {
        ref ulong start = ref Unsafe.AsRef(in line);
        uint words = 0;
        for (nuint index = 0; index < 8; index++)
            words |= (Unsafe.Add(ref start, index) != 0 ? 1U : 0U) << (int)index;
        return words;
    }

    public static void StorePositions(ref ulong target, ulong word, ulong firstBit)
    {
        for (; word != 0; word &= word - 1)
        {
            target = firstBit + (uint)BitOperations.TrailingZeroCount(word);
            target = ref Unsafe.Add(ref target, 1);
        }
    }

    /// <summary>The three operations differ in one expression: the new word; what changed is old ^ new.</summary>
    static ulong Combine<TStep>(ref ulong target, ref readonly ulong source, nuint wordCount)
        where TStep : struct, IStep
    {
        ref ulong sourceStart = ref Unsafe.AsRef(in source);
        ulong even = 0;
        ulong odd = 0;
        nuint index = 0;
        for (; index + 2 <= wordCount; index += 2)
        {
            even += Apply<TStep>(ref Unsafe.Add(ref target, index), Unsafe.Add(ref sourceStart, index));
            odd += Apply<TStep>(ref Unsafe.Add(ref target, index + 1), Unsafe.Add(ref sourceStart, index + 1));
        }
        if (index < wordCount)
            even += Apply<TStep>(ref Unsafe.Add(ref target, index), Unsafe.Add(ref sourceStart, index));
        return even + odd;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static uint Apply<TStep>(ref ulong target, ulong source)
        where TStep : struct, IStep
    {
        ulong before = target;
        ulong after = TStep.Next(before, source);
        target = after;
        return (uint)BitOperations.PopCount(before ^ after);
    }

    interface IStep
    {
        static abstract ulong Next(ulong target, ulong source);
    }

    readonly struct OrStep : IStep
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Next(ulong target, ulong source) => target | source;
    }

    readonly struct AndStep : IStep
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Next(ulong target, ulong source) => target & source;
    }

    readonly struct AndNotStep : IStep
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Next(ulong target, ulong source) => target & ~source;
    }
}
