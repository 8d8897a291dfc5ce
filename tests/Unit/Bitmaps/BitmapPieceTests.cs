// Work in pieces comes to the same as work in one go, and each piece is a bounded part of it.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Tests;
using Xunit;

namespace FastBackup.Tests.Unit.Bitmaps;

public sealed class BitmapPieceTests
{
    [Theory]
    [InlineData(1UL << 22, 1, 1)]
    [InlineData((1UL << 22) + 77, 1, 8)]
    [InlineData((1UL << 22) + 77, 8, 1)]
    [InlineData(300, 1, 64)]
    [InlineData(0, 1, 1)]
    public void MergePiece_UntilTheEnd_IsMerge(ulong sizeBytes, ulong granularityBytes, ulong sourceGranularityBytes)
    {
        Prng prng = new(TestSeed.Next());
        for (int round = 0; round < 8; round++)
        {
            using HierarchicalBitmap pieces = Draw(prng, sizeBytes, granularityBytes);
            using HierarchicalBitmap whole = HierarchicalBitmap.Create(sizeBytes, granularityBytes);
            using HierarchicalBitmap source = Draw(prng, sizeBytes, sourceGranularityBytes);
            Assert.True(whole.Merge(pieces).IsNone);
            Assert.True(whole.Merge(source).IsNone);
            ulong atBytes = 0;
            for (int piece = 0; !pieces.MergePiece(source, ref atBytes); piece++)
                Assert.True(piece < 1000);
            Assert.True(pieces.Equal(whole));
            Assert.Equal(whole.CountBits(), pieces.CountBits());
        }
    }

    [Theory]
    [InlineData(1UL << 22, 1, 1)]
    [InlineData((1UL << 22) + 77, 1, 8)]
    [InlineData((1UL << 22) + 77, 8, 1)]
    [InlineData(300, 1, 1)]
    public void MergeLines_LineByLine_IsMerge(ulong sizeBytes, ulong granularityBytes, ulong sourceGranularityBytes)
    {
        const ulong lineBits = 512;
        Prng prng = new(TestSeed.Next());
        for (int round = 0; round < 4; round++)
        {
            using HierarchicalBitmap pieces = Draw(prng, sizeBytes, granularityBytes);
            using HierarchicalBitmap whole = HierarchicalBitmap.Create(sizeBytes, granularityBytes);
            using HierarchicalBitmap source = Draw(prng, sizeBytes, sourceGranularityBytes);
            Assert.True(whole.Merge(pieces).IsNone);
            Assert.True(whole.Merge(source).IsNone);
            for (ulong bit = 0; bit < pieces.BitCount; )
            {
                ulong count = Math.Min(lineBits * (1 + prng.Below(1000)), pieces.BitCount - bit);
                Assert.InRange(pieces.MergeLines(source, bit, count), 1ul, count + 1);
                bit += count;
                Assert.True(SameBelow(pieces, whole, bit));
            }
            Assert.True(pieces.Equal(whole));
            Assert.Equal(whole.CountBits(), pieces.CountBits());
        }
    }

    /// <summary>A piece that finds its steps used up begins the next one where it stopped.</summary>
    [Theory]
    [InlineData(1UL << 22, 1, 1)]
    [InlineData((1UL << 22) + 77, 1, 8)]
    [InlineData((1UL << 22) + 77, 8, 1)]
    public void MergeLivePart_UntilTheEnd_IsMerge(ulong sizeBytes, ulong granularityBytes, ulong sourceGranularityBytes)
    {
        Prng prng = new(TestSeed.Next());
        using HierarchicalBitmap pieces = Draw(prng, sizeBytes, granularityBytes);
        using HierarchicalBitmap whole = HierarchicalBitmap.Create(sizeBytes, granularityBytes);
        using HierarchicalBitmap source = Draw(prng, sizeBytes, sourceGranularityBytes);
        Assert.True(source.Set(sizeBytes / 4, sizeBytes / 2).IsNone);
        Assert.True(whole.Merge(pieces).IsNone);
        Assert.True(whole.Merge(source).IsNone);
        ulong atBytes = 0;
        int parts = 0;
        for (; atBytes < sizeBytes; parts++)
        {
            ulong nextBytes = pieces.MergeLivePart(source, atBytes, 100);
            Assert.True(nextBytes > atBytes);
            atBytes = nextBytes;
        }
        Assert.True(parts > 1 || granularityBytes != sourceGranularityBytes);
        Assert.True(pieces.Equal(whole));
    }

    [Theory]
    [InlineData(1UL << 22)]
    [InlineData(300)]
    [InlineData(0)]
    public void SetAllPiece_UntilTheEnd_IsAll(ulong bitCount)
    {
        using HierarchicalBitmap bitmap = Draw(new Prng(TestSeed.Next()), bitCount, 1);
        int pieces = 1;
        ulong atBit = 0;
        for (; !bitmap.SetAllPiece(ref atBit); pieces++)
            Assert.Equal(HierarchicalBitmap.NotFound, bitmap.NextCleanBit(0, atBit));
        Assert.Equal(bitCount, bitmap.CountBits());
        Assert.InRange(pieces, (int)(bitCount >> 20), 8);
    }

    static bool SameBelow(HierarchicalBitmap one, HierarchicalBitmap other, ulong endBit)
    {
        for (ulong bit = 0; bit < endBit; )
        {
            ulong dirty = one.NextDirtyBit(bit, endBit);
            if (dirty != other.NextDirtyBit(bit, endBit))
                return false;
            if (dirty == HierarchicalBitmap.NotFound)
                return true;
            bit = one.NextCleanBit(dirty, endBit);
            if (bit != other.NextCleanBit(dirty, endBit))
                return false;
            bit = Math.Min(bit, endBit);
        }
        return true;
    }

    /// <summary>Runs of any length, some of them long.</summary>
    static HierarchicalBitmap Draw(Prng prng, ulong sizeBytes, ulong granularityBytes)
    {
        HierarchicalBitmap bitmap = HierarchicalBitmap.Create(sizeBytes, granularityBytes);
        for (ulong run = prng.Below(300); run > 0 && sizeBytes > 0; run--)
        {
            ulong offset = prng.Below(sizeBytes);
            ulong length = prng.Chance(1, 20) ? prng.Below(sizeBytes) : prng.Below(2000);
            Assert.True(bitmap.Set(offset, Math.Min(length, sizeBytes - offset)).IsNone);
        }
        return bitmap;
    }
}
