using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Copy;

public sealed class ClusterIndexTests
{
    [Theory]
    [InlineData(1, 4)]
    [InlineData(7, 20)]
    [InlineData(500, 2000)]
    [InlineData(500, 1_000_000_000)]
    public void RandomUse_AgainstADictionary(uint capacity, ulong clusters)
    {
        Prng prng = new(TestSeed.Next());
        using ClusterIndex index = new(capacity);
        Dictionary<ulong, ulong> model = [];
        for (int step = 0; step < 30_000; step++)
        {
            ulong cluster = prng.Below(clusters);
            bool mustRemove = prng.Chance(2, 5) && model.Count > 0;
            if (mustRemove)
            {
                cluster = model.Keys.ElementAt((int)prng.Below((ulong)model.Count));
                index.Remove(cluster);
                Assert.True(model.Remove(cluster));
            }
            else if (model.Count < capacity || model.ContainsKey(cluster))
            {
                ulong place = prng.Below(ulong.MaxValue);
                index.Set(cluster, place);
                model[cluster] = place;
            }
            Assert.Equal((ulong)model.Count, index.Count);
            ulong probe = prng.Chance(1, 2) && model.Count > 0 ? model.Keys.First() : prng.Below(clusters);
            Assert.Equal(model.TryGetValue(probe, out ulong wanted), index.TryGet(probe, out ulong found));
            Assert.Equal(wanted, found);
        }
        foreach ((ulong cluster, ulong place) in model)
        {
            Assert.True(index.TryGet(cluster, out ulong found));
            Assert.Equal(place, found);
        }
    }

    [Fact]
    public void ARun_IsThereFromItsFirstToItsLast_AndNoFurther()
    {
        using ClusterIndex index = new(16);
        index.SetRun(10, 3, 7);
        Assert.Equal(3ul, index.Count);
        Assert.False(index.TryGet(9, out _));
        Assert.False(index.TryGet(13, out _));
        for (ulong cluster = 10; cluster < 13; cluster++)
            Assert.True(index.TryGet(cluster, out ulong place) && place == 7);
        index.SetRun(13, 2, 8);
        index.RemoveRun(10, 3);
        Assert.Equal(2ul, index.Count);
        Assert.True(index.TryGet(13, out ulong left) && left == 8);
    }

    [Fact]
    public void Remove_OfWhatIsNotHere_AndTooMany_AreInvariantFailures()
    {
        using ClusterIndex index = new(2);
        index.Set(1, 1);
        index.Set(2, 1);
        index.Set(1, 5);
        Assert.Throws<InvariantException>(() => index.Set(3, 1));
        Assert.Throws<InvariantException>(() => index.Remove(4));
    }
}
