// When a chunk may start: the rate limit, the back-off, the governor; and from when to when guests are listened to.
using System;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Jobs;
using FastBackup.Pacing;
using FastBackup.Tests.Simulated;
using FastBackup.Tests.Unit.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class BackupPacerTests : IDisposable
{
    const uint Cluster = 65_536;
    const ulong Speed = 10 * Cluster;
    const ulong PaidNs = Units.NsPerSecond / 10; // a cluster
    const uint BufferCount = 8;

    readonly SimulatedLoop _loop = new(1);
    readonly VastDevice _source;
    readonly PartBench _bench;
    readonly GuestPulse _pulse;

    public BackupPacerTests()
    {
        _source = new VastDevice(_loop.Reactor, 64 * Cluster);
        _bench = new PartBench(_loop, _source, Cluster, Speed, GuestPriority.Balanced);
        _pulse = _bench.Disk.Pulse;
    }

    BackupPacer Pacer => _bench.Pacer;

    CopyEngine Engine => _bench.Filter.Engine;

    ulong NowNs => _loop.Clock.NowNs;

    public void Dispose()
    {
        _bench.Dispose();
        _source.Dispose();
        _loop.Dispose();
    }

    [Fact]
    public void AfterAChunk_TheNextStartsWhenThatIsPaidFor_AndTheTimerIsForThen()
    {
        Assert.True(Pacer.MayStart(0));
        Pacer.OnStarted(Cluster);
        Assert.False(Pacer.MayStart(0));
        _loop.RunFor(PaidNs - 1);
        Assert.Equal((0, false), (_bench.DueCount, Pacer.MayStart(0)));
        _loop.RunFor(1);
        Assert.Equal((1, true), (_bench.DueCount, Pacer.MayStart(0)));
        Assert.False(_bench.Timer.IsSet);
    }

    [Theory]
    [InlineData(PaidNs / 2, PaidNs)]
    [InlineData(PaidNs * 2, PaidNs * 2)]
    public void OfTheRateLimitAndTheBackOff_TheLaterCounts(ulong backOffNs, ulong dueNs)
    {
        ulong beganNs = NowNs;
        Pacer.OnStarted(Cluster);
        Assert.False(Pacer.MayStart(beganNs + backOffNs));
        _loop.RunFor(dueNs - 1);
        Assert.Equal((0, false), (_bench.DueCount, Pacer.MayStart(beganNs + backOffNs)));
        _loop.RunFor(1);
        Assert.Equal((1, true), (_bench.DueCount, Pacer.MayStart(beganNs + backOffNs)));
    }

    [Fact]
    public void ANewLimit_ForgivesWhatWasTaken()
    {
        Pacer.OnStarted(100 * Cluster);
        Pacer.SetSpeed(2 * Speed);
        Assert.Equal((2 * Speed, true), (Pacer.SpeedBytesPerSecond, Pacer.MayStart(0)));
        Pacer.OnStarted(100 * Cluster);
        Pacer.SetSpeed(0);
        Pacer.OnStarted(100 * Cluster);
        Assert.Equal((0ul, true), (Pacer.SpeedBytesPerSecond, Pacer.MayStart(0)));
    }

    [Fact]
    public void WithoutRoom_NothingStarts_AndNoTimerHelps()
    {
        _source.IsHeld = true;
        for (ulong cluster = 0; Engine.CanStart(CopyLane.Background); cluster++)
            Assert.True(_bench.Filter.TryStartBackground(cluster, cluster + 1, Cluster, out _));
        Assert.False(Pacer.MayStart(NowNs + Units.NsPerSecond));
        Assert.False(_bench.Timer.IsSet);
        GoOn();
        Assert.True(Pacer.MayStart(0));
    }

    [Fact]
    public void FromStartToStop_GuestsKnowThatTheDiskIsLoaded()
    {
        _source.IsHeld = true;
        Assert.True(_bench.Filter.TryStartBackground(0, 1, Cluster, out _));
        Assert.False(_pulse.IsLoaded);
        Pacer.Start();
        Assert.True(_pulse.IsLoaded);
        GoOn();
        Assert.False(_pulse.IsLoaded); // nothing is at a device
        _source.IsHeld = true;
        Assert.True(_bench.Filter.TryStartBackground(1, 2, Cluster, out _));
        Assert.True(_pulse.IsLoaded);
        Pacer.Stop();
        Assert.False(_pulse.IsLoaded);
        GoOn();
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 0)]
    public void WhenGuestsHaveGone_WhatTheyHeldUp_GoesOn(bool isHeldUp, int goOnCount)
    {
        LearnTheIdleDisk();
        Pacer.Start();
        _pulse.Arrive(NowNs);
        if (isHeldUp)
            Pacer.MayStart(0);
        _pulse.Depart(NowNs, NowNs);
        Assert.Equal(goOnCount, _bench.Work.GoOnLaterCount);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WhileTheIdleDiskIsMeasured_NothingGoesOut_AndTheTimerIsForTheNextLook(bool isCaptured)
    {
        Pacer.Start();
        _pulse.Arrive(NowNs); // of the idle disk nothing is known
        ICopyPacer captures = Pacer;
        Assert.False(isCaptured ? captures.MayWrite(0, Cluster) : Pacer.MayStart(0));
        Assert.True(_bench.Timer.IsSet);
        _pulse.Depart(NowNs, NowNs);
    }

    [Fact]
    public void WithoutGuests_CapturedDataGoesOut_WhateverTheRateLimit()
    {
        Pacer.Start();
        Pacer.OnStarted(100 * Cluster);
        ICopyPacer captures = Pacer;
        Assert.True(captures.MayWrite(0, Cluster));
    }

    [Fact]
    public void TheGuestsPriority_IsTheGovernors()
    {
        Assert.Equal(GuestPriority.Balanced, Pacer.Priority);
        Pacer.Priority = GuestPriority.Off;
        Pacer.Start();
        _pulse.Arrive(NowNs);
        Assert.True(Pacer.MayStart(0)); // guests are not looked at
        _pulse.Depart(NowNs, NowNs);
    }

    void LearnTheIdleDisk()
    {
        for (int i = 0; i < 40; i++)
            _pulse.Sample(GuestClass.SmallRead, NowNs - Units.NsPerMs, NowNs - Units.NsPerMs, NowNs, wasQuiet: true);
    }

    /// <summary>The source answers, and all that is begun ends.</summary>
    void GoOn()
    {
        _source.IsHeld = false;
        _source.Run(0);
        _loop.RunUntil(() => Engine.InFlightCount == 0);
    }
}
