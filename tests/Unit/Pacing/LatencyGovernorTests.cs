// The governor's steps one by one, with guests that the test makes up. What they add up to: GovernorGoalTests.
using System;
using FastBackup.Base;
using FastBackup.Pacing;
using Xunit;

namespace FastBackup.Tests.Unit.Pacing;

public sealed class LatencyGovernorTests : IGuestListener
{
    const uint ChunkMin = 64 << 10;
    const uint ChunkMax = 1 << 20;
    const ulong IdleNs = 100 * Units.NsPerUs;
    const ulong Ms = Units.NsPerMs;

    readonly GuestPulse _pulse = new(new ManualWriteCounts());
    readonly LatencyGovernor _governor;
    ulong _nowNs = Units.NsPerSecond;

    public LatencyGovernorTests()
    {
        _governor = new LatencyGovernor(ChunkMin, ChunkMax, 64ul * ChunkMax, _pulse, GuestPriority.Balanced);
        for (int i = 0; i < 300; i++)
            Guest(IdleNs, isQuiet: true);
        _pulse.Join(this);
    }

    bool IGuestListener.IsLoading => true;

    void IGuestListener.OnGuestDone(in GuestSample sample) => _governor.OnGuestDone(sample);

    void IGuestListener.OnGuestsGone() { }

    [Fact]
    public void NoGuest_TheFullWindow()
    {
        _nowNs += Units.NsPerSecond;
        _governor.Start(_nowNs);
        Assert.True(_governor.MayStart(0, _nowNs, out _));
        Assert.Equal(8ul * ChunkMax, _governor.WindowBytes);
        Assert.Equal(ChunkMax, _governor.ChunkBytes);
        Assert.True(_governor.MayStart(7ul * ChunkMax, _nowNs, out _));
        Assert.False(_governor.MayStart(8ul * ChunkMax, _nowNs, out _));
    }

    [Fact]
    public void AGuestComes_TheWindowIsSmallAtOnce_AndGoes_ItIsFullAgain()
    {
        _nowNs += Units.NsPerSecond;
        _governor.Start(_nowNs);
        _governor.MayStart(0, _nowNs, out _);
        _pulse.Arrive(_nowNs);
        Assert.False(_governor.MayStart(2ul * ChunkMax, _nowNs, out _));
        Assert.Equal(4ul * ChunkMin, _governor.WindowBytes);
        _pulse.Depart(_nowNs, _nowNs + IdleNs);
        _nowNs += 90 * Ms;
        Assert.True(_governor.MayStart(2ul * ChunkMax, _nowNs, out _));
        Assert.Equal(8ul * ChunkMax, _governor.WindowBytes);
    }

    [Fact]
    public void FastGuests_GrowTheWindow_LateOnesCutIt_OncePerDrainedQueue()
    {
        _governor.Start(_nowNs);
        ulong before = Settle();
        for (int i = 0; i < 50; i++)
            FullAndGuest(IdleNs);
        ulong grown = _governor.WindowBytes;
        Assert.True(grown > before, $"{before} to {grown}");
        FullAndGuest(20 * IdleNs);
        ulong cut = _governor.WindowBytes;
        Assert.InRange(cut, grown * 4 / 10, grown * 6 / 10);
        Guest(20 * IdleNs, isQuiet: false); // it met the queue from before the cut
        Assert.Equal(cut, _governor.WindowBytes);
        Settle();
        FullAndGuest(20 * IdleNs);
        Assert.True(_governor.WindowBytes < cut);
    }

    [Fact]
    public void OneLateGuestInAHundred_IsNoReasonToCut()
    {
        _governor.Start(_nowNs);
        Settle();
        for (int i = 0; i < 110; i++)
            FullAndGuest(IdleNs);
        ulong before = _governor.WindowBytes;
        FullAndGuest(6 * IdleNs);
        Assert.True(_governor.WindowBytes >= before);
        FullAndGuest(6 * IdleNs);
        Assert.True(_governor.WindowBytes < before);
    }

    [Fact]
    public void WhateverGuestsSay_TheFloorRemains()
    {
        _governor.Start(_nowNs);
        for (int i = 0; i < 100; i++)
        {
            Settle();
            FullAndGuest(100 * IdleNs);
        }
        Assert.InRange(_governor.WindowBytes, 2ul * ChunkMin, 4ul * ChunkMin);
    }

