// The map is asked for piece by piece, front to back; what reads alike is one entry, and without an answer all is data.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Jobs;
using FastBackup.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class AllocationScanTests : IDisposable
{
    const ExtentKind Data = ExtentKind.Data;
    const ExtentKind Hole = ExtentKind.Hole;
    const ulong CapacityBytes = 1000;

    readonly MapDevice _device = new(CapacityBytes);
    readonly AllocationScan _scan;
    int _availableCount;

    public AllocationScanTests() => _scan = new AllocationScan(_device, () => _availableCount++, isOfTop: false);

    public void Dispose()
    {
        _scan.Dispose();
        _device.Dispose();
    }

    [Fact]
    public void OneQueryIsOut_InTheBackgroundsLane_ForAllThatIsNotMapped()
    {
        Assert.False(_scan.TryPeek(out _));
        Assert.False(_scan.TryPeek(out _));
        Assert.Equal((1u, true, 0), (_device.InFlightCount, _scan.IsQuerying, _availableCount));
        Assert.Equal((0ul, CapacityBytes), (_device.Asked.OffsetBytes, _device.Asked.LengthBytes));
        Assert.Equal(IoLane.Background, _device.Asked.Lane);
        _device.Answer((Data, 300));
        Assert.Equal((false, 1), (_scan.IsQuerying, _availableCount));
        Assert.Equal([(Data, 0, 300)], Take());
        Assert.Equal((300ul, 700ul), (_device.Asked.OffsetBytes, _device.Asked.LengthBytes));
    }

    [Fact]
    public void NeighboursThatReadAlike_AreOneEntry()
    {
        Ask((Data, 100), (Data, 50), (Hole, 10), (ExtentKind.Zero, 40), (Hole, 100), (Data, 700));
        Assert.Equal([(Data, 0, 150), (Hole, 150, 150), (Data, 300, 700)], Take());
    }

    [Fact]
    public void OfTheTopLayer_AllThatItHasIsData_AndAllElseIsAHole()
    {
        using AllocationScan scan = new(_device, () => { }, isOfTop: true);
        Assert.False(scan.TryPeek(out _));
        _device.Answer(
            (Data, 100, 0),
            (ExtentKind.Zero, 100, 0), // hides what is below
            (Data, 100, 1),
            (ExtentKind.Zero, 100, 2),
            (Hole, 100, 0),
            (Data, 500, 0)
        );
        List<(ExtentKind, ulong, ulong)> entries = [];
        while (scan.HasEntry && scan.TryPeek(out MapEntry entry))
        {
            entries.Add((entry.Kind, entry.OffsetBytes, entry.LengthBytes));
            scan.Advance();
        }
        Assert.Equal([(Data, 0, 200), (Hole, 200, 300), (Data, 500, 500)], entries);
    }

    [Fact]
    public void AHoleInTwoAnswers_IsToldAsAWhole_WithTheSecond()
    {
        Ask((Data, 100), (Hole, 30));
        Assert.Equal([(Data, 0, 100), (Hole, 100, 30)], Take());
        _device.Answer((Hole, 70), (Data, 800));
        Assert.Equal([(Hole, 100, 100), (Data, 200, 800)], Take());
    }

    [Fact]
    public void WhatReadsOtherwise_IsNotJoined_AcrossAnswers()
    {
        Ask((Hole, 100));
        Assert.Equal([(Hole, 0, 100)], Take());
        _device.Answer((Data, 900));
        Assert.Equal([(Data, 100, 900)], Take());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WithoutAMap_TheRestIsData(bool isError)
    {
        Fault fault = isError ? new Fault(FaultKind.Io, Errnos.EIO) : Fault.None;
        Ask((Hole, 100));
        Assert.Equal([(Hole, 0, 100)], Take());
        _device.Fail(fault);
        Assert.Equal([(Data, 100, 900)], Take());
        Assert.Equal(fault, _scan.Fault);
    }

    [Fact]
    public void TheEnd_IsWhereAllIsWorkedOn_AndNothingIsAskedThere()
    {
        Ask((Data, 400), (Hole, 600));
        Assert.True(_scan.HasEntry); // mapped, not worked on
        Take();
        Assert.False(_scan.HasEntry);
        Assert.False(_scan.TryPeek(out _));
        Assert.Equal((0u, 1), (_device.InFlightCount, _availableCount));
        Assert.Throws<InvariantException>(_scan.Advance);
    }

    [Fact]
    public void WhatNobodyWantsToKnow_IsNotAskedFor()
    {
        _scan.SkipTo(100);
        Ask((Hole, 200), (Data, 100));
        Assert.Equal((100ul, 900ul), (_device.Asked.OffsetBytes, _device.Asked.LengthBytes));
        Assert.Throws<InvariantException>(() => _scan.SkipTo(900)); // not all is worked on
        Assert.True(_scan.TryPeek(out _));
        _scan.Advance();
        _scan.Advance();
        _scan.SkipTo(300); // behind what was asked already
        Ask((Data, 50));
        Assert.Equal(400ul, _device.Asked.OffsetBytes);
        Assert.True(_scan.TryPeek(out _));
        _scan.Advance();
        _scan.SkipTo(700);
        Ask((Data, 300));
        Assert.Equal(700ul, _device.Asked.OffsetBytes);
    }

    [Fact]
    public void AnAnswerAfterItsEnd_StillHasItsMemory_AndIsToldNobody()
    {
        Assert.False(_scan.TryPeek(out _));
        _scan.Dispose();
        _device.Answer((Data, CapacityBytes)); // into memory that must still be there
        Assert.Equal(0, _availableCount);
    }

    void Ask(params (ExtentKind Kind, ulong LengthBytes)[] runs)
    {
        Assert.False(_scan.TryPeek(out _));
        _device.Answer(runs);
    }

    /// <summary>All entries that are there; a query is begun where they end.</summary>
    List<(ExtentKind Kind, int OffsetBytes, int LengthBytes)> Take()
    {
        List<(ExtentKind, int, int)> entries = [];
        while (_scan.TryPeek(out MapEntry entry))
        {
            entries.Add((entry.Kind, (int)entry.OffsetBytes, (int)entry.LengthBytes));
            _scan.Advance();
        }
        return entries;
    }
}
