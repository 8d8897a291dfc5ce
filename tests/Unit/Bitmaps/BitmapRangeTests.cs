// Long ranges, which are counted by the batch and summed up by the block, beside threads that claim, set and merge the
// same bits.
using System;
using System.Threading;
using System.Threading.Tasks;
using FastBackup.Base;
using FastBackup.Bitmaps;
using Xunit;

namespace FastBackup.Tests.Unit.Bitmaps;

[Trait("System", "None")] // threads at once, of which one processor has none
public sealed class BitmapRangeTests
{
    const ulong Bits = (1 << 21) + 700; // more than a batch, three levels, a last line that is not whole

    [Fact]
    public void Ranges_BesideClaimsAndMerges_CountAndSummariesAreExactAtRest()
    {
        ulong seed = TestSeed.Next();
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(Bits, 1);
        using HierarchicalBitmap merged = HierarchicalBitmap.Create(Bits, 1);
        Prng random = new(seed);
        for (int i = 0; i < 20_000; i++)
            merged.SetBits(random.Below(Bits), 1);
        Parallel.Invoke(
            () => Repeat(seed + 1, (it, first, count) => bitmap.SetBits(first, count)),
            () => Repeat(seed + 2, (it, first, count) => bitmap.ClearBits(first, count)),
            () => Repeat(seed + 3, (it, first, count) => bitmap.TryClaimRun(first, Bits, count, out _, out _)),
            () => Repeat(seed + 4, (it, _, _) => Assert.True(it % 8 != 0 || bitmap.MergeLive(merged).IsNone)),
            () => Repeat(seed + 5, (it, first, _) => bitmap.SetBits(first, 1))
        );
        bitmap.Verify();
        bitmap.SetBits(0, Bits);
        Assert.Equal(Bits, bitmap.CountBits());
        bitmap.Verify();
        bitmap.ClearBits(0, Bits);
        Assert.Equal(0ul, bitmap.CountBits());
        Assert.Equal(HierarchicalBitmap.NotFound, bitmap.NextDirtyBit(0, Bits));
        bitmap.Verify();
    }

    [Fact]
    public void Count_WhileRangesComeAndGo_NeverForgetsABitThatStays()
    {
        const ulong kept = 5 * 512;
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(Bits, 1);
        bitmap.SetBits(kept, 1);
        int running = 1;
        ulong least = ulong.MaxValue;
        Parallel.Invoke(
            () =>
            {
                for (int i = 0; i < 300; i++)
                {
                    bitmap.SetBits(kept + 512, Bits - kept - 512);
                    bitmap.ClearBits(kept + 512, Bits - kept - 512);
                }
                Volatile.Write(ref running, 0);
            },
            () =>
            {
                for (ulong bit = kept + 512; Volatile.Read(ref running) == 1; bit += 512)
                    bitmap.TryClaim(kept + 512 + bit % (Bits - kept - 512));
            },
            () =>
            {
                while (Volatile.Read(ref running) == 1)
                    least = Math.Min(least, bitmap.CountBits());
            }
        );
        Assert.True(least > 0, "the count was 0 while a bit was set");
        Assert.Equal(1ul, bitmap.CountBits());
    }

    static void Repeat(ulong seed, Action<int, ulong, ulong> act)
    {
        Prng random = new(seed);
        for (int i = 0; i < 2_000; i++)
        {
            ulong first = random.Below(Bits);
            ulong longest = random.Chance(1, 8) ? Bits : 4096;
            act(i, first, Math.Min(Bits - first, 1 + random.Below(longest)));
        }
    }
}
