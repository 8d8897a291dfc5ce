// Blocks of bits: whole, or refused; and only where they belong.
using System;
using FastBackup.Base;
using FastBackup.Tracking.Format;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

public sealed class SealedBlockTests
{
    static readonly BlockPlace s_place = new(BlockKind.Fine, 11, TrackerScene.MapId, 3);

    [Theory]
    [InlineData(TrackerShape.PageBytes)]
    [InlineData(TrackerShape.SectorBytes)]
    public void TryOpen_WithAnyBitTurned_IsFalse(int blockBytes)
    {
        byte[] block = Sealed(blockBytes);
        Assert.True(SealedBlock.TryOpen(block, s_place, out ulong sequence));
        Assert.Equal(9ul, sequence);
        for (int bit = 0; bit < block.Length * 8; bit++)
        {
            block[bit / 8] ^= (byte)(1 << bit % 8);
            Assert.False(SealedBlock.TryOpen(block, s_place, out _), $"bit {bit}");
            block[bit / 8] ^= (byte)(1 << bit % 8);
        }
    }

    [Fact]
    public void TryOpen_ElsewhereOrOfAnother_IsFalse()
    {
        byte[] block = Sealed(TrackerShape.PageBytes);
        Assert.False(SealedBlock.TryOpen(block, s_place with { Kind = BlockKind.Intents }, out _));
        Assert.False(SealedBlock.TryOpen(block, s_place with { TrackerTag = 12 }, out _));
        Assert.False(SealedBlock.TryOpen(block, s_place with { MapId = 8 }, out _));
        Assert.False(SealedBlock.TryOpen(block, s_place with { Index = 4 }, out _));
    }

    [Fact]
    public void TryOpen_OfZeroes_IsFalse() => Assert.False(SealedBlock.TryOpen(new byte[512], default, out _));

    [Fact]
    public void TryOpen_OfTwoHalves_IsFalse()
    {
        byte[] one = Sealed(TrackerShape.PageBytes);
        byte[] other = (byte[])one.Clone();
        SealedBlock.BitsOf(other.AsSpan())[5] ^= 1;
        SealedBlock.BitsOf(other.AsSpan())[4000] ^= 1;
        SealedBlock.Seal(other, s_place, 10);
        for (int sectorCount = 1; sectorCount < 8; sectorCount++)
        {
            byte[] torn = (byte[])one.Clone();
            other.AsSpan(0, sectorCount * 512).CopyTo(torn);
            Assert.False(SealedBlock.TryOpen(torn, s_place, out _));
        }
    }

    static byte[] Sealed(int blockBytes)
    {
        byte[] block = new byte[blockBytes];
        new Prng(1).Fill(SealedBlock.BitsOf(block.AsSpan()));
        SealedBlock.Seal(block, s_place, 9);
        return block;
    }
}
