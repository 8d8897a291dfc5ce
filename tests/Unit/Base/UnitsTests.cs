// The four divisions and the sum against 128-bit arithmetic, over all pairs of edge values.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using Xunit;

namespace FastBackup.Tests.Unit.Base;

public sealed class UnitsTests
{
    /// <summary>0, the ends, and all powers of two with their neighbours.</summary>
    static readonly ulong[] Edges =
    [
        .. Enumerable
            .Range(0, 64)
            .SelectMany(bit => new[] { (1UL << bit) - 1, 1UL << bit, (1UL << bit) + 1 })
            .Append(ulong.MaxValue - 1)
            .Append(ulong.MaxValue)
            .Distinct(),
    ];

    static IEnumerable<ulong> Alignments => Enumerable.Range(0, 64).Select(bit => 1UL << bit);

    [Fact]
    public void AlignDown_IsTheLargestMultipleBelow()
    {
        foreach (ulong alignment in Alignments)
        {
            foreach (ulong value in Edges)
                Assert.Equal(value - value % alignment, Units.AlignDown(value, alignment));
        }
    }

    [Fact]
    public void AlignUp_IsTheSmallestMultipleAbove()
    {
        foreach (ulong alignment in Alignments)
        {
            foreach (ulong value in Edges.Where(value => value <= ulong.MaxValue - alignment + 1))
            {
                UInt128 wanted = ((UInt128)value + alignment - 1) / alignment * alignment;
                if (wanted <= ulong.MaxValue)
                    Assert.Equal((ulong)wanted, Units.AlignUp(value, alignment));
            }
        }
    }

    [Fact]
    public void IsAligned_IsDivisibility()
    {
        foreach (ulong alignment in Alignments)
        {
            foreach (ulong value in Edges)
                Assert.Equal(value % alignment == 0, Units.IsAligned(value, alignment));
        }
    }

    [Fact]
    public void DivCeil_RoundsUpWithoutWrapping()
    {
        foreach (ulong divisor in Edges.Where(divisor => divisor > 0))
        {
            foreach (ulong value in Edges)
                Assert.Equal((ulong)(((UInt128)value + divisor - 1) / divisor), Units.DivCeil(value, divisor));
        }
    }

    [Fact]
    public void IsPowerOfTwo_HasOneBit()
    {
        foreach (ulong value in Edges)
            Assert.Equal(ulong.PopCount(value) == 1, Units.IsPowerOfTwo(value));
    }

    [Fact]
    public void TryAdd_SaysWhenTheSumDoesNotFit()
    {
        foreach (ulong left in Edges)
        {
            foreach (ulong right in Edges)
            {
                UInt128 wanted = (UInt128)left + right;
                Assert.Equal(wanted <= ulong.MaxValue, Units.TryAdd(left, right, out ulong sum));
                Assert.Equal((ulong)(wanted & ulong.MaxValue), sum);
            }
        }
    }

    [Fact]
    public void Sizes_AreWhatTheirNamesSay()
    {
        Assert.Equal(1024UL, Units.KiB);
        Assert.Equal(Units.KiB * 1024, Units.MiB);
        Assert.Equal(Units.MiB * 1024, Units.GiB);
        Assert.Equal(Units.GiB * 1024, Units.TiB);
        Assert.Equal(Units.NsPerMs, 1000 * Units.NsPerUs);
        Assert.Equal(Units.NsPerSecond, 1000 * Units.NsPerMs);
    }
}
