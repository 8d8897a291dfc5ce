// Many threads on one bitmap. The small bitmaps make lines and summary bits change hands all the time.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;
using Xunit;

namespace FastBackup.Tests.Unit.Bitmaps;

[Trait("System", "None")] // threads at once, of which one processor has none
public sealed class BitmapConcurrencyTests
{
    const int ThreadCount = 4;

    /// <summary>Bits far apart, so that each is alone in its line, and close together; with 2 and 3 levels.</summary>
    [Theory]
    [InlineData(64, 1)]
    [InlineData(2048, 1)]
    [InlineData(1024, 512)]
    [InlineData(24, 1 << 17)]
    public void SetAndClaim_FromManyThreads_EachSetIsClaimedOnceAndNoneIsLost(int slotCount, int stride)
    {
        const int SetsPerThread = 80_000;
        ulong bits = (ulong)slotCount * (ulong)stride;
        ulong seed = TestSeed.Next();
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(bits, 1);
        // owned[slot] counts sets that found the slot free minus claims; a double claim makes it negative.
        int[] owned = new int[slotCount];
        long setCount = 0;
        long claimCount = 0;
        int running = ThreadCount / 2;
        string? failure = null;
        RunThreads(thread =>
        {
            Prng random = new(seed + (ulong)thread);
            if (thread < ThreadCount / 2)
            {
                for (int done = 0; done < SetsPerThread && failure == null; )
                {
                    int slot = (int)random.Below((ulong)slotCount);
                    if (Interlocked.CompareExchange(ref owned[slot], 1, 0) != 0)
                        continue;
                    bitmap.SetBits((ulong)slot * (ulong)stride, 1);
                    Interlocked.Increment(ref setCount);
                    done++;
                }
                Interlocked.Decrement(ref running);
                return;
            }
            ulong from = 0;
            while (failure == null)
            {
                bool isLast = Volatile.Read(ref running) == 0;
                ulong first;
                ulong count;
                if (random.Chance(1, 4))
                {
                    first = random.Below((ulong)slotCount) * (ulong)stride;
                    count = bitmap.TryClaim(first) ? 1UL : 0UL;
                }
                else if (!bitmap.TryClaimRun(from, bits, 1 + random.Below(100), out first, out count))
                {
                    from = 0;
                    if (isLast && bitmap.CountBits() == 0)
                        break;
                    continue;
                }
                else if (count == 0)
                    failure = $"a run of no bits was claimed at {first}";
                from = Math.Min(first + 1, bits);
                for (ulong bit = first; bit < first + count; bit++)
                {
                    int slot = (int)(bit / (ulong)stride);
                    if (bit % (ulong)stride != 0 || Interlocked.Exchange(ref owned[slot], 0) != 1)
                        failure = $"bit {bit} was claimed and nobody had set it";
                    Interlocked.Increment(ref claimCount);
                }
            }
        });
        Assert.True(failure == null, $"FASTBACKUP_SEED={seed} {failure}");
        Assert.Equal(setCount, claimCount);
        bitmap.Verify();
        Assert.Equal(HierarchicalBitmap.NotFound, bitmap.NextDirtyBit(0, bits));
    }

    [Fact]
    public void Claim_WithSetBack_EveryBitIsFinishedExactlyOnce()
    {
        const ulong Bits = 5_000_000;
        ulong seed = TestSeed.Next();
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(Bits, 1);
        bitmap.SetAll();
        int[] finished = new int[Bits];
        RunThreads(thread =>
        {
            Prng random = new(seed + (ulong)thread);
            ulong from = random.Below(Bits);
            while (bitmap.CountBits() > 0)
            {
                if (!bitmap.TryClaimRun(from, Bits, 1 + random.Below(700), out ulong first, out ulong count))
                {
                    from = 0;
                    continue;
                }
                from = first + count;
                if (random.Chance(1, 4))
                {
                    bitmap.SetBits(first, count); // the copy failed
                    continue;
                }
                for (ulong bit = first; bit < first + count; bit++)
                    Interlocked.Increment(ref finished[bit]);
            }
        });
        Assert.True(Array.TrueForAll(finished, times => times == 1), $"FASTBACKUP_SEED={seed}");
        bitmap.Verify();
    }

    [Fact]
    public void DrainInto_WhileOthersSet_EveryBitIsDrainedOrStillThere()
    {
        const ulong Bits = 100_000;
        ulong seed = TestSeed.Next();
        using HierarchicalBitmap live = HierarchicalBitmap.Create(Bits, 1);
        using HierarchicalBitmap drained = HierarchicalBitmap.Create(Bits, 1);
        using HierarchicalBitmap expected = HierarchicalBitmap.Create(Bits, 1);
        int running = ThreadCount - 1;
        RunThreads(thread =>
        {
            if (thread == 0)
            {
                while (Volatile.Read(ref running) > 0)
                    Assert.True(live.DrainInto(drained).IsNone);
                return;
            }
            Prng random = new(seed + (ulong)thread);
            for (int i = 0; i < 1_000_000; i++)
            {
                ulong offset = random.Below(Bits);
                ulong length = 1 + random.Below(Math.Min(Bits - offset, random.Chance(1, 50) ? 2000UL : 3UL));
                Assert.True(expected.Set(offset, length).IsNone);
                Assert.True(live.Set(offset, length).IsNone);
            }
            Interlocked.Decrement(ref running);
        });
        live.Verify();
        Assert.True(live.DrainInto(drained).IsNone);
        Assert.Equal(0UL, live.CountBits());
        drained.Verify();
        Assert.True(expected.Equal(drained), $"FASTBACKUP_SEED={seed}");
    }

