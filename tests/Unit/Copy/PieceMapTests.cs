using System.Collections.Generic;
using FastBackup.Copy;
using Xunit;

namespace FastBackup.Tests.Unit.Copy;

public sealed class PieceMapTests
{
    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(16, 4, 4, 4)]
    [InlineData(10, 4, 4, 3)]
    [InlineData(64, 1, 1, 64)]
    [InlineData(65, 1, 2, 33)]
    [InlineData(4096, 1, 64, 64)]
    [InlineData(3, 100, 3, 1)]
    public void Cut_MakesAtMost64Pieces(ulong clusters, ulong wanted, ulong pieceClusters, uint count)
    {
        PieceMap map = PieceMap.Cut(100, clusters, wanted);
        Assert.Equal(pieceClusters, map.PieceClusters);
        Assert.Equal(count, map.Count);
        ulong all = map.All;
        Assert.True(map.TryTakeRun(ref all, out ulong first, out ulong length));
        Assert.Equal((100ul, clusters, 0ul), (first, length, all));
        Assert.Equal(count - 1, map.PieceOf(100 + clusters - 1));
    }

    [Fact]
    public void Runs_CoverExactlyTheSet_InOrder()
    {
        PieceMap map = PieceMap.Cut(8, 19, 2); // ten pieces, the last of one cluster
        ulong pieces = 0b10_0110_1011;
        List<(ulong, ulong)> runs = [];
        while (map.TryTakeRun(ref pieces, out ulong first, out ulong count))
            runs.Add((first, count));
        Assert.Equal([(8, 4), (14, 2), (18, 4), (26, 1)], runs);
    }
}
