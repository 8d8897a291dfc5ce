// When a round of closing begins, which regions it closes, and what holds it back. Of at most eight regions six are
// three quarters.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Tests.Unit.Filter;
using FastBackup.Tracking.Store;
using FastBackup.Tracking.Watch;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

public sealed class RegionClosingTests : IDisposable
{
    const ulong OpenMax = 8;

    readonly StoreBench _bench = new();
    readonly RegionOpening _opening;
    readonly RegionClosing _closing;
    int _openedCount;

    public RegionClosingTests()
    {
        BatchRun intents = new(_bench.Device, OnIntentsEnded);
        BatchRun fine = new(_bench.Device, _ => _closing!.OnFlushed());
        _opening = new RegionOpening(_bench.Disk, Store, intents, OpenMax);
        _closing = new RegionClosing(_bench.Disk, Store, _opening, fine, OpenMax);
    }

    TrackerStore Store => _bench.Store;

    public void Dispose() => _bench.Dispose();

    [Fact]
    public void BelowThreeQuarters_NothingIsClosed_AndAtThatAllThatIsDurable()
    {
        Open(5);
        _closing.Look();
        Assert.Equal(0u, _bench.Device.InFlightCount);
        Open(1);
        _closing.Look();
        Assert.Equal(1u, _bench.Device.InFlightCount); // one page has all of them
        _bench.Device.AnswerAll();
        Assert.Equal((6ul, 0ul), (_closing.ClosedCount, Store.OpenCount));
        Assert.False(_opening.MayPassBound);
        _bench.Turn(); // and the file is told
        Assert.Equal(2u, _bench.Device.InFlightCount);
        _bench.Device.AnswerAll();
        Assert.False(Store.Intents.IsSet(0));
    }

    [Fact]
    public void WhatIsMarkedMeanwhile_StaysOpen()
    {
        Mark(0, 0);
        Open(6);
        _closing.Look();
        Mark(0, 1); // the page is on its way
        _bench.Device.AnswerAll();
        Assert.Equal((5ul, true), (_closing.ClosedCount, IsOpen(0)));
    }

    [Fact]
    public void WhereNothingCanBeClosed_TheBoundMayBePassed()
    {
        Open(6);
        _closing.Look();
        for (ulong region = 0; region < 6; region++)
            Mark(region, 0);
        _bench.Device.AnswerAll();
        Assert.Equal((0ul, true), (_closing.ClosedCount, _opening.MayPassBound));
        _closing.Look(); // the next round has them
        _bench.Device.AnswerAll();
        Assert.Equal((6ul, false), (_closing.ClosedCount, _opening.MayPassBound));
    }

    [Fact]
    public void TheMoment_WaitsForABatchOfIntents()
    {
        Open(6);
        _closing.Look();
        Want(20); // is collected, and begun in the next turn
        _bench.Turn();
        Assert.False(Store.Intents.IsIdle);
        _bench.Device.Answer(); // the first copy of the page
        _bench.Device.Answer(); // of the intents
        _bench.Device.Answer();
        _bench.Device.Answer(); // the page's flush
        Assert.Equal(BlockOperation.Write, _bench.Device.Asked.Operation);
        Assert.Equal(0ul, _closing.ClosedCount);
        _bench.Device.AnswerAll();
        Assert.Equal((6ul, true), (_closing.ClosedCount, IsOpen(20)));
    }

    [Fact]
    public void TheMoment_WaitsForWritesUnderWay()
    {
        GuestProbe write = new(_bench.Disk, 0, 512);
        Assert.Equal(Grant.Granted, write.Grant);
        Open(6);
        _closing.Look();
        _bench.Device.AnswerAll();
        Assert.Equal((0ul, true), (_closing.ClosedCount, _bench.Disk.IsGateClosed));
        Mark(0, 0); // by that write
        _bench.Disk.EndWrite();
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal((5ul, true, false), (_closing.ClosedCount, IsOpen(0), _bench.Disk.IsGateClosed));
    }

    [Fact]
    public void WhileALargeWriteWaits_NoRoundBegins_ForASecond()
    {
        Open(6);
        _closing.Bar();
        _closing.Look();
        _bench.Loop.RunFor(Units.NsPerSecond / 2);
        _closing.Bar(); // renewed
        _bench.Loop.RunFor(Units.NsPerSecond - 1);
        Assert.Equal(0u, _bench.Device.InFlightCount);
        _bench.Loop.RunFor(1);
        Assert.Equal(1u, _bench.Device.InFlightCount);
        _bench.Device.AnswerAll();
    }

    [Fact]
    public void WhenTheLargeWriteHasPassed_ARoundBegins()
    {
        Open(6);
        _closing.Bar();
        _closing.Unbar();
        Assert.Equal(1u, _bench.Device.InFlightCount);
        _bench.Device.AnswerAll();
        _closing.Stop();
    }

    [Fact]
    public void WhoIsStopped_BeginsNoRound_AndClosesNothing()
    {
        Open(6);
        _closing.Look();
        _closing.Bar();
        _closing.Stop();
        _bench.Device.AnswerAll(); // what is under way ends
        Assert.Equal((0ul, 6ul, false), (_closing.ClosedCount, Store.OpenCount, _bench.Disk.IsGateClosed));
        _closing.Look();
        _bench.Loop.RunFor(2 * Units.NsPerSecond);
        Assert.Equal(0u, _bench.Device.InFlightCount);
    }

    void OnIntentsEnded(Fault fault)
    {
        Assert.True(fault.IsNone);
        Store.EndIntents();
        _closing.OnIntentsEnded();
    }

    /// <summary>So many more regions, from 0 on.</summary>
    void Open(int count)
    {
        for (; count > 0; count--)
        {
            Assert.True(Store.TryOpen((ulong)_openedCount));
            _openedCount++;
        }
        _opening.BeginSoon();
        _bench.Turn();
        _bench.Device.AnswerAll();
        Assert.Equal((ulong)_openedCount, Store.OpenCount);
    }

    void Want(ulong region) => _opening.Want(StoreBench.Shape.OfRegion(region));

    void Mark(ulong region, ulong granule) => _bench.Tracker.Changed!.SetBits(region * 64 + granule, 1);

    bool IsOpen(ulong region) => Store.IsOpen(StoreBench.Shape.OfRegion(region));
}
