// The table of masks against a dictionary, and its looks from another thread while the owner changes it.
using System.Collections.Generic;
using System.Threading;
using FastBackup.Base;
using FastBackup.Copy;
using Xunit;

namespace FastBackup.Tests.Unit.Copy;

public sealed class BlockMasksTests
{
    [Fact]
    public void Allows_OnlyWhatWasAllowed_OfThatCluster()
    {
        using BlockMasks masks = new(4);
        masks.Add(7, 1);
        Assert.False(masks.Allows(7, 0b1));
        masks.Allow(7, 0b110);
        Assert.True(masks.Allows(7, 0b110));
        Assert.True(masks.Allows(7, 0b100));
        Assert.False(masks.Allows(7, 0b101));
        Assert.False(masks.Allows(6, 0b100));
        masks.Remove(7);
        Assert.False(masks.Allows(7, 0b100));
        Assert.Equal(0u, masks.Count);
    }

    [Fact]
    public void Next_FindsTheLowestOfARange_ShortOrLong()
    {
        using BlockMasks masks = new(4);
        foreach (ulong cluster in new ulong[] { 900_000, 40, 41 })
            masks.Add(cluster, 0);
        Assert.Equal(40ul, masks.Next(38, 45));
        Assert.Equal(41ul, masks.Next(41, 45));
        Assert.Equal(45ul, masks.Next(42, 45));
        Assert.Equal(40ul, masks.Next(0, 1_000_000));
        Assert.Equal(900_000ul, masks.Next(42, 1_000_000));
        Assert.Equal(2_000_000ul, masks.Next(900_001, 2_000_000));
        Assert.Equal(5ul, masks.Next(5, 5));
    }

    [Fact]
    public void Next_FindsTheOnlyOne()
    {
        using BlockMasks masks = new(8);
        Assert.Equal(9ul, masks.Next(0, 9));
        masks.Add(7, 0);
        Assert.Equal(7ul, masks.Next(0, 9));
        Assert.Equal(7ul, masks.Next(0, 1UL << 40));
        Assert.Equal(7ul, masks.Next(1, 7));
    }

    [Fact]
    public void AddRemoveAllow_AgainstModel()
    {
        Prng prng = new(TestSeed.Next());
        using BlockMasks masks = new(64);
        Dictionary<ulong, (ushort Record, uint Blocks)> model = [];
        uint looks = 0;
        uint couldNotTell = 0;
        for (int step = 0; step < 20_000; step++)
        {
            ulong cluster = prng.Below(200) << (int)prng.Below(30);
            if (model.TryGetValue(cluster, out (ushort Record, uint Blocks) known))
            {
                if (prng.Chance(1, 2))
                {
                    masks.Remove(cluster);
                    model.Remove(cluster);
                }
                else
                {
                    uint more = 1u << (int)prng.Below(BlockMasks.BlocksMax);
                    masks.Allow(cluster, more);
                    model[cluster] = (known.Record, known.Blocks | more);
                }
            }
            else if (!masks.IsFull)
            {
                model[cluster] = ((ushort)step, 0);
                masks.Add(cluster, (ushort)step);
            }
            Assert.Equal((uint)model.Count, masks.Count);
            foreach ((ulong at, (ushort record, uint blocks)) in model)
            {
                Assert.True(masks.TryFind(at, out ushort found));
                Assert.Equal(record, found);
                looks++;
                if (!masks.Allows(at, blocks))
                    couldNotTell++;
                else
                    Assert.Equal(blocks == 0xFFFF, masks.Allows(at, 0xFFFF));
            }
        }
        Assert.InRange(couldNotTell, 0u, looks / 100);
    }

    /// <summary>Writes at a power of two from each other must not all begin to look at the same place.</summary>
    [Fact]
    public void Allows_ForClustersAtEqualDistance_IsAlwaysTold()
    {
        for (int shift = 0; shift < 40; shift++)
        {
            using BlockMasks masks = new(256);
            for (ulong i = 0; i < 256; i++)
            {
                masks.Add(i << shift, (ushort)i);
                masks.Allow(i << shift, 1);
            }
            for (ulong i = 0; i < 256; i++)
                Assert.True(masks.Allows(i << shift, 1), $"{i} << {shift}");
        }
    }

    /// <summary>
    /// Cluster n is allowed its block n % 16 only, ever: whatever a look from outside meets, it never sees another.
    /// </summary>
    [Fact]
    public void Allows_FromAnotherThread_NeverSeesABitOfAnotherCluster()
    {
        using BlockMasks masks = new(32);
        bool isOver = false;
        ulong seen = 0;
        ulong wrong = 0;
        Thread guest = new(() =>
        {
            bool isLast = false;
            while (!isLast)
            {
                isLast = Volatile.Read(ref isOver);
                for (ulong cluster = 0; cluster < 97; cluster++)
                    Look(cluster);
            }
        });
        guest.Start();
        Prng prng = new(TestSeed.Next());
        Queue<ulong> present = [];
        for (int step = 0; step < 300_000; step++)
        {
            ulong cluster = prng.Below(97);
            if (masks.IsFull)
                masks.Remove(present.Dequeue());
            if (masks.TryFind(cluster, out _))
                continue;
            masks.Add(cluster, 0);
            masks.Allow(cluster, 1u << (int)(cluster % 16));
            present.Enqueue(cluster);
        }
        while (masks.Count > 1)
            masks.Remove(present.Dequeue());
        Volatile.Write(ref isOver, true);
        guest.Join();
        Assert.Equal(0ul, wrong);
        Assert.True(seen > 0);

        void Look(ulong cluster)
        {
            uint own = 1u << (int)(cluster % 16);
            seen += masks.Allows(cluster, own) ? 1u : 0;
            for (int block = 0; block < 16; block++)
                wrong += own != 1u << block && masks.Allows(cluster, 1u << block) ? 1u : 0;
        }
    }
}
