// The probe's ends: enough requests seen, none to be seen, and copies for guests that spoil what is seen.
using FastBackup.Base;
using FastBackup.Pacing;
using Xunit;

namespace FastBackup.Tests.Unit.Pacing;

public sealed class IdleProbeTests
{
    const ulong Ms = Units.NsPerMs;

    readonly GuestPulse _pulse = new(new ManualWriteCounts());
    readonly IdleProbe _probe;
    ulong _nowNs = Units.NsPerSecond;

    public IdleProbeTests()
    {
        _probe = new IdleProbe(_pulse);
        _probe.Start(_nowNs);
    }

    [Fact]
    public void TheFirstIsDueAtOnceWhereItIsWanted_ElseAfterFiveSeconds()
    {
        Assert.True(_probe.IsDue(isWanted: true, _nowNs));
        Assert.False(_probe.IsDue(isWanted: false, _nowNs + 5000 * Ms));
        Assert.True(_probe.IsDue(isWanted: false, _nowNs + 5000 * Ms + 1));
    }

    [Fact]
    public void TheNextIsDueAfterASecondWhereItIsWanted()
    {
        RunToEnd(guestEveryNs: Ms / 10);
        Assert.False(_probe.IsDue(isWanted: true, _nowNs + 1000 * Ms));
        Assert.True(_probe.IsDue(isWanted: true, _nowNs + 1000 * Ms + 1));
        Assert.False(_probe.IsDue(isWanted: false, _nowNs + 1000 * Ms + 1));
    }

    [Fact]
    public void ItEndsWithThirtyTwoRequests()
    {
        ulong tookNs = RunToEnd(guestEveryNs: Ms / 10);
        Assert.InRange(tookNs, 32 * Ms / 10, 34 * Ms / 10);
    }

    [Fact]
    public void WithFewRequestsItEndsAfter20Ms_WithHardlyAnyAfter100()
    {
        Assert.InRange(RunToEnd(guestEveryNs: 4 * Ms), 20 * Ms, 24 * Ms);
        Assert.InRange(RunToEnd(guestEveryNs: 50 * Ms), 100 * Ms, 101 * Ms);
    }

    [Fact]
    public void RequestsBeforeTheQueueIsEmpty_DoNotCount()
    {
        _probe.Begin(_nowNs);
        for (int i = 0; i < 100; i++)
            Guest();
        Assert.True(_probe.IsGoingOn(inFlightBytes: 4096, _nowNs, out _));
        Assert.False(_probe.IsDrained);
        Assert.True(_probe.IsGoingOn(inFlightBytes: 0, _nowNs, out ulong retryAtNs));
        Assert.True(_probe.IsDrained);
        Assert.True(retryAtNs > _nowNs);
    }

    [Fact]
    public void CopiesForGuests_DoNotHoldItUpForEver_AndItComesAgainSoon()
    {
        _probe.Begin(_nowNs);
        Assert.True(_probe.IsGoingOn(4096, _nowNs, out _));
        _nowNs += 20 * Ms + 1;
        Assert.True(_probe.IsGoingOn(4096, _nowNs, out _));
        Assert.True(_probe.IsDrained); // as good as it gets
        for (int i = 0; i < 32; i++)
            Guest();
        Assert.False(_probe.IsGoingOn(4096, _nowNs, out _));
        Assert.False(_probe.IsDue(isWanted: false, _nowNs + 1000 * Ms));
        Assert.True(_probe.IsDue(isWanted: false, _nowNs + 1000 * Ms + 1));
    }

    /// <returns>How long it took.</returns>
    ulong RunToEnd(ulong guestEveryNs)
    {
        ulong startNs = _nowNs;
        ulong nextNs = _nowNs + guestEveryNs;
        _probe.Begin(_nowNs);
        while (_probe.IsGoingOn(inFlightBytes: 0, _nowNs, out _))
        {
            _nowNs += Ms / 20;
            if (_nowNs < nextNs)
                continue;
            Guest();
            nextNs += guestEveryNs;
        }
        return _nowNs - startNs;
    }

    void Guest()
    {
        _pulse.Arrive(_nowNs);
        _pulse.Sample(GuestClass.SmallRead, _nowNs - 50_000, _nowNs - 50_000, _nowNs, wasQuiet: true);
        _pulse.Depart(_nowNs, _nowNs);
    }
}
