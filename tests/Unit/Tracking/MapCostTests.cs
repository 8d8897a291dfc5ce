// What maps of a large disk cost: memory for each, and the time in which their union is made, which is printed only.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

public sealed class MapCostTests
{
    const ulong GranuleBytes = 64 * Units.KiB;

    [Theory]
    [InlineData(64 * Units.GiB)]
    [InlineData(16 * Units.TiB)]
    [InlineData(64 * Units.TiB)]
    public void Map_HasAtMostElevenTenthsOfABitForAGranule(ulong diskBytes)
    {
        ulong granuleCount = diskBytes / GranuleBytes;
        ulong mapBytes = new BitmapShape(granuleCount).RegionBytes;
        Assert.InRange(mapBytes * 8.0 / granuleCount, 1.0, 1.1);
    }

    [Fact]
    public void Since_Of16TiB_HasWhatAllMapsHave()
    {
        const ulong diskBytes = 16 * Units.TiB;
        Prng chance = new(1);
        ulong dirtyCount = diskBytes / GranuleBytes / 10_000;
        List<TrackedPoint> points = [];
        List<HierarchicalBitmap> maps = [];
        HashSet<ulong> dirty = [];
        for (ulong i = 0; i < 4; i++)
        {
            points.Add(new TrackedPoint(i + 1, 0, IsBase: i == 0, i == 0 ? "" : $"p{i}"));
            maps.Add(HierarchicalBitmap.Create(diskBytes, GranuleBytes));
            for (ulong k = 0; k < dirtyCount / 4; k++)
            {
                ulong granule = chance.Below(diskBytes / GranuleBytes);
                _ = dirty.Add(granule);
                maps[^1].SetBits(granule, 1);
            }
        }
        using MapChain chain = new(points, maps);
        double bestMs = double.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            long start = Stopwatch.GetTimestamp();
            using HierarchicalBitmap since = chain.Since(0);
            bestMs = Math.Min(bestMs, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            Assert.Equal((ulong)dirty.Count, since.CountBits());
            foreach (ulong granule in dirty)
                Assert.True(since.GetBit(granule));
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"{bestMs:0.00} ms for {dirty.Count} granules of 4 maps");
    }
}
