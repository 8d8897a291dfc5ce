// A chunk of pieces: what of it lives, and where a run of pieces ends; the last piece and the last cluster are short.
using FastBackup.Base;
using FastBackup.Copy;
using Xunit;

namespace FastBackup.Tests.Unit.Copy;

public sealed class CopyTaskTests
{
    const uint Cluster = 4096;
    const ulong ShortBytes = 1000;

    /// <summary>Clusters 10 to 16, in pieces of 2; the disk ends within the last one.</summary>
    static CopyTask Make(CopyMap map)
    {
        CopyTask task = new();
        task.Reset(5, CopyLane.Background, PieceMap.Cut(10, 7, 2), map.Bytes(10, 7));
        return task;
    }

    [Theory]
    [InlineData(0b0000ul, 6 * Cluster + ShortBytes)] // none captured yet: all of it
    [InlineData(0b1111ul, 6 * Cluster + ShortBytes)]
    [InlineData(0b0001ul, 2 * Cluster)]
    [InlineData(0b1000ul, ShortBytes)]
    [InlineData(0b1010ul, 2 * Cluster + ShortBytes)]
    public void LiveBytes_AreThoseOfTheCapturedPieces(ulong captured, ulong expected)
    {
        using CopyMap map = NewMap();
        CopyTask task = Make(map);
        task.Captured = captured;
        Assert.Equal(expected, task.LiveBytes(map));
    }

    [Theory]
    [InlineData(0b1111ul, 0, 6 * Cluster + ShortBytes, true)]
    [InlineData(0b1101ul, 0, 2 * Cluster, true)]
    [InlineData(0b1101ul, 2 * Cluster, 4 * Cluster, false)]
    [InlineData(0b1101ul, 3 * Cluster, 4 * Cluster, false)]
    [InlineData(0b1101ul, 4 * Cluster, 6 * Cluster + ShortBytes, true)] // to the end of the disk, not of the piece
    [InlineData(0b0001ul, 2 * Cluster, 6 * Cluster + ShortBytes, false)]
    public void EndOfRun_IsWhereThePiecesChange(ulong captured, ulong startBytes, ulong endBytes, bool isCaptured)
    {
        using CopyMap map = NewMap();
        CopyTask task = Make(map);
        task.Captured = captured;
        Assert.Equal(endBytes, task.EndOfRun(startBytes, Cluster, out bool isRun));
        Assert.Equal(isCaptured, isRun);
    }

    [Fact]
    public void SixtyFourPieces_AreAWordFull()
    {
        using CopyMap map = NewMap();
        CopyTask task = new();
        task.Reset(5, CopyLane.Background, PieceMap.Cut(0, 17, 1), map.Bytes(0, 17));
        Assert.Equal(17u, task.Pieces.Count);
        PieceMap full = PieceMap.Cut(0, 64, 1);
        Assert.Equal((64u, ulong.MaxValue), (full.Count, full.All));
        Assert.Equal(2ul, PieceMap.Cut(0, 65, 1).PieceClusters);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(63u)]
    public void PieceKey_NamesTaskAndPiece(uint piece)
    {
        CopyTask task = new() { Key = 0xABCD_0000_0012_3456 };
        CopyTask.Split(task.PieceKey(piece), out ulong key, out uint split);
        Assert.Equal((task.Key, piece), (key, split));
    }

    [Fact]
    public void PieceExtent_OfTheLast_EndsWithTheDisk()
    {
        using CopyMap map = NewMap();
        CopyTask task = Make(map);
        Assert.Equal(new Extent(10 * Cluster, 2 * Cluster), task.PieceExtent(map, 0));
        Assert.Equal(new Extent(16 * Cluster, ShortBytes), task.PieceExtent(map, 3));
    }

    static CopyMap NewMap()
    {
        Assert.True(CopyMap.TryCreate(16 * Cluster + ShortBytes, Cluster, out CopyMap? map).IsNone);
        return map!;
    }
}
