// The histogram against the sorted list of the same times.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using Xunit;

namespace FastBackup.Tests.Unit.Base;

public sealed class LatencyHistogramTests
{
    [Fact]
    public void Percentiles_AreAtMostAnEighthTooMuch_AndNeverBelowTheTruth()
    {
        Prng prng = new(TestSeed.Next());
        LatencyHistogram histogram = new();
        List<ulong> times = [];
        ulong sum = 0;
        for (int i = 0; i < 10_000; i++)
        {
            ulong ns = prng.Below(1UL << (int)prng.Between(1, 40));
            histogram.Add(ns);
            times.Add(ns);
            sum += ns;
        }
        times.Sort();
        Assert.Equal((ulong)times.Count, histogram.Count);
        Assert.Equal(sum, histogram.SumNs);
        Assert.Equal(times[^1], histogram.MaxNs);
        foreach (uint perThousand in new uint[] { 1, 10, 500, 900, 990, 999, 1000 })
        {
            ulong exact = times[(int)(times.Count * perThousand / 1000) - 1];
            Assert.InRange(histogram.PercentileNs(perThousand), exact, Math.Max(exact + exact / 8, 128));
        }
    }

    [Fact]
    public void AnEmptyHistogram_IsZero()
    {
        LatencyHistogram histogram = new();
        Assert.Equal(0ul, histogram.PercentileNs(990));
        Assert.Equal(0ul, histogram.MaxNs);
    }

    [Theory]
    [InlineData(0ul)]
    [InlineData(999ul)]
    [InlineData(1_000ul)]
    [InlineData(ulong.MaxValue)]
    public void ExtremeTimes_AreCounted(ulong ns)
    {
        LatencyHistogram histogram = new();
        histogram.Add(ns);
        Assert.Equal(1ul, histogram.Count);
        Assert.Equal(ns, histogram.MaxNs);
        Assert.InRange(histogram.PercentileNs(1000), Math.Min(ns, 1), ns);
    }

    [Fact]
    public void Bins_HoldEachTimeBelowTheirEdge()
    {
        LatencyHistogram histogram = new();
        Assert.Empty(histogram.Bins());
        ulong[] times = [1_000, 1_100, 5_000, 1_000_000];
        foreach (ulong ns in times)
            histogram.Add(ns);
        (ulong BelowNs, ulong Count)[] bins = histogram.Bins();
        ulong fromNs = 0;
        foreach ((ulong belowNs, ulong count) in bins)
        {
            Assert.True(System.Numerics.BitOperations.IsPow2(belowNs));
            Assert.Equal(times.Count(ns => ns >= fromNs && ns < belowNs), (int)count);
            fromNs = belowNs;
        }
        Assert.NotEqual(0ul, bins[0].Count);
        Assert.NotEqual(0ul, bins[^1].Count);
        histogram.Add(ulong.MaxValue);
        Assert.Equal((ulong.MaxValue, 1ul), histogram.Bins()[^1]);
    }
}
