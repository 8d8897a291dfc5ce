// What unions have is counted without making them: the same as of a union that is made.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using Xunit;

namespace FastBackup.Tests.Unit.Bitmaps;

public sealed class BitmapUnionTests
{
    [Theory]
    [InlineData(1UL << 22, 1, 1)]
    [InlineData((1UL << 22) + 77, 8, 4)]
    [InlineData(40_000_000, 512, 3)]
    [InlineData(300, 64, 2)]
    [InlineData(1, 65_536, 2)]
    [InlineData(0, 1, 2)]
    public void CountFromEach_IsTheCountOfTheUnionsThatAreMade(ulong sizeBytes, ulong granularityBytes, int partCount)
    {
        Prng prng = new(TestSeed.Next());
        for (int round = 0; round < 8; round++)
        {
            List<HierarchicalBitmap> parts = [];
            for (int i = 0; i < partCount; i++)
                parts.Add(Draw(prng, sizeBytes, granularityBytes));
            ulong[] counted = new ulong[partCount];
            BitmapUnion.CountFromEach(parts, counted);
            using HierarchicalBitmap union = HierarchicalBitmap.Create(sizeBytes, granularityBytes);
            for (int i = partCount - 1; i >= 0; i--)
            {
                Assert.True(union.Merge(parts[i]).IsNone);
                Assert.Equal(union.CountBytes(), counted[i]);
            }
            parts.ForEach(part => part.Dispose());
        }
    }

    [Fact]
    public void CountFromEach_OfTheShortLastGranule_IsItsBytes()
    {
        using HierarchicalBitmap older = HierarchicalBitmap.Create(100_000, 65_536);
        using HierarchicalBitmap newer = HierarchicalBitmap.Create(100_000, 65_536);
        older.SetBits(0, 2);
        newer.SetBits(1, 1);
        ulong[] counted = [7, 7];
        BitmapUnion.CountFromEach([older, newer], counted);
        Assert.Equal([100_000, 100_000 - 65_536], counted);
    }

    /// <summary>A page has 32,768 bits; one that several parts have counts once.</summary>
    [Theory]
    [InlineData(64, 64, false)]
    [InlineData(65, 0, true)]
    [InlineData(40, 65, true)]
    [InlineData(0, 0, false)]
    public void IsSpread_WhereMoreThanHalfOfThePagesWouldBeTaken(ulong pages, ulong otherPages, bool isSpread)
    {
        using HierarchicalBitmap one = HierarchicalBitmap.Create(128 * 32_768, 1);
        using HierarchicalBitmap other = HierarchicalBitmap.Create(128 * 32_768, 1);
        for (ulong page = 0; page < pages; page++)
            one.SetBits(page * 32_768 + 7 * page, 1);
        for (ulong page = 0; page < otherPages; page++)
            other.SetBits(page * 32_768 + 5 * page, 2);
        Assert.Equal(isSpread, BitmapUnion.IsSpread([one, other]));
    }

    static HierarchicalBitmap Draw(Prng prng, ulong sizeBytes, ulong granularityBytes)
    {
        HierarchicalBitmap bitmap = HierarchicalBitmap.Create(sizeBytes, granularityBytes);
        for (ulong runs = bitmap.BitCount == 0 ? 0 : prng.Below(40); runs > 0; runs--)
        {
            ulong first = prng.Below(bitmap.BitCount);
            ulong longest = Math.Min(bitmap.BitCount - first, prng.Chance(1, 8) ? 40_000ul : 3);
            bitmap.SetBits(first, 1 + prng.Below(longest));
        }
        if (bitmap.BitCount > 0 && prng.Chance(1, 3))
            bitmap.SetBits(bitmap.BitCount - 1, 1);
        return bitmap;
    }
}
