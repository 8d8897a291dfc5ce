// Percentiles of latencies: near the truth, quick to follow, and without a tail that a few samples cannot know.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Pacing;
using Xunit;

namespace FastBackup.Tests.Unit.Pacing;

public sealed class LatencySketchTests
{
    [Theory]
    [InlineData(1_000)]
    [InlineData(80_000)]
    [InlineData(9_000_000)]
    [InlineData(30_000_000_000)]
    public void Median_IsWithinATenth(ulong scaleNs)
    {
        Prng prng = new(7);
        LatencySketch sketch = new();
        List<ulong> all = [];
        for (int i = 0; i < 1000; i++)
        {
            ulong value = scaleNs + prng.Below(scaleNs);
            all.Add(value);
            sketch.Add(value);
        }
        all.Sort();
        Assert.InRange(sketch.MedianNs, (ulong)(all[500] * 0.9), (ulong)(all[500] * 1.1));
        Assert.InRange(sketch.MeanNs, scaleNs * 1.4, scaleNs * 1.6);
        double tail = Math.Max(all[990], 1.5 * all[500]); // the tail is at least one and a half medians
        Assert.InRange(sketch.TailNs, (ulong)(tail * 0.85), (ulong)(tail * 1.15));
    }

    [Fact]
    public void FewSamples_HaveAMedian_AndATailOfTwoMedians()
    {
        LatencySketch sketch = new();
        Assert.False(sketch.IsKnown);
        Assert.Equal(0ul, sketch.TailNs);
        for (int i = 0; i < 3; i++)
            sketch.Add(100_000);
        Assert.True(sketch.IsKnown);
        Assert.InRange(sketch.MedianNs, 92_000ul, 108_000ul);
        Assert.Equal(2 * sketch.MedianNs, sketch.TailNs);
    }

    [Fact]
    public void AfterAFade_AFewNewSamplesMoveIt_AndTheTailMovesAlong()
    {
        LatencySketch sketch = new();
        for (int i = 0; i < 300; i++)
            sketch.Add(i % 50 == 0 ? 300_000ul : 100_000ul);
        ulong ratio = sketch.TailNs * 10 / sketch.MedianNs;
        Assert.InRange(ratio, 28ul, 32ul);
        sketch.FadeAtNext();
        Assert.Equal(300u, sketch.Count); // nothing newer is known yet
        for (int i = 0; i < 90; i++)
            sketch.Add(400_000);
        Assert.InRange(sketch.MedianNs, 370_000ul, 430_000ul);
        Assert.InRange(sketch.TailNs * 10 / sketch.MedianNs, 27ul, 33ul);
    }

    [Fact]
    public void Extremes_AreTaken()
    {
        LatencySketch sketch = new();
        foreach (ulong value in (ulong[])[0, 1, ulong.MaxValue])
            sketch.Add(value);
        Assert.Equal(3u, sketch.Count);
        Assert.True(sketch.MedianNs < 100);
    }
}
