// What a bitmap names, taken over by the copy map line by line, in any order and beside guests' threads: at every
// moment the answer is as if all had been taken over at once.
using System;
using System.Collections.Generic;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Copy;
using Xunit;

namespace FastBackup.Tests.Unit.Copy;

[Trait("System", "None")] // a table against a model
public sealed class NamedClustersTests
{
    const uint ClusterBytes = 4096;
    const ulong ClusterCount = 70 * CopyMap.LineClusters + 77;
    const ulong SizeBytes = (ClusterCount - 1) * ClusterBytes + 600; // the last one is short

    [Fact]
    public void InAnyOrder_EveryAnswer_IsAsIfAllWereTakenOver()
    {
        for (int round = 0; round < 60; round++)
        {
            Prng prng = new(TestSeed.Next());
            using HierarchicalBitmap named = Named(prng);
            using HierarchicalBitmap readable = HierarchicalBitmap.Create(SizeBytes, ClusterBytes);
            using CopyMap map = NewMap(readable);
            using HierarchicalBitmap expected = HierarchicalBitmap.Create(SizeBytes, ClusterBytes);
            Assert.True(expected.CopyFrom(named).IsNone);
            ulong expectedBytes = expected.CountBytes();
            Assert.InRange(expectedBytes, 0ul, map.NamedBytesMax(named));
            using HierarchicalBitmap all = HierarchicalBitmap.Create(SizeBytes, ClusterBytes);
            Assert.True(all.CopyFrom(expected).IsNone);
            map.Name(named);
            for (int step = 0; step < 200; step++)
                Step(prng, map, expected);
            while (!map.TakePiece())
                continue;
            Assert.True(map.IsWhole);
            Assert.Equal(expectedBytes, map.NamedBytes);
            AssertEqual(expected, map.Todo);
            AssertEqual(expected, map.Protected);
            AssertEqual(all, readable);
        }
    }

    /// <summary>Asks, or copies something, as whoever waits for it does.</summary>
    static void Step(Prng prng, CopyMap map, HierarchicalBitmap expected)
    {
        ulong first = prng.Below(ClusterCount);
        ulong count = Math.Min(
            ClusterCount - first,
            1 + (prng.Chance(1, 2) ? prng.Below(9) : prng.Below(ClusterCount))
        );
        Extent extent = map.Bytes(first, count);
        bool isNamed = expected.IsAnySet(first, count);
        Assert.Equal(expected.GetBit(first), map.IsTodo(first));
        Assert.True(map.IsProtected(extent) || !isNamed);
        Assert.True(map.IsProtectedNow(extent) || !isNamed);
        if (prng.Chance(1, 2))
            return;
        while (!map.TryTake(first, count))
            continue;
        Assert.Equal(isNamed, map.IsProtectedNow(extent));
        if (!map.Todo.TryClaimRun(first, first + count, 1 + prng.Below(40), out ulong claimed, out ulong claimedCount))
            return;
        if (prng.Chance(1, 4))
        {
            map.Todo.SetBits(claimed, claimedCount); // its copy has failed
            return;
        }
        map.Protected.ClearBits(claimed, claimedCount);
        expected.ClearBits(claimed, claimedCount);
    }

    [Fact]
    public void LongRange_IsTakenOverInParts()
    {
        using HierarchicalBitmap named = HierarchicalBitmap.Create(SizeBytes, ClusterBytes);
        named.SetAll();
        using CopyMap map = NewMap(readable: null);
        map.Name(named);
        Assert.Equal(0ul, map.Todo.CountBits());
        Assert.False(map.TryTake(0, ClusterCount));
        Assert.Equal(64 * CopyMap.LineClusters, map.Todo.CountBits());
        Assert.True(map.TryTake(64 * CopyMap.LineClusters, 4 * CopyMap.LineClusters));
        while (!map.TryTake(0, ClusterCount))
            continue;
        Assert.False(map.IsWhole); // which is said by whoever takes the pieces
        Assert.True(map.TakePiece());
        Assert.Equal(SizeBytes, map.NamedBytes);
    }