    [Fact]
    public void WhileARequestIsOut_NothingIsAdded_ButAnEmptyQueueMayStartInTime()
    {
        _governor.Start(_nowNs);
        for (int i = 0; i < 4; i++) // the first few chunks are alone anyway
        {
            Settle();
            _nowNs += 4 * IdleNs;
            _governor.OnChunkDone(ChunkMin, _nowNs);
        }
        _nowNs += Ms;
        _pulse.Arrive(_nowNs);
        Assert.False(_governor.MayStart(ChunkMin, _nowNs, out ulong retryAtNs));
        Assert.Equal(0ul, retryAtNs); // a chunk in flight will end
        Assert.True(_governor.IsGated);
        Assert.True(_governor.MayStart(0, _nowNs, out _));
        _nowNs += 10 * Ms;
        _governor.OnChunkDone(ChunkMin, _nowNs);
        Assert.False(_governor.MayStart(0, _nowNs, out retryAtNs));
        Assert.InRange(retryAtNs, _nowNs + 1, _nowNs + 100 * Ms);
        Assert.True(_governor.MayStart(0, retryAtNs, out _));
    }

    [Fact]
    public void UnknownIdleLatency_IsMeasured_ByStandingStill()
    {
        GuestPulse pulse = new(new ManualWriteCounts());
        LatencyGovernor governor = new(ChunkMin, ChunkMax, 64ul * ChunkMax, pulse, GuestPriority.Balanced);
        pulse.Arrive(_nowNs);
        governor.Start(_nowNs);
        Assert.False(governor.MayStart(0, _nowNs, out ulong retryAtNs));
        Assert.True(governor.IsDrained);
        Assert.True(retryAtNs > _nowNs);
        for (int i = 0; i < 32; i++)
            pulse.Sample(GuestClass.SmallWrite, _nowNs, _nowNs, _nowNs + IdleNs, wasQuiet: true);
        Assert.True(governor.MayStart(0, _nowNs + Ms, out _));
        Assert.False(governor.IsDrained);
    }

    [Fact]
    public void AGuestThatHangs_EndsTheProbe_AllTheSame()
    {
        GuestPulse pulse = new(new ManualWriteCounts());
        LatencyGovernor governor = new(ChunkMin, ChunkMax, 64ul * ChunkMax, pulse, GuestPriority.Strict);
        pulse.Arrive(_nowNs);
        governor.Start(_nowNs);
        Assert.False(governor.MayStart(0, _nowNs, out _));
        Assert.True(governor.MayStart(0, _nowNs + 101 * Ms, out _));
    }

    [Fact]
    public void Off_KnowsNoGuests()
    {
        _governor.Priority = GuestPriority.Off;
        _governor.Start(_nowNs);
        _pulse.Arrive(_nowNs);
        Assert.True(_governor.MayStart(4ul * ChunkMax, _nowNs, out _));
    }

    [Fact]
    public void ChunksAndGuests_AllocateNothing()
    {
        _governor.Start(_nowNs);
        Settle();
        FullAndGuest(IdleNs);
        Assert.Equal(0, Allocations.LeastBytes(ManyChunks));

        void ManyChunks()
        {
            for (int i = 0; i < 20_000; i++)
            {
                FullAndGuest(i % 40 == 0 ? 8 * IdleNs : IdleNs);
                _governor.MayStart(0, _nowNs, out _);
                _governor.OnChunkDone(ChunkMin, _nowNs);
            }
        }
    }

    /// <summary>The queue is empty: guests count again.</summary>
    ulong Settle()
    {
        _nowNs += Ms;
        _governor.MayStart(0, _nowNs, out _);
        return _governor.WindowBytes;
    }

    /// <summary>The window is found full, then a request ends.</summary>
    void FullAndGuest(ulong latencyNs)
    {
        _governor.MayStart(64ul * ChunkMax, _nowNs, out _);
        Guest(latencyNs, isQuiet: false);
    }

    void Guest(ulong latencyNs, bool isQuiet)
    {
        _nowNs += Ms;
        ulong arrivedNs = _nowNs;
        _pulse.Arrive(arrivedNs);
        _nowNs += latencyNs;
        _pulse.Sample(GuestClass.SmallWrite, arrivedNs, arrivedNs, _nowNs, isQuiet);
        _pulse.Depart(arrivedNs, _nowNs);
    }
}
