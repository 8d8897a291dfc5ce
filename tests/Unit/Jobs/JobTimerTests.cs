// Of several deadlines the earliest counts.
using System;
using FastBackup.Base;
using FastBackup.Jobs;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class JobTimerTests : IDisposable
{
    readonly SimulatedLoop _loop = new(1);
    readonly JobTimer _timer;
    ulong _dueNs;
    int _dueCount;

    public JobTimerTests() => _timer = new JobTimer(_loop.Reactor, OnDue);

    public void Dispose() => _loop.Dispose();

    [Theory]
    [InlineData(30, 20, 20)]
    [InlineData(20, 30, 20)]
    [InlineData(20, 20, 20)]
    public void TheEarlierOfTwo_IsDue_AndOnce(ulong firstMs, ulong secondMs, ulong dueMs)
    {
        ulong startNs = _timer.NowNs;
        _timer.StartBy(startNs + firstMs * Units.NsPerMs);
        _timer.StartBy(startNs + secondMs * Units.NsPerMs);
        Assert.True(_timer.IsSet);
        _loop.RunFor(100 * Units.NsPerMs);
        Assert.Equal((1, startNs + dueMs * Units.NsPerMs, false), (_dueCount, _dueNs, _timer.IsSet));
    }

    [Fact]
    public void WhatWasCancelled_IsNeverDue_AndMayBeSetLater()
    {
        _timer.Cancel(); // nothing to cancel
        _timer.StartBy(_timer.NowNs + Units.NsPerMs);
        _timer.Cancel();
        Assert.False(_timer.IsSet);
        ulong laterNs = _timer.NowNs + 5 * Units.NsPerMs;
        _timer.StartBy(laterNs);
        _loop.RunFor(10 * Units.NsPerMs);
        Assert.Equal((1, laterNs), (_dueCount, _dueNs));
    }

    [Fact]
    public void WhoIsTold_MaySetItAnew()
    {
        ulong startNs = _timer.NowNs;
        JobTimer? again = null;
        int count = 0;
        again = new JobTimer(
            _loop.Reactor,
            () =>
            {
                if (++count < 3)
                    again!.StartBy(_timer.NowNs + Units.NsPerMs);
            }
        );
        again.StartBy(startNs + Units.NsPerMs);
        _loop.RunFor(10 * Units.NsPerMs);
        Assert.Equal((3, false), (count, again.IsSet));
    }

    void OnDue()
    {
        _dueNs = _timer.NowNs;
        _dueCount++;
    }
}
