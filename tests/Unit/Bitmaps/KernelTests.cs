// Every kernel against the obvious loop, on memory whose neighbours fault. A width that this run does not have
// (DOTNET_EnableAVX512=0 and so on) is skipped by name, so a run says which ones it covered.
using System;
using System.Numerics;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Bitmaps.Kernels;
using Xunit;

namespace FastBackup.Tests.Unit.Bitmaps;

[Trait("System", "Linux")] // guard pages: mprotect(2)
public sealed class KernelTests
{
    const int WordsMax = 75; // more than two steps of four 512-bit vectors

    [Fact]
    public void ScalarKernel_OnGuardPages_AgreesWithTheLoop() => CheckAll<ScalarKernel>();

    [Fact]
    public void Vector256Kernel_OnGuardPages_AgreesWithTheLoop() =>
        CheckAll<VectorKernel<Vector256Lane, System.Runtime.Intrinsics.Vector256<ulong>>>();

    [Fact]
    public void Vector512Kernel_OnGuardPages_AgreesWithTheLoop() =>
        CheckAll<VectorKernel<Vector512Lane, System.Runtime.Intrinsics.Vector512<ulong>>>();

    [Fact]
    public void Chooser_TakesTheWidestSupportedWidth() =>
        Assert.Equal(
            Vector512Lane.IsSupported ? 512
                : Vector256Lane.IsSupported ? 256
                : 64,
            BitmapKernels.WidthBits
        );

    [Fact]
    public void IsAllZero_EveryLengthAlignmentAndPosition_FindsTheOneByte()
    {
        using GuardedMemory memory = new(1);
        for (int length = 0; length <= 300; length++)
        {
            Span<byte> tail = memory.Tail(length);
            Span<byte> head = memory.Head(length);
            Assert.True(BitmapKernels.IsAllZero(tail));
            for (int at = 0; at < length; at++)
            {
                tail[at] = head[at] = (byte)(1 << (at % 8));
                Assert.False(BitmapKernels.IsAllZero(tail));
                Assert.False(BitmapKernels.IsAllZero(head));
                tail[at] = head[at] = 0;
            }
            Assert.True(BitmapKernels.IsAllZero(head));
        }
        // A byte right outside of the span does not count.
        Span<byte> around = memory.Tail(200);
        around[0] = around[199] = 0xFF;
        Assert.True(BitmapKernels.IsAllZero(around[1..199]));
    }

    static void CheckAll<TKernel>()
        where TKernel : struct, IBitmapKernel
    {
        Assert.SkipUnless(TKernel.IsSupported, $"this run has no {typeof(TKernel).Name}");
        ulong seed = TestSeed.Next();
        Prng random = new(seed);
        using GuardedMemory left = new(1);
        using GuardedMemory right = new(1);
        for (int words = 0; words <= WordsMax; words++)
        {
            for (int misalignment = 0; misalignment < 8; misalignment++)
            {
                bool isTail = misalignment == 0; // else right behind the lower guard, off by some bytes
                for (int fill = 0; fill < 5; fill++)
                {
                    Span<ulong> a = Words(left, words, misalignment, isTail);
                    Span<ulong> b = Words(right, words, misalignment, isTail);
                    Fill(random, a, fill);
                    a.CopyTo(b);
                    if (words > 0 && fill < 4)
                        b[(int)random.Below((ulong)words)] ^= 1UL << (int)random.Below(64);
                    else
                        Fill(random, b, 4);
                    string what = $"FASTBACKUP_SEED={seed} words {words} offset {misalignment} fill {fill}";
                    CheckScans<TKernel>(a, b, what);
                    CheckLines<TKernel>(a, what);
                    CheckCopyLines<TKernel>(random, a, b, what);
                    CheckStores<TKernel>(a, b, what);
                }
            }
        }
    }

    static Span<ulong> Words(GuardedMemory memory, int words, int misalignment, bool isTail) =>
        MemoryMarshal.Cast<byte, ulong>(
            isTail ? memory.Tail(words * 8) : memory.Head(words * 8 + misalignment)[misalignment..]
        );

    /// <summary>0 all zero, 1 all ones, 2 one bit, 3 one zero bit, 4 random.</summary>
    static void Fill(Prng random, Span<ulong> words, int kind)
    {
        words.Fill(kind is 1 or 3 ? ulong.MaxValue : 0);
        if (kind is 2 or 3 && words.Length > 0)
            words[(int)random.Below((ulong)words.Length)] ^= 1UL << (int)random.Below(64);
        if (kind == 4)
            random.Fill(MemoryMarshal.AsBytes(words));
    }

    static void CheckScans<TKernel>(Span<ulong> a, Span<ulong> b, string what)
        where TKernel : struct, IBitmapKernel
    {
        ref ulong left = ref MemoryMarshal.GetReference(a);
        ref ulong right = ref MemoryMarshal.GetReference(b);
        nuint count = (nuint)a.Length;
        int nonZero = 0;
        while (nonZero < a.Length && a[nonZero] == 0)
            nonZero++;
        int notOnes = 0;
        while (notOnes < a.Length && a[notOnes] == ulong.MaxValue)
            notOnes++;
        int different = 0;
        while (different < a.Length && a[different] == b[different])
            different++;
        ulong ones = 0;
        foreach (ulong word in a)
            ones += (ulong)BitOperations.PopCount(word);
        Assert.True((nuint)nonZero == TKernel.FirstNonZero(in left, count), what);
        Assert.True((nuint)notOnes == TKernel.FirstNotAllOnes(in left, count), what);
        Assert.True((nuint)different == TKernel.FirstDifference(in left, in right, count), what);
        Assert.True(count == TKernel.FirstDifference(in left, in left, count), what);
        Assert.True(ones == TKernel.PopCount(in left, count), what);
    }

