// What a limit lets through in any stretch of time: its rate, and one short burst.
using FastBackup.Base;
using FastBackup.Pacing;
using Xunit;

namespace FastBackup.Tests.Unit.Pacing;

public sealed class RateLimitTests
{
    const ulong Rate = 10 * Units.MiB;
    const ulong Chunk = 64 * Units.KiB;
    const ulong BurstBytes = Rate / 10; // what 100 ms bring

    [Theory]
    [InlineData(0ul)]
    [InlineData(50 * Units.NsPerMs)]
    [InlineData(Units.NsPerSecond)]
    [InlineData(3600 * Units.NsPerSecond)]
    public void AfterAnIdleTime_NoMoreThanABurstIsSavedUp(ulong idleNs)
    {
        RateLimit limit = new();
        limit.Set(Rate, 0);
        ulong taken = TakeAllAt(limit, idleNs);
        Assert.InRange(taken, Chunk, BurstBytes + Chunk);
    }

    [Fact]
    public void InTheLongRun_TheRateIsKept()
    {
        RateLimit limit = new();
        ulong nowNs = Units.NsPerSecond;
        limit.Set(Rate, nowNs);
        ulong taken = 0;
        for (ulong endNs = nowNs + 10 * Units.NsPerSecond; nowNs < endNs; )
        {
            if (limit.IsFree(nowNs, out ulong retryAtNs))
            {
                limit.Take(Chunk, nowNs);
                taken += Chunk;
                continue;
            }
            Assert.True(retryAtNs > nowNs);
            nowNs = retryAtNs;
        }
        Assert.InRange(taken, 10 * Rate - Chunk, 10 * Rate + BurstBytes + Chunk);
    }

    [Fact]
    public void ANewLimit_ForgivesWhatWasTaken_AndZeroIsNone()
    {
        RateLimit limit = new();
        limit.Set(1, 0);
        limit.Take(Units.GiB, 0);
        Assert.False(limit.IsFree(Units.NsPerSecond, out _));
        limit.Set(Rate, Units.NsPerSecond);
        Assert.True(limit.IsFree(Units.NsPerSecond, out _));
        limit.Set(0, Units.NsPerSecond);
        limit.Take(ulong.MaxValue, Units.NsPerSecond);
        Assert.True(limit.IsFree(Units.NsPerSecond, out _));
        Assert.Equal(0ul, limit.BytesPerSecond);
    }

    [Fact]
    public void AChunkBeyondAllTime_IsPaidForAtTheEndOfIt()
    {
        RateLimit limit = new();
        limit.Set(1, 0);
        limit.Take(ulong.MaxValue, 0);
        Assert.False(limit.IsFree(ulong.MaxValue - 1, out ulong retryAtNs));
        Assert.Equal(ulong.MaxValue, retryAtNs);
    }

    /// <summary>The cost is compared with the time that is left, not with the time that has passed.</summary>
    [Fact]
    public void AChunkThatCostsMoreThanTheClockShows_IsPaidForInItsTime()
    {
        RateLimit limit = new();
        limit.Set(Rate, Units.NsPerSecond);
        limit.Take(100 * Rate, Units.NsPerSecond);
        Assert.False(limit.IsFree(Units.NsPerSecond, out ulong retryAtNs));
        Assert.Equal(101 * Units.NsPerSecond, retryAtNs);
    }

    static ulong TakeAllAt(RateLimit limit, ulong nowNs)
    {
        ulong taken = 0;
        for (; limit.IsFree(nowNs, out _); taken += Chunk)
            limit.Take(Chunk, nowNs);
        return taken;
    }
}
