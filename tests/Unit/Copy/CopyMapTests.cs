// The searches of the copy map, against the obvious way to do them.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Tests;
using FastBackup.Tests.Unit.Memory;
using Xunit;

namespace FastBackup.Tests.Unit.Copy;

public sealed class CopyMapTests
{
    const ulong ClusterCount = 9000;

    [Fact]
    public void TryFindCaptured_FindsExactlyWhatIsProtectedAndNeitherMarkedNorClaimed()
    {
        Prng prng = new(TestSeed.Next());
        for (int round = 0; round < 50; round++)
        {
            using CopyMap map = NewMap();
            for (int run = 0; run < 60; run++)
                (
                    prng.Below(3) switch
                    {
                        0 => map.Todo,
                        1 => map.Busy,
                        _ => map.Protected,
                    }
                ).SetBits(Draw(prng, out ulong length), length);
            ulong first = Draw(prng, out ulong count);
            List<ulong> expected = [];
            for (ulong cluster = first; cluster < first + count; cluster++)
                if (map.Protected.GetBit(cluster) && !map.Todo.GetBit(cluster) && !map.Busy.GetBit(cluster))
                    expected.Add(cluster);
            List<ulong> found = [];
            while (map.TryFindCaptured(ref first, ref count, out ulong captured, out ulong capturedCount))
                for (ulong cluster = captured; cluster < captured + capturedCount; cluster++)
                    found.Add(cluster);
            Assert.Equal(expected, found);
            Assert.Equal(0ul, count);
        }
    }

    [Fact]
    public void IsProtected_OfRangesOfAnyLength_SaysWhetherAClusterIs()
    {
        Prng prng = new(TestSeed.Next());
        using CopyMap map = NewMap();
        for (int round = 0; round < 2000; round++)
        {
            map.Protected.ResetAll();
            ulong set = prng.Below(ClusterCount);
            map.Protected.SetBits(set, 1);
            ulong first = Draw(prng, out ulong count);
            Extent extent = new(first * 4096, count * 4096);
            bool isProtected = set >= first && set < first + count;
            Assert.Equal(isProtected, map.IsProtected(extent));
            Assert.Equal(isProtected, map.IsProtectedNow(extent));
        }
    }

    [Trait("System", "Linux")] // getrusage(2), mincore(2)
    [Fact]
    public void WhatAGuestsWriteTouches_IsInMemoryFromTheStart()
    {
        using (CopyMap once = NewMap())
            once.MarkAll(); // the code itself
        const ulong Bits = 1 << 24; // 512 pages for each of the two
        Assert.True(CopyMap.TryCreate(Bits * 4096, 4096, out CopyMap? map).IsNone);
        using (map)
        {
            long before = Residency.MinorFaultCount();
            map!.MarkAll();
            Assert.InRange(Residency.MinorFaultCount() - before, 0, 100);
        }
    }

    static CopyMap NewMap()
    {
        Assert.True(CopyMap.TryCreate(ClusterCount * 4096, 4096, out CopyMap? map).IsNone);
        return map!;
    }

    static ulong Draw(Prng prng, out ulong length)
    {
        ulong first = prng.Below(ClusterCount);
        length = prng.Chance(1, 2) ? prng.Below(40) : prng.Below(ClusterCount);
        length = Math.Min(length, ClusterCount - first);
        return first;
    }
}
