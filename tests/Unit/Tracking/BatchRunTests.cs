// What of a batch is at the device at once, and what a fault leaves undone.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Memory;
using FastBackup.Tests.Unit.Copy;
using FastBackup.Tracking.Store;
using FastBackup.Tracking.Watch;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

public sealed class BatchRunTests : IDisposable
{
    const int Page = 4096;
    static readonly Fault s_fault = new(FaultKind.Io, Errnos.EIO);
    static readonly Fault s_later = new(FaultKind.NoSpace, Errnos.ENOSPC);

    readonly AlignedRegion _buffer = AlignedRegion.Map(2 * Page, RegionResidency.Resident);
    readonly StandingDevice _device = new(1 << 20);
    readonly List<Fault> _ends = [];
    readonly BatchRun _run;
    Action? _onEnd;

    public BatchRunTests() =>
        _run = new BatchRun(
            _device,
            fault =>
            {
                _ends.Add(fault);
                _onEnd?.Invoke();
            }
        );

    public void Dispose() => _buffer.Dispose();

    [Fact]
    public void AWrite_IsThePageOfTheBuffer_InTheLaneOfThoseWhoWait()
    {
        Begin(isTogether: true, pageCount: 1);
        BlockRequest request = _device.Asked; // the second copy
        Assert.Equal((BlockOperation.Write, IoLane.CopyBeforeWrite), (request.Operation, request.Lane));
        Assert.Equal(
            (9ul * Page, (ulong)Page, _buffer.Start),
            (request.OffsetBytes, request.LengthBytes, request.Buffer)
        );
        _device.AnswerAll();
    }

    [Fact]
    public void Together_AllWritesAreOutAtOnce_AndTheFlushComesAfterTheLast()
    {
        TrackerBatch batch = Begin(isTogether: true, pageCount: 2);
        Assert.Equal((4, true), (_device.AskedCount, _run.IsBusy));
        for (int i = 0; i < 3; i++)
            _device.Answer();
        Assert.Equal(4, _device.AskedCount);
        _device.Answer();
        Assert.Equal((5, BlockOperation.Flush), (_device.AskedCount, _device.Asked.Operation));
        Assert.Empty(_ends);
        _device.Answer();
        Assert.Equal([Fault.None], _ends);
        Assert.Equal((false, false), (_run.IsBusy, batch.HasSteps));
    }

    [Fact]
    public void OneByOne_TheSecondCopiesWaitForTheFlushOfTheFirst()
    {
        Begin(isTogether: false, pageCount: 2);
        Assert.Equal(2, _device.AskedCount);
        Answer(2);
        Assert.Equal((3, BlockOperation.Flush), (_device.AskedCount, _device.Asked.Operation));
        Answer(1);
        Assert.Equal((5, BlockOperation.Write), (_device.AskedCount, _device.Asked.Operation));
        Answer(2);
        Assert.Equal((6, BlockOperation.Flush), (_device.AskedCount, _device.Asked.Operation));
        Assert.Empty(_ends);
        Answer(1);
        Assert.Equal([Fault.None], _ends);
    }

    [Fact]
    public void TheFirstFault_EndsIt_WhenWhatWasBegunHasEnded()
    {
        Begin(isTogether: false, pageCount: 2);
        _device.Answer(s_fault);
        Assert.Empty(_ends);
        _device.Answer(s_later);
        Assert.Equal([s_fault], _ends);
        Assert.Equal((2, false), (_device.AskedCount, _run.IsBusy)); // no flush, no second copies
    }

    [Fact]
    public void AFlushThatFails_EndsIt()
    {
        Begin(isTogether: false, pageCount: 1);
        Answer(1);
        _device.Answer(s_fault);
        Assert.Equal([s_fault], _ends);
        Assert.Equal(2, _device.AskedCount);
    }

    [Fact]
    public void WhoIsToldOfTheEnd_MayBeginTheNext_WhichKnowsNothingOfTheFault()
    {
        _onEnd = () =>
        {
            _onEnd = null;
            Begin(isTogether: true, pageCount: 1);
        };
        Begin(isTogether: true, pageCount: 1);
        _device.Answer(s_fault);
        _device.Answer();
        Assert.Equal((4, true), (_device.AskedCount, _run.IsBusy));
        _device.AnswerAll();
        Assert.Equal([s_fault, Fault.None], _ends);
        Assert.Equal(BlockOperation.Flush, _device.Asked.Operation);
    }

    void Answer(int count)
    {
        for (; count > 0; count--)
            _device.Answer();
    }

    TrackerBatch Begin(bool isTogether, int pageCount)
    {
        TrackerBatch batch = new(_buffer, isTogether, 2);
        for (int page = 0; page < pageCount; page++)
            batch.Add(page * Page, Page, (ulong)page * Page, 9ul * Page + (ulong)page * Page);
        batch.Begin();
        _run.Begin(batch);
        return batch;
    }
}