    [Fact]
    public void Drain_BeginsAfterSetReturned_TheBitIsInThatGeneration()
    {
        // Two threads set the same bit at the same time; each then takes part in no store, so only the rule that
        // an already set bit still completes the summaries makes the slower one's bit visible to the drain.
        const int Rounds = 200_000;
        using HierarchicalBitmap live = HierarchicalBitmap.Create(1 << 20, 1);
        using HierarchicalBitmap drained = HierarchicalBitmap.Create(1 << 20, 1);
        ulong seed = TestSeed.Next();
        int round = 0;
        int missed = 0;
        RunThreads(thread =>
        {
            if (thread > 1)
                return;
            for (int i = 1; i <= Rounds; i++)
            {
                if (thread == 0)
                    Volatile.Write(ref round, i);
                while (Volatile.Read(ref round) < i)
                    Thread.SpinWait(1);
                ulong bit = new Prng(seed + (ulong)i).Below(1 << 20);
                live.SetBits(bit, 1);
                if (thread == 1)
                    continue;
                Assert.True(live.DrainInto(drained).IsNone);
                if (!drained.GetBit(bit))
                    missed++;
            }
        });
        Assert.True(missed == 0, $"FASTBACKUP_SEED={seed} missed {missed}");
    }

    [Fact]
    public void CountBits_WhileBitsMove_NeverReportsZeroForASetBit()
    {
        const ulong Bits = 1 << 16;
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(Bits, 1);
        bitmap.SetBits(0, 1);
        ulong seed = TestSeed.Next();
        int zeroes = 0;
        int running = ThreadCount - 1;
        RunThreads(thread =>
        {
            if (thread == 0)
            {
                while (Volatile.Read(ref running) > 0)
                    zeroes += bitmap.CountBits() == 0 ? 1 : 0;
                return;
            }
            Prng random = new(seed + (ulong)thread);
            for (int i = 0; i < 2_000_000; i++)
            {
                ulong bit = 1 + random.Below(Bits - 1);
                bitmap.SetBits(bit, 1);
                bitmap.TryClaim(bit);
            }
            Interlocked.Decrement(ref running);
        });
        Assert.True(zeroes == 0, $"FASTBACKUP_SEED={seed} zero {zeroes} times");
    }

    [Fact]
    public void NextDirty_BesideClaimsOfNeighbours_FindsAnUntouchedBit()
    {
        // The searched bit shares no line with the changing ones, but all of its summaries above level 1.
        const ulong Bits = 1 << 23;
        const ulong Kept = (1 << 22) + 5 * 512;
        using HierarchicalBitmap bitmap = HierarchicalBitmap.Create(Bits, 1);
        bitmap.SetBits(Kept, 1);
        ulong seed = TestSeed.Next();
        int running = ThreadCount - 1;
        int wrong = 0;
        RunThreads(thread =>
        {
            if (thread == 0)
            {
                while (Volatile.Read(ref running) > 0)
                    wrong += bitmap.NextDirtyBit(Kept - 100, Kept + 100) != Kept ? 1 : 0;
                return;
            }
            Prng random = new(seed + (ulong)thread);
            for (int i = 0; i < 1_000_000; i++)
            {
                ulong bit = (1UL << 22) + (6 + random.Below(500)) * 512;
                bitmap.SetBits(bit, 1);
                bitmap.TryClaim(bit);
            }
            Interlocked.Decrement(ref running);
        });
        Assert.True(wrong == 0, $"FASTBACKUP_SEED={seed} {wrong}");
        bitmap.Verify();
    }

    [Fact]
    public void MergeLive_BesideSets_LosesNeither()
    {
        const ulong Bits = 150_000;
        ulong seed = TestSeed.Next();
        using HierarchicalBitmap live = HierarchicalBitmap.Create(Bits, 1);
        using HierarchicalBitmap merged = HierarchicalBitmap.Create(Bits, 1);
        using HierarchicalBitmap expected = HierarchicalBitmap.Create(Bits, 1);
        Prng random = new(seed);
        for (int i = 0; i < 50_000; i++)
            merged.SetBits(random.Below(Bits), 1);
        RunThreads(thread =>
        {
            if (thread == 0)
            {
                Assert.True(live.MergeLive(merged).IsNone);
                return;
            }
            Prng own = new(seed + (ulong)thread);
            for (int i = 0; i < 30_000; i++)
            {
                ulong bit = own.Below(Bits);
                live.SetBits(bit, 1);
                expected.SetBits(bit, 1);
            }
        });
        Assert.True(expected.Merge(merged).IsNone);
        live.Verify();
        Assert.True(expected.Equal(live), $"FASTBACKUP_SEED={seed}");
    }

    static void RunThreads(Action<int> body)
    {
        Thread[] threads = new Thread[ThreadCount];
        Exception? failure = null;
        for (int i = 0; i < ThreadCount; i++)
        {
            int thread = i;
            threads[i] = new Thread(() =>
            {
                try
                {
                    body(thread);
                }
                catch (Exception thrown)
                {
                    failure = thrown;
                }
            })
            {
                Name = $"bitmap-test-{thread}",
            };
        }
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
        Assert.Null(failure);
    }
}
