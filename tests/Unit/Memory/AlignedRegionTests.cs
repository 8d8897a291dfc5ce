// What the owner of unmanaged memory promises: alignment, zeroes, pages present or not, bounds, and an end.
using System;
using FastBackup.Base;
using FastBackup.Memory;
using Xunit;

namespace FastBackup.Tests.Unit.Memory;

public sealed class AlignedRegionTests
{
    const ulong HugePageBytes = 2 * Units.MiB;

    public static TheoryData<ulong> Sizes =>
        [0, 1, 4095, 4096, 4097, HugePageBytes - 1, HugePageBytes, HugePageBytes + 1, 5 * Units.MiB];

    [Trait("System", "Linux")] // getrusage(2), mincore(2)
    [Theory]
    [MemberData(nameof(Sizes))]
    public void Resident_HasEveryPageAlignedAndZero(ulong lengthBytes)
    {
        using AlignedRegion region = AlignedRegion.Map(lengthBytes, RegionResidency.Resident);
        ulong alignment =
            lengthBytes > HugePageBytes - AlignedRegion.PageBytes ? HugePageBytes : AlignedRegion.PageBytes;
        Assert.Equal(0UL, (ulong)region.Start % alignment);
        Assert.Equal(lengthBytes, region.LengthBytes);
        long wanted = (long)Units.DivCeil(lengthBytes, AlignedRegion.PageBytes);
        Assert.Equal(wanted, Residency.CountPages(region.Start, lengthBytes));
        Assert.False(region.Slice(0, (int)lengthBytes).ContainsAnyExcept((byte)0));
    }

    [Trait("System", "Linux")] // getrusage(2), mincore(2)
    [Fact]
    public void Resident_IsWrittenWithoutFaults()
    {
        using AlignedRegion region = AlignedRegion.Map(16 * Units.MiB, RegionResidency.Resident);
        long before = Residency.MinorFaultCount();
        for (ulong offset = 0; offset < region.LengthBytes; offset += AlignedRegion.PageBytes)
            region.Slice(offset, 1)[0] = 1;
        // The runtime may touch a page of its own in between; 4096 faults would be ours.
        Assert.InRange(Residency.MinorFaultCount() - before, 0, 64);
    }

    [Trait("System", "Linux")] // getrusage(2), mincore(2)
    [Fact]
    public void Lazy_TakesPagesAtFirstTouch()
    {
        using AlignedRegion region = AlignedRegion.Map(64 * Units.MiB, RegionResidency.Lazy);
        Assert.Equal(0, Residency.CountPages(region.Start, region.LengthBytes));
        region.Slice(region.LengthBytes - 1, 1)[0] = 1;
        // One page, or one huge page where the system gives them unasked.
        Assert.InRange(Residency.CountPages(region.Start, region.LengthBytes), 1, 512);
    }

    [Trait("System", "Linux")] // getrusage(2), mincore(2)
    [Fact]
    public void Touch_OfAPartOfALazyRegion_TakesItsPagesAndNoOthers()
    {
        using AlignedRegion region = AlignedRegion.Map(64 * Units.KiB, RegionResidency.Lazy);
        region.Touch(0, 0);
        Assert.Equal(0, Residency.CountPages(region.Start, region.LengthBytes));
        region.Slice(8191, 1)[0] = 5;
        region.Touch(8191, 4098);
        Assert.Equal(3, Residency.CountPages(region.Start, region.LengthBytes));
        Assert.Equal(5, region.Slice(8191, 1)[0]);
        Assert.False(region.Slice(8192, 4097).ContainsAnyExcept((byte)0));
    }

    [Trait("System", "Linux")] // Windows commits all of it
    [Fact]
    public void Lazy_MayPassPhysicalMemory()
    {
        using AlignedRegion region = AlignedRegion.Map(4 * Units.TiB, RegionResidency.Lazy);
        region.Slice(0, 1)[0] = 1;
        region.Slice(4 * Units.TiB - 1, 1)[0] = 2;
        Assert.Equal(1, region.Slice(0, 1)[0]);
    }

    [Theory]
    [InlineData((1UL << 46) + 1)]
    [InlineData(ulong.MaxValue)]
    public void Map_OfTooMuch_IsNoMemory(ulong lengthBytes)
    {
        Fault fault = AlignedRegion.TryMap(lengthBytes, RegionResidency.Lazy, out AlignedRegion? region);
        Assert.Equal(new Fault(FaultKind.NoMemory, Errnos.ENOMEM), fault);
        Assert.Null(region);
        InsufficientMemoryException thrown = Assert.Throws<InsufficientMemoryException>(() =>
            AlignedRegion.Map(lengthBytes, RegionResidency.Lazy)
        );
        Assert.Contains("ENOMEM", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Slice_InsideBounds_IsThatMemory()
    {
        using AlignedRegion region = AlignedRegion.Map(8192, RegionResidency.Resident);
        region.Slice(4000, 200).Fill(7);
        Span<byte> all = region.Slice(0, 8192);
        Assert.Equal(200, all.Count((byte)7));
        Assert.Equal(4000, all.IndexOf((byte)7));
        Assert.Equal(0, region.Slice(8192, 0).Length);
    }

    [Theory]
    [InlineData(0, 8193)]
    [InlineData(8192, 1)]
    [InlineData(8193, 0)]
    [InlineData(4096, 4097)]
    [InlineData(ulong.MaxValue, 1)]
    [InlineData(ulong.MaxValue - 4095, 4096)]
    [InlineData(0, -1)]
    [InlineData(0, int.MinValue)]
    public void Slice_PastTheEnd_IsInvariantFailure(ulong offsetBytes, int lengthBytes)
    {
        using AlignedRegion region = AlignedRegion.Map(8192, RegionResidency.Resident);
        Assert.Throws<InvariantException>(() => region.Slice(offsetBytes, lengthBytes).Length);
    }

    [Fact]
    public void Slice_EndsAtTheLengthAsked_NotAtThePage()
    {
        using AlignedRegion region = AlignedRegion.Map(100, RegionResidency.Resident);
        Assert.Throws<InvariantException>(() => region.Slice(100, 1).Length);
    }

    [Trait("System", "Linux")] // getrusage(2), mincore(2)
    [Theory]
    [InlineData(0)]
    [InlineData(5000)]
    [InlineData(3 * Units.MiB)]
    public void Discard_LeavesZeroes(ulong lengthBytes)
    {
        using AlignedRegion region = AlignedRegion.Map(lengthBytes, RegionResidency.Resident);
        region.Slice(0, (int)lengthBytes).Fill(0xFF);
        region.Discard();
        Assert.Equal(0, Residency.CountPages(region.Start, lengthBytes));
        Assert.False(region.Slice(0, (int)lengthBytes).ContainsAnyExcept((byte)0));
    }

    [Trait("System", "Linux")] // getrusage(2), mincore(2)
    [Fact]
    public void Dispose_GivesTheMappingBack_AndMayBeRepeated()
    {
        // So large that nothing else in this process could come to fill the hole.
        AlignedRegion region = AlignedRegion.Map(Units.GiB, RegionResidency.Lazy);
        nint start = region.Start;
        Assert.Equal(0, Residency.CountPages(start, Units.GiB));
        region.Dispose();
        Assert.Equal(-1, Residency.CountPages(start, Units.GiB));
        region.Dispose();
    }
}
