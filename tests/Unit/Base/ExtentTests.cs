// Ranges against the plain definitions: 128-bit sums for bounds, and sets of bytes for overlap.
using System;
using System.Linq;
using FastBackup.Base;
using Xunit;

namespace FastBackup.Tests.Unit.Base;

public sealed class ExtentTests
{
    static readonly ulong[] Edges =
    [
        0,
        1,
        2,
        511,
        512,
        513,
        (1UL << 32) - 1,
        1UL << 32,
        (1UL << 63) - 1,
        1UL << 63,
        (1UL << 63) + 1,
        ulong.MaxValue - 512,
        ulong.MaxValue - 1,
        ulong.MaxValue,
    ];

    [Fact]
    public void IsWithin_HoldsForSumsThatWouldWrap()
    {
        foreach (ulong offset in Edges)
        {
            foreach (ulong length in Edges)
            {
                foreach (ulong capacity in Edges)
                {
                    bool wanted = (UInt128)offset + length <= capacity;
                    Assert.Equal(wanted, new Extent(offset, length).IsWithin(capacity));
                }
            }
        }
    }

    [Fact]
    public void Overlaps_OfNonEmptyRanges_IsACommonByte()
    {
        const int SizeMax = 7;
        Extent[] all =
        [
            .. from offset in Enumerable.Range(0, SizeMax)
            from length in Enumerable.Range(1, SizeMax - offset)
            select new Extent((ulong)offset, (ulong)length),
        ];
        foreach (Extent left in all)
        {
            foreach (Extent right in all)
            {
                bool wanted = Enumerable.Range(0, SizeMax).Any(at => Holds(left, at) && Holds(right, at));
                Assert.Equal(wanted, left.Overlaps(right));
            }
        }
    }

    [Fact]
    public void Overlaps_OfNeighbours_IsFalse()
    {
        Assert.False(new Extent(0, 4096).Overlaps(new Extent(4096, 4096)));
        Assert.False(new Extent(4096, 4096).Overlaps(new Extent(0, 4096)));
    }

    [Fact]
    public void IsEmpty_IsLengthZero()
    {
        Assert.True(new Extent(5, 0).IsEmpty);
        Assert.True(default(Extent).IsEmpty);
        Assert.False(new Extent(0, 1).IsEmpty);
    }

    [Fact]
    public void EndBytes_MayBeTheLastNumber() =>
        Assert.Equal(ulong.MaxValue, new Extent(1, ulong.MaxValue - 1).EndBytes);

    static bool Holds(Extent extent, int at) =>
        (ulong)at >= extent.OffsetBytes && (ulong)at < extent.OffsetBytes + extent.LengthBytes;
}
