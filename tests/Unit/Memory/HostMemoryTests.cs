// What the engine asks of the system about memory, on every system: without a look behind it, which AlignedRegionTests
// has on Linux.
using System;
using FastBackup.Base;
using FastBackup.Memory;
using Xunit;

namespace FastBackup.Tests.Unit.Memory;

public sealed class HostMemoryTests
{
    [Theory]
    [InlineData(1, RegionResidency.Resident)]
    [InlineData(5000, RegionResidency.Lazy)]
    [InlineData(3 * Units.MiB, RegionResidency.Resident)]
    [InlineData(3 * Units.MiB, RegionResidency.Lazy)]
    public void Region_IsAligned_AndReadsAsZero_AlsoAfterADiscard(ulong lengthBytes, RegionResidency residency)
    {
        using AlignedRegion region = AlignedRegion.Map(lengthBytes, residency);
        ulong align = lengthBytes >= 2 * Units.MiB ? 2 * Units.MiB : AlignedRegion.PageBytes;
        Assert.True(Units.IsAligned((ulong)region.Start, align));
        Span<byte> bytes = region.Slice(0, (int)lengthBytes);
        Assert.False(bytes.ContainsAnyExcept((byte)0));
        for (int round = 0; round < 2; round++)
        {
            bytes.Fill(0xFF);
            region.Discard();
            Assert.False(bytes.ContainsAnyExcept((byte)0));
        }
    }

    [Fact]
    public void MoreThanTheSystemHas_IsAFault_NotAnException()
    {
        Fault fault = AlignedRegion.TryMap((1UL << 46) + 1, RegionResidency.Lazy, out AlignedRegion? region);
        Assert.Equal(FaultKind.NoMemory, fault.Kind);
        Assert.Null(region);
    }

    [Fact]
    public void Fence_CanBeIssued_WhereItIsOffered()
    {
        Requires.That(ProcessFence.IsAvailable, "needs a fence on all threads");
        ProcessFence.Issue();
    }

    [Fact]
    public void ThereIsMemoryLeft() => Assert.True(MemoryRoom.AvailableBytes() > Units.MiB);
}