    static void CheckLines<TKernel>(Span<ulong> a, string what)
        where TKernel : struct, IBitmapKernel
    {
        int lines = Math.Min(a.Length / 8, 64);
        Span<ulong> tail = a[(a.Length - lines * 8)..];
        ulong expected = 0;
        foreach (ulong word in a)
            CheckPositions<TKernel>(word, what);
        for (int line = 0; line < lines; line++)
        {
            uint words = 0;
            for (int word = 0; word < 8; word++)
                words |= (tail[line * 8 + word] != 0 ? 1U : 0U) << word;
            expected |= (words != 0 ? 1UL : 0UL) << line;
            Assert.True(words == TKernel.NonZeroWords(in tail[line * 8]), what);
        }
        Assert.True(expected == TKernel.NonZeroLines(in MemoryMarshal.GetReference(tail), (nuint)lines), what);
    }

    static void CheckPositions<TKernel>(ulong word, string what)
        where TKernel : struct, IBitmapKernel
    {
        Span<ulong> positions = stackalloc ulong[64 + 8];
        TKernel.StorePositions(ref positions[0], word, 1000);
        int count = 0;
        for (int bit = 0; bit < 64; bit++)
        {
            if ((word >> bit & 1) != 0)
                Assert.True(positions[count++] == 1000UL + (ulong)bit, what);
        }
    }

    static void CheckCopyLines<TKernel>(Prng random, Span<ulong> a, Span<ulong> b, string what)
        where TKernel : struct, IBitmapKernel
    {
        int lines = Math.Min(a.Length / 8, 64);
        Span<ulong> target = a[(a.Length - lines * 8)..];
        Span<ulong> source = b[(b.Length - lines * 8)..];
        ulong[] before = target.ToArray();
        ulong[] kept = source.ToArray();
        // Lines that are not called dirty are zero; a dirty one may be zero, too.
        ulong dirty = lines == 0 ? 0 : random.NextULong() & (ulong.MaxValue >> (64 - lines));
        ulong expectedLines = 0;
        ulong expectedGained = 0;
        ulong expectedLost = 0;
        for (int line = 0; line < lines; line++)
        {
            Span<ulong> to = target.Slice(line * 8, 8);
            Span<ulong> from = source.Slice(line * 8, 8);
            if ((dirty >> line & 1) == 0)
                to.Clear();
            if (random.Chance(1, 3))
                from.Clear();
            foreach (ulong word in to)
                expectedLost += (ulong)BitOperations.PopCount(word);
            foreach (ulong word in from)
                expectedGained += (ulong)BitOperations.PopCount(word);
            expectedLines |= (from.IndexOfAnyExcept(0UL) >= 0 ? 1UL : 0UL) << line;
        }
        ulong actual = TKernel.CopyLines(
            ref MemoryMarshal.GetReference(target),
            in MemoryMarshal.GetReference(source),
            (nuint)lines,
            dirty,
            out ulong gained,
            out ulong lost
        );
        Assert.True(actual == expectedLines, what);
        Assert.True(gained == expectedGained, what);
        Assert.True(lost == expectedLost, what);
        Assert.True(target.SequenceEqual(source), what);
        before.CopyTo(target);
        kept.CopyTo(source);
    }

    delegate ulong Store<TKernel>(ref ulong target, ref readonly ulong source, nuint wordCount);

    static void CheckStores<TKernel>(Span<ulong> a, Span<ulong> b, string what)
        where TKernel : struct, IBitmapKernel
    {
        CheckStore<TKernel>(a, b, TKernel.Or, (x, y) => x | y, what + " or");
        CheckStore<TKernel>(a, b, TKernel.And, (x, y) => x & y, what + " and");
        CheckStore<TKernel>(a, b, TKernel.AndNot, (x, y) => x & ~y, what + " and not");
        ulong[] before = a.ToArray();
        ulong ones = TKernel.Invert(ref MemoryMarshal.GetReference(a), (nuint)a.Length);
        ulong expectedOnes = 0;
        for (int word = 0; word < a.Length; word++)
        {
            Assert.True(a[word] == ~before[word], what);
            expectedOnes += (ulong)BitOperations.PopCount(~before[word]);
        }
        Assert.True(ones == expectedOnes, what);
        TKernel.Fill(ref MemoryMarshal.GetReference(a), 0x0123456789ABCDEF, (nuint)a.Length);
        Assert.True(a.IndexOfAnyExcept(0x0123456789ABCDEFUL) < 0, what);
        before.CopyTo(a);
    }

    static void CheckStore<TKernel>(
        Span<ulong> a,
        Span<ulong> b,
        Store<TKernel> kernel,
        Func<ulong, ulong, ulong> loop,
        string what
    )
    {
        ulong[] before = a.ToArray();
        ulong changed = 0;
        for (int word = 0; word < a.Length; word++)
            changed += (ulong)BitOperations.PopCount(before[word] ^ loop(before[word], b[word]));
        ulong reported = kernel(ref MemoryMarshal.GetReference(a), in MemoryMarshal.GetReference(b), (nuint)a.Length);
        Assert.True(changed == reported, what);
        for (int word = 0; word < a.Length; word++)
            Assert.True(a[word] == loop(before[word], b[word]), what);
        before.CopyTo(a);
    }
}
