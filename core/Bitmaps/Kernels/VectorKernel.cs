// The wide loops, written once for every width. Scans take four vectors per step: one branch on their OR
// (or AND) keeps the loop at the speed of memory, and the exact word is looked for only in the step that
// ends the scan. The remainder, less than one vector, is always the scalar kernel's.
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastBackup.Bitmaps.Kernels;

internal readonly struct VectorKernel<TLane, TVector> : IBitmapKernel
    where TLane : struct, IVectorLane<TVector>
    where TVector : struct
{
    public static bool IsSupported => TLane.IsSupported;

    public static nuint FirstNonZero(ref readonly ulong words, nuint wordCount)
    {
        ref ulong start = ref Unsafe.AsRef(in words);
        nuint lane = TLane.WordCount;
        nuint index = 0;
        for (; index + 4 * lane <= wordCount; index += 4 * lane)
        {
            TVector low = TLane.Or(TLane.Load(in start, index), TLane.Load(in start, index + lane));
            TVector high = TLane.Or(TLane.Load(in start, index + 2 * lane), TLane.Load(in start, index + 3 * lane));
            if (!TLane.IsZero(TLane.Or(low, high)))
                break;
        }
        for (; index + lane <= wordCount; index += lane)
        {
            if (!TLane.IsZero(TLane.Load(in start, index)))
                break;
        }
        return index + ScalarKernel.FirstNonZero(in Unsafe.Add(ref start, index), wordCount - index);
    }

    public static nuint FirstNotAllOnes(ref readonly ulong words, nuint wordCount)
    {
        ref ulong start = ref Unsafe.AsRef(in words);
        nuint lane = TLane.WordCount;
        nuint index = 0;
        for (; index + 4 * lane <= wordCount; index += 4 * lane)
        {
            TVector low = TLane.And(TLane.Load(in start, index), TLane.Load(in start, index + lane));
            TVector high = TLane.And(TLane.Load(in start, index + 2 * lane), TLane.Load(in start, index + 3 * lane));
            if (!TLane.IsAllOnes(TLane.And(low, high)))
                break;
        }
        for (; index + lane <= wordCount; index += lane)
        {
            if (!TLane.IsAllOnes(TLane.Load(in start, index)))
                break;
        }
        return index + ScalarKernel.FirstNotAllOnes(in Unsafe.Add(ref start, index), wordCount - index);
    }

    public static nuint FirstDifference(ref readonly ulong left, ref readonly ulong right, nuint wordCount)
    {
        ref ulong leftStart = ref Unsafe.AsRef(in left);
        ref ulong rightStart = ref Unsafe.AsRef(in right);
        nuint lane = TLane.WordCount;
        nuint index = 0;
        for (; index + 2 * lane <= wordCount; index += 2 * lane)
        {
            TVector low = TLane.Xor(TLane.Load(in leftStart, index), TLane.Load(in rightStart, index));
            TVector high = TLane.Xor(TLane.Load(in leftStart, index + lane), TLane.Load(in rightStart, index + lane));
            if (!TLane.IsZero(TLane.Or(low, high)))
                break;
        }
        return index
            + ScalarKernel.FirstDifference(
                in Unsafe.Add(ref leftStart, index),
                in Unsafe.Add(ref rightStart, index),
                wordCount - index
            );
    }

    // Counting is scalar in every width; the reason is in ScalarKernel.
    public static ulong PopCount(ref readonly ulong words, nuint wordCount) =>
        ScalarKernel.PopCount(in words, wordCount);

    public static ulong Or(ref ulong target, ref readonly ulong source, nuint wordCount) =>
        ScalarKernel.Or(ref target, in source, wordCount);

    public static ulong And(ref ulong target, ref readonly ulong source, nuint wordCount) =>
        ScalarKernel.And(ref target, in source, wordCount);

    public static ulong AndNot(ref ulong target, ref readonly ulong source, nuint wordCount) =>
        ScalarKernel.AndNot(ref target, in source, wordCount);

    public static ulong Invert(ref ulong target, nuint wordCount) => ScalarKernel.Invert(ref target, wordCount);

    public static ulong CopyLines(
        ref ulong target,
        ref readonly ulong source,
        nuint lineCount,
        ulong dirtyLines,
        out ulong gained,
        out ulong lost
    )
    {
        ulong gainedOnes = 0;
        ulong lostOnes = 0;
        ulong lines = 0;
        nuint lane = TLane.WordCount;
        for (nuint line = 0; line < lineCount; line++)
        {
            ref ulong to = ref Unsafe.Add(ref target, line * 8);
            ref ulong from = ref Unsafe.Add(ref Unsafe.AsRef(in source), line * 8);
            TVector any = TLane.Load(in from, 0);
            for (nuint part = lane; part < 8; part += lane)
                any = TLane.Or(any, TLane.Load(in from, part));
            bool isDirty = ((dirtyLines >> (int)line) & 1) != 0;
            if (TLane.IsZero(any))
            {
                if (!isDirty)
                    continue;
            }
            else
            {
                lines |= 1UL << (int)line;
                gainedOnes += ScalarKernel.PopCountLine(in from);
            }
            if (isDirty)
                lostOnes += ScalarKernel.PopCountLine(in to);
            for (nuint part = 0; part < 8; part += lane)
                TLane.Store(TLane.Load(in from, part), ref to, part);
        }
        gained = gainedOnes;
        lost = lostOnes;
        return lines;
    }

    public static void Fill(ref ulong target, ulong value, nuint wordCount)
    {
        TVector vector = TLane.Broadcast(value);
        nuint lane = TLane.WordCount;
        nuint index = 0;
        for (; index + 4 * lane <= wordCount; index += 4 * lane)
        {
            TLane.Store(vector, ref target, index);
            TLane.Store(vector, ref target, index + lane);
            TLane.Store(vector, ref target, index + 2 * lane);
            TLane.Store(vector, ref target, index + 3 * lane);
        }
        ScalarKernel.Fill(ref Unsafe.Add(ref target, index), value, wordCount - index);
    }

    public static ulong NonZeroLines(ref readonly ulong words, nuint lineCount)
    {
        ref ulong start = ref Unsafe.AsRef(in words);
        ulong lines = 0;
        for (nuint line = 0; line < lineCount; line++)
        {
            TVector any = TLane.Load(in start, line * 8);
            for (nuint part = TLane.WordCount; part < 8; part += TLane.WordCount)
                any = TLane.Or(any, TLane.Load(in start, line * 8 + part));
            lines |= (TLane.IsZero(any) ? 0UL : 1UL) << (int)line;
        }
        return lines;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint NonZeroWords(ref readonly ulong line)
    {
        uint words = TLane.NonZeroMask(TLane.Load(in line, 0));
        for (nuint part = TLane.WordCount; part < 8; part += TLane.WordCount)
            words |= TLane.NonZeroMask(TLane.Load(in line, part)) << (int)part;
        return words;
    }

    public static void StorePositions(ref ulong target, ulong word, ulong firstBit)
    {
        // A byte at a time: a table has the positions of its ones, packed as bytes, to be widened and moved up.
        ref ulong positions = ref MemoryMarshal.GetArrayDataReference(BytePositions.Packed);
        for (int i = 0; i < 8; i++)
        {
            nuint value = (byte)word;
            TLane.StoreWidened(Unsafe.Add(ref positions, value), firstBit, ref target);
            target = ref Unsafe.Add(ref target, BitOperations.PopCount((uint)value));
            word >>= 8;
            firstBit += 8;
        }
    }
}

/// <summary>For each byte value the positions of its ones, ascending, one per byte from the lowest on.</summary>
static class BytePositions
{
    public static readonly ulong[] Packed = Create();

    static ulong[] Create()
    {
        ulong[] packed = new ulong[256];
        for (int value = 0; value < 256; value++)
        {
            int count = 0;
            for (int bit = 0; bit < 8; bit++)
            {
                if (((value >> bit) & 1) != 0)
                    packed[value] |= (ulong)bit << (8 * count++);
            }
        }
        return packed;
    }
}
