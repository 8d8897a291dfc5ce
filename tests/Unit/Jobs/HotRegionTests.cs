// What guests wait for again and again is copied before its turn.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Pacing;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

[Trait("System", "None")]
public sealed class HotRegionTests(ITestOutputHelper output)
{
    const uint Cluster = 65536;
    const ulong RegionClusters = 64; // of 4 MiB

    /// <summary>
    /// 64 GiB on a modelled NVMe disk, a guest that writes to 128 MiB far behind the front: in order, the copy would be
    /// there after a third of a minute.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AGuestThatWritesToOnePlace_WaitsForASecondAtMost(bool isHook)
    {
        ModelLoad load = new(0, Depth: 4, isHook, SpanBytes: 128 * Units.MiB, SpanStartBytes: 48 * Units.GiB);
        GovernorBench bench = new(DeviceProfile.Of("nvme"), load);
        bench.Guest.SetOn(true);
        bench.RunFor(Units.NsPerSecond);
        bench.StartJob(GuestPriority.Balanced);
        bench.RunFor(Units.NsPerSecond);
        ulong waits = bench.Job!.QueryStatistics().GuestWaits.Count;
        int before = bench.Guest.Ended.Count;
        bench.RunFor(2 * Units.NsPerSecond);
        ulong later = bench.Job.QueryStatistics().GuestWaits.Count - waits;
        output.WriteLine($"{waits} waits, then {later} of {bench.Guest.Ended.Count - before} writes");
        Assert.True(bench.DoneBytes < 40 * Units.GiB); // in order it would not be there
        Assert.True(later * 200 < (ulong)(bench.Guest.Ended.Count - before), $"{later} waits after a second");
    }

    [Fact]
    public void Writes_AllOverADisk_MakeNoRegionHot()
    {
        FirstWriteHeat heat = new(1 << 20, Cluster);
        Prng prng = new(1);
        for (int i = 0; i < 100_000; i++)
            heat.Add(prng.Below(1 << 20));
        Assert.False(heat.TryTake(out _, out _));
    }

    [Fact]
    public void TheHottestRegions_ComeFirst_AmongWritesAllOverTheDisk()
    {
        FirstWriteHeat heat = new(1 << 20, Cluster);
        Prng prng = new(2);
        for (int i = 0; i < 3000; i++)
        {
            heat.Add(prng.Below(1 << 20));
            if (i % 4 == 0)
                heat.Add(777 * RegionClusters + prng.Below(RegionClusters));
            if (i % 8 == 0)
                heat.Add(55 * RegionClusters + prng.Below(RegionClusters));
        }
        List<ulong> taken = [];
        while (heat.TryTake(out ulong first, out ulong end))
        {
            Assert.Equal(first + RegionClusters, end);
            taken.Add(first / RegionClusters);
        }
        Assert.Equal([777ul, 55ul], taken);
    }

    [Fact]
    public void HeatIsOfLate()
    {
        FirstWriteHeat heat = new(1 << 20, Cluster);
        for (int i = 0; i < 40; i++)
            heat.Add(5);
        for (int i = 0; i < 5 * 4096; i++)
            heat.Add((ulong)(i % 32 + 100) * RegionClusters);
        Assert.True(heat.TryTake(out ulong first, out _));
        Assert.NotEqual(0ul, first);
        for (int i = 0; i < 31; i++)
            Assert.True(heat.TryTake(out first, out _) && first != 0);
        Assert.False(heat.TryTake(out _, out _)); // what was hot long ago is cold
    }

    [Fact]
    public void ASmallDisk_HasRegionsOfItsOwn_AndTheLastEndsWithIt()
    {
        FirstWriteHeat heat = new(131, Cluster);
        for (int i = 0; i < 10; i++)
            heat.Add(130);
        Assert.True(heat.TryTake(out ulong first, out ulong end));
        Assert.Equal((130ul, 131ul), (first, end));
    }
}
