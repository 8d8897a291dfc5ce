// What a target is told at its flush, and what the answer means for all that was copied before.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Jobs;
using FastBackup.Tests.Unit.Copy;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class TargetFlushTests : IDisposable
{
    readonly WorkProbe _work = new();
    readonly StandingDevice _target = new(65_536);

    public void Dispose() => _target.Dispose();

    [Theory]
    [InlineData(true, BlockFlags.Seal)]
    [InlineData(false, BlockFlags.None)]
    public void OnlyTheFlushOfAWholeCopy_SealsIt(bool isSeal, BlockFlags expected)
    {
        TargetFlush flush = new(_work, _target);
        flush.Begin(4096, isSeal);
        Assert.Equal(BlockOperation.Flush, _target.Asked.Operation);
        Assert.Equal(IoLane.Background, _target.Asked.Lane);
        Assert.Equal(expected, _target.Asked.Flags);
        Assert.True(flush.IsFlushing);
        _target.Answer();
        Assert.Equal((false, 4096ul), (flush.IsFlushing, flush.FlushedBytes));
        Assert.Equal([Fault.None], _work.Flushes);
    }

    [Fact]
    public void AFailedFlush_ProvesNothing()
    {
        TargetFlush flush = new(_work, _target);
        flush.Begin(4096, isSeal: true);
        _target.Answer(new Fault(FaultKind.Io, Errnos.EIO));
        Assert.True(flush.HasFailed);
        Assert.True(flush.IsUnsure);
        Assert.Equal(0ul, flush.FlushedBytes);
    }

    [Fact]
    public void AFlushThatFailedBesideTheJob_ProvesNothing_AndTheJobIsTold()
    {
        TargetFlush flush = new(_work, _target);
        Fault fault = new(FaultKind.Io, Errnos.EIO);
        flush.Fail(fault);
        Assert.Equal((true, true, 0ul), (flush.HasFailed, flush.IsUnsure, flush.FlushedBytes));
        Assert.Equal([fault], _work.Flushes);
        flush.GiveUp();
        flush.Fail(fault); // too late to matter
        Assert.Single(_work.Flushes);
    }

    [Fact]
    public void AnAnswerAfterItWasGivenUp_CountsForNothing()
    {
        TargetFlush flush = new(_work, _target);
        flush.Begin(4096, isSeal: false);
        flush.GiveUp();
        _target.Answer();
        Assert.Equal((true, 0ul), (flush.IsUnsure, flush.FlushedBytes));
        Assert.Empty(_work.Flushes);
    }
}
