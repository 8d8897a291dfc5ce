// Which regions go into which batch, what is opened ahead of writes that run on, and where the bound is.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Tracking.Store;
using FastBackup.Tracking.Watch;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

public sealed class RegionOpeningTests : IDisposable
{
    readonly StoreBench _bench = new();
    readonly BatchRun _run;
    RegionOpening _opening;

    public RegionOpeningTests()
    {
        _run = new BatchRun(_bench.Device, _ => Store.EndIntents());
        _opening = NewOpening(64);
    }

    TrackerStore Store => _bench.Store;

    public void Dispose() => _bench.Dispose();

    [Fact]
    public void WhatIsWantedInOneTurn_GoesIntoOneBatch()
    {
        Want(4);
        Want(20);
        Assert.Equal((2ul, 0), (Store.OpenCount, _bench.Device.AskedCount)); // others may join
        _bench.Turn();
        Assert.Equal(2, _bench.Device.AskedCount); // a page, twice
        Assert.Equal("", Open());
        _bench.Device.AnswerAll();
        Assert.Equal("4 20", Open());
        Assert.Equal(3, _bench.Device.AskedCount);
    }

    [Fact]
    public void WhileABatchIsUnderWay_NothingIsCollected()
    {
        Want(4);
        _bench.Turn();
        Want(20);
        Assert.Equal(1ul, Store.OpenCount);
        _bench.Device.AnswerAll();
        WantAndOpen(20); // it is looked at again
        Assert.Equal("4 20", Open());
    }

    [Fact]
    public void AWriteOverSeveral_OpensThoseThatAreClosed()
    {
        WantAndOpen(5);
        Want(4, 3);
        Assert.Equal(3ul, Store.OpenCount - Ahead(6));
        OpenAll();
        Assert.StartsWith("4 5 6", Open(), StringComparison.Ordinal);
    }

    [Fact]
    public void WritesThatRunOn_HaveFourOpenedWithThem_ThenTwiceAsMany_ToAnEighthOfTheBound()
    {
        WantAndOpen(2);
        Assert.Equal("2", Open()); // one alone does not run on
        WantAndOpen(3);
        Assert.Equal("2 3 4 5 6 7", Open());
        WantAndOpen(8);
        Assert.Equal(15ul, Store.OpenCount); // 8, and eight more
        WantAndOpen(17);
        Assert.Equal(24ul, Store.OpenCount); // of 64
    }

    [Fact]
    public void AWriteElsewhere_BeginsAnew()
    {
        WantAndOpen(2);
        WantAndOpen(3);
        WantAndOpen(20);
        WantAndOpen(21); // not where the last ones went on
        Assert.Equal("2 3 4 5 6 7 20 21 22 23 24 25", Open());
    }

    [Fact]
    public void Ahead_EndsWithTheDisk()
    {
        WantAndOpen(30);
        WantAndOpen(31);
        Assert.Equal("30 31 32", Open());
    }

    [Fact]
    public void Ahead_LeavesAnEighthOfTheBound()
    {
        _opening = NewOpening(8);
        foreach (ulong region in new ulong[] { 0, 10, 12, 14, 16 })
            WantAndOpen(region);
        WantAndOpen(1);
        Assert.Equal("0 1 2 10 12 14 16", Open()); // seven
    }

    [Fact]
    public void AtTheBound_NothingIsOpened_UnlessThereIsNoOtherWay()
    {
        Fill();
        WantAndOpen(30);
        Assert.Equal(8ul, Store.OpenCount);
        _opening.MayPassBound = true;
        WantAndOpen(30);
        Assert.Equal(9ul, Store.OpenCount);
    }

    [Theory]
    [InlineData(4ul, 8ul)]
    [InlineData(5ul, 13ul)] // more than half of the bound
    public void AWriteThatIsLarge_PassesTheBound(ulong regionCount, ulong openCount)
    {
        Fill();
        Assert.Equal(openCount > 8, _opening.IsLarge(regionCount));
        Want(24, regionCount);
        Assert.Equal(openCount, Store.OpenCount);
        OpenAll();
    }

    [Fact]
    public void WithoutAnythingCollected_NoBatchBegins()
    {
        _opening.BeginSoon();
        _bench.Turn();
        Assert.Equal(0, _bench.Device.AskedCount);
    }

    RegionOpening NewOpening(ulong openMax) => new(_bench.Disk, Store, _run, openMax);

    /// <summary>Eight that are no neighbours, of at most eight.</summary>
    void Fill()
    {
        _opening = NewOpening(8);
        for (ulong region = 0; region < 16; region += 2)
            WantAndOpen(region);
        Assert.Equal(8ul, Store.OpenCount);
    }

    void Want(ulong region, ulong count = 1)
    {
        ulong regionBytes = StoreBench.Shape.RegionBytes;
        _opening.Want(new Extent(region * regionBytes, count * regionBytes));
    }

    void WantAndOpen(ulong region)
    {
        Want(region);
        OpenAll();
    }

    void OpenAll()
    {
        _bench.Turn();
        _bench.Device.AnswerAll();
    }

    /// <summary>How many are collected from this region on.</summary>
    ulong Ahead(ulong region)
    {
        ulong count = 0;
        for (region++; region < StoreBench.Shape.RegionCount; region++)
            count += Store.Intents.IsSet(region) ? 1u : 0u;
        return count;
    }

    string Open()
    {
        List<ulong> regions = [];
        for (ulong region = 0; region < StoreBench.Shape.RegionCount; region++)
            if (Store.IsOpen(StoreBench.Shape.OfRegion(region)))
                regions.Add(region);
        return string.Join(' ', regions);
    }
}
