// The mean latency out of two counts: Little's law against writes whose latency is known.
using FastBackup.Base;
using FastBackup.Pacing;
using Xunit;

namespace FastBackup.Tests.Unit.Pacing;

public sealed class WriteMeterTests
{
    [Theory]
    [InlineData(1000, 300)]
    [InlineData(1000, 2500)]
    [InlineData(200, 90)]
    public void Mean_IsTheLatency(ulong gapUs, ulong latencyUs)
    {
        ManualWriteCounts counts = new();
        WriteMeter meter = new(counts);
        Prng prng = new(3);
        meter.Look(0, out _);
        for (ulong nowUs = 0; nowUs < 4_000_000; nowUs += 100 + prng.Below(100))
        {
            counts.BegunCount = nowUs / gapUs;
            counts.EndedCount = nowUs < latencyUs ? 0 : (nowUs - latencyUs) / gapUs;
            meter.Look(nowUs * Units.NsPerUs, out _);
        }
        Assert.True(meter.TryTake(64, out ulong meanNs));
        Assert.InRange(meanNs, latencyUs * 900, latencyUs * 1100);
        Assert.False(meter.TryTake(64, out _)); // it counts anew
    }

    [Fact]
    public void Look_SaysWhetherAHostWrites()
    {
        ManualWriteCounts counts = new();
        WriteMeter meter = new(counts);
        Assert.False(meter.Look(1, out _));
        counts.BegunCount = 1;
        Assert.True(meter.Look(2, out ulong newCount));
        Assert.Equal(1ul, newCount);
        Assert.True(meter.Look(3, out newCount)); // still under way
        Assert.Equal(0ul, newCount);
        counts.EndedCount = 1;
        Assert.False(meter.Look(4, out _));
    }

    [Fact]
    public void IdleMean_IsTheOneThatWasLearnt()
    {
        ManualWriteCounts counts = new();
        WriteMeter meter = new(counts);
        Assert.Equal(0, meter.IdleMeanNs);
        for (ulong i = 0; i < 10; i++)
        {
            counts.BegunCount++;
            meter.Look(i * 1000, out _);
            counts.EndedCount++;
            meter.Look(i * 1000 + 200, out _);
        }
        meter.LearnIdle();
        Assert.Equal(200, meter.IdleMeanNs, 1.0);
        Assert.Equal(0ul, meter.BegunCount);
    }

    [Fact]
    public void AWriteThatIsTakenBack_IsNoWrite()
    {
        ManualWriteCounts counts = new() { BegunCount = 10, EndedCount = 10 };
        WriteMeter meter = new(counts);
        meter.Look(1000, out _);
        counts.BegunCount = 11; // a guest has counted itself, and is about to find that it must wait
        meter.Look(2000, out ulong newCount);
        Assert.Equal(1ul, newCount);
        meter.Restart();
        counts.BegunCount = 10;
        Assert.False(meter.Look(3000, out newCount));
        Assert.Equal(0ul, newCount);
        Assert.Equal(0ul, meter.BegunCount);
        counts.BegunCount = 11; // granted: it was counted above
        Assert.True(meter.Look(4000, out newCount));
        Assert.Equal(0ul, newCount);
    }
}