    [Fact]
    public void MuchFinerBitmap_IsTakenOverInSmallerPieces()
    {
        using HierarchicalBitmap named = HierarchicalBitmap.Create(SizeBytes, 512);
        for (ulong bit = 0; bit < named.BitCount; bit += 2)
            named.SetBits(bit, 1);
        using CopyMap map = NewMap(readable: null);
        map.Name(named);
        Assert.False(map.TryTake(0, ClusterCount));
        Assert.Equal(4 * CopyMap.LineClusters, map.Todo.CountBits());
        for (ulong before = map.Todo.CountBits(); !map.TakePiece(); before = map.Todo.CountBits())
            Assert.InRange(map.Todo.CountBits() - before, 1ul, 12 * CopyMap.LineClusters);
        Assert.Equal(SizeBytes, map.NamedBytes);
    }

    [Fact]
    public void GuestsThreads_NeverFindWhatIsNamedUnprotected()
    {
        using HierarchicalBitmap named = HierarchicalBitmap.Create(SizeBytes, ClusterBytes);
        for (ulong cluster = 0; cluster < ClusterCount; cluster += 2)
            named.SetBits(cluster, 1);
        for (int round = 0; round < 20; round++)
        {
            using CopyMap map = NewMap(readable: null);
            map.Name(named);
            int missedCount = 0;
            bool isOver = false;
            List<Thread> guests = [];
            for (uint guest = 0; guest < 2; guest++)
            {
                Prng prng = new(TestSeed.Next());
                Thread thread = new(() =>
                {
                    while (!Volatile.Read(ref isOver))
                        if (!map.IsProtected(map.Bytes(prng.Below(ClusterCount) & ~1ul, 1)))
                            Interlocked.Increment(ref missedCount);
                });
                guests.Add(thread);
                thread.Start();
            }
            for (ulong line = 0; line < ClusterCount / CopyMap.LineClusters; line++)
                Assert.True(map.TryTake(line * CopyMap.LineClusters, 1));
            Assert.True(map.TakePiece());
            Thread.Yield();
            Volatile.Write(ref isOver, true);
            guests.ForEach(guest => guest.Join());
            Assert.Equal(0, missedCount);
            Assert.False(map.IsProtected(map.Bytes(1, 1)));
        }
    }

    static CopyMap NewMap(HierarchicalBitmap? readable)
    {
        Assert.True(CopyMap.TryCreate(SizeBytes, ClusterBytes, out CopyMap? map).IsNone);
        map!.AwaitName(readable);
        return map;
    }

    /// <summary>Finer or coarser than clusters; from nothing to every other granule.</summary>
    static HierarchicalBitmap Named(Prng prng)
    {
        HierarchicalBitmap named = HierarchicalBitmap.Create(SizeBytes, 512ul << (int)prng.Below(9));
        ulong runs = prng.Below(4) * prng.Below(200);
        for (ulong run = 0; run < runs; run++)
        {
            ulong first = prng.Below(named.BitCount);
            named.SetBits(first, Math.Min(named.BitCount - first, 1 + prng.Below(900)));
        }
        ulong endBit = prng.Chance(1, 5) ? named.BitCount : 0;
        for (ulong bit = prng.Below(2); bit < endBit; bit += 2)
            named.SetBits(bit, 1);
        if (prng.Chance(1, 2))
            named.SetBits(named.BitCount - 1, 1);
        return named;
    }

    static void AssertEqual(HierarchicalBitmap expected, HierarchicalBitmap actual)
    {
        Assert.Equal(expected.CountBits(), actual.CountBits());
        for (ulong bit = 0; bit < ClusterCount; bit++)
            Assert.Equal(expected.GetBit(bit), actual.GetBit(bit));
    }
}
