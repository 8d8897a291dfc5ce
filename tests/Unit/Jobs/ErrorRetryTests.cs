// What is decided about a fault, and how long nothing is started after one.
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Jobs;
using FastBackup.Tests.Unit.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class ErrorRetryTests
{
    const ulong Ms = Units.NsPerMs;

    readonly FilterBench _bench = new();
    readonly CopyEngine _engine;
    readonly JobTimer _timer;
    readonly ErrorRetry _retry;
    int _dueCount;

    public ErrorRetryTests()
    {
        _engine = _bench.Start(new BackupOptions { SpeedBytesPerSecond = 1 }).Filter.Engine;
        _timer = new JobTimer(_bench.Loop.Reactor, () => _dueCount++);
        _retry = new ErrorRetry(_engine, _timer);
    }

    [Theory]
    [InlineData(ErrorPolicy.Auto, FaultKind.NoSpace, ErrorPolicy.Stop)]
    [InlineData(ErrorPolicy.Auto, FaultKind.Io, ErrorPolicy.Report)]
    [InlineData(ErrorPolicy.EnoSpc, FaultKind.NoSpace, ErrorPolicy.Stop)]
    [InlineData(ErrorPolicy.EnoSpc, FaultKind.TimedOut, ErrorPolicy.Report)]
    [InlineData(ErrorPolicy.Report, FaultKind.NoSpace, ErrorPolicy.Report)]
    [InlineData(ErrorPolicy.Ignore, FaultKind.NoSpace, ErrorPolicy.Ignore)]
    [InlineData(ErrorPolicy.Stop, FaultKind.Io, ErrorPolicy.Stop)]
    public void OnlyWhereThePolicyAsks_TheFaultDecides(ErrorPolicy policy, FaultKind kind, ErrorPolicy decided) =>
        Assert.Equal(decided, ErrorRetry.Decide(policy, new Fault(kind)));

    [Fact]
    public void TheBackOffDoubles_FromTenMillisecondsToTwoSeconds_AndASuccessEndsThat()
    {
        ulong[] expectedMs = [10, 20, 40, 80, 160, 320, 640, 1280, 2000, 2000];
        foreach (ulong ms in expectedMs)
            Assert.Equal(ms * Ms, NextBackOffNs());
        _retry.OnSuccess();
        Assert.Equal(10 * Ms, NextBackOffNs());
    }

    [Fact]
    public void WhatIsParked_WaitsForTheBackOff()
    {
        _retry.BackOff();
        Assert.False(_retry.IsBackingOff); // nothing waits
        _retry.Park(1);
        Assert.True(_retry.IsBackingOff);
        _bench.Loop.RunFor(10 * Ms);
        Assert.Equal((1, false), (_dueCount, _retry.IsBackingOff));
    }

    [Fact]
    public void ATimerThatWasTakenAway_IsSetAgainForWhatIsParkedOnly()
    {
        _retry.BackOff();
        _timer.Cancel();
        _retry.WaitAgain();
        Assert.False(_timer.IsSet);
        _retry.Park(1);
        _retry.WaitAgain();
        Assert.True(_timer.IsSet);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AStop_HoldsTheTargetOnlyWhereThatHasFailed(bool isSource)
    {
        Fault fault = new(FaultKind.NoSpace, Errnos.ENOSPC);
        _retry.Stop(fault, isSource);
        Assert.Equal(fault, _retry.StoppedBy);
        Assert.Equal(!isSource, _engine.IsTargetHeld);
        _retry.Resume();
        Assert.Equal((Fault.None, false), (_retry.StoppedBy, _engine.IsTargetHeld));
    }

    ulong NextBackOffNs()
    {
        _retry.BackOff();
        return _retry.BackOffUntilNs - _timer.NowNs;
    }
}
