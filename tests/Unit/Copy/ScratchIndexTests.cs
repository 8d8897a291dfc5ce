// Which entry of the scratch space has a cluster; entry 0 is one like any other.
using FastBackup.Base;
using FastBackup.Copy;
using Xunit;

namespace FastBackup.Tests.Unit.Copy;

public sealed class ScratchIndexTests
{
    const ulong ClusterCount = 5000;

    [Fact]
    public void ARunIsThere_FromItsFirstToItsLastCluster()
    {
        using ScratchIndex index = new(ClusterCount);
        index.SetRun(1023, 3, 0); // over two pages
        index.SetRun(ClusterCount - 1, 1, 77);
        Assert.False(index.TryGet(1022, out _));
        for (ulong cluster = 1023; cluster < 1026; cluster++)
        {
            Assert.True(index.TryGet(cluster, out uint entry));
            Assert.Equal(0u, entry);
        }
        Assert.False(index.TryGet(1026, out _));
        Assert.True(index.TryGet(ClusterCount - 1, out uint last));
        Assert.Equal(77u, last);
    }

    [Fact]
    public void WhatIsRemoved_IsGone_AndTheRestStays()
    {
        using ScratchIndex index = new(ClusterCount);
        index.SetRun(10, 4, 5);
        index.RemoveRun(11, 2);
        Assert.True(index.TryGet(10, out _));
        Assert.False(index.TryGet(11, out _));
        Assert.False(index.TryGet(12, out _));
        Assert.True(index.TryGet(13, out _));
        Assert.Throws<InvariantException>(() => index.RemoveRun(12, 2));
    }
}
