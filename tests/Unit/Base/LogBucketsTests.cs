// The buckets of the histograms: without gaps, without overlaps, and an eighth wide at most.
using FastBackup.Base;
using Xunit;

namespace FastBackup.Tests.Unit.Base;

public sealed class LogBucketsTests
{
    [Fact]
    public void Buckets_FollowEachOtherWithoutGaps()
    {
        ulong next = 0;
        for (int bucket = 0; bucket < LogBuckets.CountFor(64); bucket++)
        {
            Assert.Equal(next, LogBuckets.First(bucket));
            next = LogBuckets.First(bucket) + LogBuckets.Width(bucket);
        }
        Assert.Equal(0ul, next); // 2^64
    }

    [Fact]
    public void Of_IsTheBucketThatHoldsTheValue()
    {
        for (int bucket = 0; bucket < LogBuckets.CountFor(64); bucket++)
        {
            ulong first = LogBuckets.First(bucket);
            ulong width = LogBuckets.Width(bucket);
            Assert.Equal(bucket, LogBuckets.Of(first));
            Assert.Equal(bucket, LogBuckets.Of(first + (width - 1)));
            Assert.True(width == 1 || width <= first / LogBuckets.Steps);
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(43)]
    [InlineData(64)]
    public void CountFor_IsEnoughForItsBits(int bits) =>
        Assert.Equal(LogBuckets.CountFor(bits) - 1, LogBuckets.Of(ulong.MaxValue >> (64 - bits)));
}
