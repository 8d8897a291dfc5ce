// Bounds, zeroes and stable addresses of arrays outside the GC's reach.
using System;
using FastBackup.Base;
using FastBackup.Memory;
using Xunit;

namespace FastBackup.Tests.Unit.Memory;

public sealed unsafe class NativeArrayTests
{
    struct TwelveBytes
    {
        public int First;
        public int Second;
        public int Third;
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1000)]
    public void Index_WithinCount_IsThatElement(ulong count)
    {
        using NativeArray<TwelveBytes> array = new(count, RegionResidency.Resident);
        Assert.Equal(count, array.Count);
        for (ulong i = 0; i < count; i++)
        {
            Assert.Equal(0, array[i].First | array[i].Second | array[i].Third);
            array[i] = new TwelveBytes
            {
                First = (int)i,
                Second = 7,
                Third = -(int)i,
            };
        }
        for (ulong i = 0; i < count; i++)
        {
            Assert.Equal(((int)i, 7, -(int)i), (array[i].First, array[i].Second, array[i].Third));
            Assert.Equal((int)i, array.Pointer[i].First);
            Assert.Equal((int)i, array.AsSpan()[(int)i].First);
        }
        Assert.Equal((int)count, array.AsSpan().Length);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(10, 10)]
    [InlineData(10, 11)]
    [InlineData(10, 1UL << 32)]
    [InlineData(10, (1UL << 61) + 1)] // times 8 wraps to an index inside
    [InlineData(10, ulong.MaxValue)]
    public void Index_PastTheEnd_IsInvariantFailure(ulong count, ulong index)
    {
        using NativeArray<ulong> array = new(count, RegionResidency.Resident);
        Assert.Throws<InvariantException>(() => array[index]);
    }

    [Fact]
    public void Elements_DoNotMove()
    {
        using NativeArray<ulong> array = new(1000, RegionResidency.Resident);
        ulong* before = array.Pointer;
        array[999] = 5;
        for (int i = 0; i < 3; i++)
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: true);
        Assert.True(before == array.Pointer);
        Assert.Equal(5UL, before[999]);
    }

    [Trait("System", "Linux")] // Windows commits all of it
    [Fact]
    public void Lazy_MayBeMostlyEmpty()
    {
        using NativeArray<ulong> array = new(1UL << 38, RegionResidency.Lazy);
        array[(1UL << 38) - 1] = 7;
        Assert.Equal(7UL, array[(1UL << 38) - 1]);
        Assert.Equal(0UL, array[1UL << 37]);
    }

    [Fact]
    public void AsSpan_OfMoreThanASpanHolds_Throws()
    {
        using NativeArray<byte> array = new(1UL << 31, RegionResidency.Lazy);
        Assert.Throws<OverflowException>(() => array.AsSpan().Length);
    }

    [Theory]
    [InlineData(1UL << 61)]
    [InlineData(ulong.MaxValue)]
    public void Count_WhoseBytesWrap_Throws(ulong count) =>
        Assert.Throws<OverflowException>(() => new NativeArray<ulong>(count, RegionResidency.Lazy));

    [Fact]
    public void Count_BeyondTheAddressSpace_IsOutOfMemory() =>
        Assert.Throws<InsufficientMemoryException>(() => new NativeArray<ulong>(1UL << 60, RegionResidency.Lazy));
}
