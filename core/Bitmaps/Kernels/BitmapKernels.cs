// The only place that chooses a width. IsSupported is a constant to the compiler, ahead of time or just
// in time, so each function folds to one call. Widest first: on the machine these were measured on, 512-bit
// loads run at full speed and a line is one load. The runtime's switches take a width away for tests:
// DOTNET_EnableAVX512=0, DOTNET_EnableAVX2=0, DOTNET_EnableHWIntrinsic=0.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastBackup.Bitmaps.Kernels;

/// <summary>The inner loops at the best width of this machine. Threads: any.</summary>
public static class BitmapKernels
{
    /// <summary>Bits of the widest vector in use: 512, 256 or 64.</summary>
    public static int WidthBits =>
        Vector512Kernel.IsSupported ? 512
        : Vector256Kernel.IsSupported ? 256
        : 64;

    /// <summary>Index of the first word that is not zero, or the length.</summary>
    public static int FirstNonZero(ReadOnlySpan<ulong> words) =>
        (int)FirstNonZero(in MemoryMarshal.GetReference(words), (nuint)words.Length);

    /// <summary>True when every byte is zero; stops within 256 bytes after the first one that is not.</summary>
    /// <param name="bytes">Any length and alignment; empty is all zero.</param>
    public static bool IsAllZero(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        if (FirstNonZero(words) < words.Length)
            return false;
        int rest = 0;
        for (int i = words.Length * sizeof(ulong); i < bytes.Length; i++)
            rest |= bytes[i];
        return rest == 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static nuint FirstNonZero(ref readonly ulong words, nuint wordCount)
    {
        if (Vector512Kernel.IsSupported)
            return Vector512Kernel.FirstNonZero(in words, wordCount);
        if (Vector256Kernel.IsSupported)
            return Vector256Kernel.FirstNonZero(in words, wordCount);
        return ScalarKernel.FirstNonZero(in words, wordCount);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static nuint FirstNotAllOnes(ref readonly ulong words, nuint wordCount)
    {
        if (Vector512Kernel.IsSupported)
            return Vector512Kernel.FirstNotAllOnes(in words, wordCount);
        if (Vector256Kernel.IsSupported)
            return Vector256Kernel.FirstNotAllOnes(in words, wordCount);
        return ScalarKernel.FirstNotAllOnes(in words, wordCount);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static nuint FirstDifference(ref readonly ulong left, ref readonly ulong right, nuint wordCount)
    {
        if (Vector512Kernel.IsSupported)
            return Vector512Kernel.FirstDifference(in left, in right, wordCount);
        if (Vector256Kernel.IsSupported)
            return Vector256Kernel.FirstDifference(in left, in right, wordCount);
        return ScalarKernel.FirstDifference(in left, in right, wordCount);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong PopCount(ref readonly ulong words, nuint wordCount)
    {
        if (Vector512Kernel.IsSupported)
            return Vector512Kernel.PopCount(in words, wordCount);
        if (Vector256Kernel.IsSupported)
            return Vector256Kernel.PopCount(in words, wordCount);
        return ScalarKernel.PopCount(in words, wordCount);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Or(ref ulong target, ref readonly ulong source, nuint wordCount)
    {
        if (Vector512Kernel.IsSupported)
            return Vector512Kernel.Or(ref target, in source, wordCount);
        if (Vector256Kernel.IsSupported)
            return Vector256Kernel.Or(ref target, in source, wordCount);
        return ScalarKernel.Or(ref target, in source, wordCount);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong And(ref ulong target, ref readonly ulong source, nuint wordCount)
    {
        if (Vector512Kernel.IsSupported)
            return Vector512Kernel.And(ref target, in source, wordCount);
        if (Vector256Kernel.IsSupported)
            return Vector256Kernel.And(ref target, in source, wordCount);
        return ScalarKernel.And(ref target, in source, wordCount);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong AndNot(ref ulong target, ref readonly ulong source, nuint wordCount)
    {
        if (Vector512Kernel.IsSupported)
            return Vector512Kernel.AndNot(ref target, in source, wordCount);
        if (Vector256Kernel.IsSupported)
            return Vector256Kernel.AndNot(ref target, in source, wordCount);
        return ScalarKernel.AndNot(ref target, in source, wordCount);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Invert(ref ulong target, nuint wordCount)
    {
        if (Vector512Kernel.IsSupported)
            return Vector512Kernel.Invert(ref target, wordCount);
        if (Vector256Kernel.IsSupported)
            return Vector256Kernel.Invert(ref target, wordCount);
        return ScalarKernel.Invert(ref target, wordCount);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong CopyLines(
        ref ulong target,
        ref readonly ulong source,
        nuint lineCount,
        ulong dirtyLines,
        out ulong gained,
        out ulong lost
    )
    {
        if (Vector512Kernel.IsSupported)
            return Vector512Kernel.CopyLines(ref target, in source, lineCount, dirtyLines, out gained, out lost);
        if (Vector256Kernel.IsSupported)
            return Vector256Kernel.CopyLines(ref target, in source, lineCount, dirtyLines, out gained, out lost);
        return ScalarKernel.CopyLines(ref target, in source, lineCount, dirtyLines, out gained, out lost);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Fill(ref ulong target, ulong value, nuint wordCount)
    {
        if (Vector512Kernel.IsSupported)
            Vector512Kernel.Fill(ref target, value, wordCount);
        else if (Vector256Kernel.IsSupported)
            Vector256Kernel.Fill(ref target, value, wordCount);
        else
            ScalarKernel.Fill(ref target, value, wordCount);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong NonZeroLines(ref readonly ulong words, nuint lineCount)
    {
        if (Vector512Kernel.IsSupported)
            return Vector512Kernel.NonZeroLines(in words, lineCount);
        if (Vector256Kernel.IsSupported)
            return Vector256Kernel.NonZeroLines(in words, lineCount);
        return ScalarKernel.NonZeroLines(in words, lineCount);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint NonZeroWords(ref readonly ulong line)
    {
        if (Vector512Kernel.IsSupported)
            return Vector512Kernel.NonZeroWords(in line);
        if (Vector256Kernel.IsSupported)
            return Vector256Kernel.NonZeroWords(in line);
        return ScalarKernel.NonZeroWords(in line);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void StorePositions(ref ulong target, ulong word, ulong firstBit)
    {
        if (Vector512Kernel.IsSupported)
            Vector512Kernel.StorePositions(ref target, word, firstBit);
        else if (Vector256Kernel.IsSupported)
            Vector256Kernel.StorePositions(ref target, word, firstBit);
        else
            ScalarKernel.StorePositions(ref target, word, firstBit);
    }
}
