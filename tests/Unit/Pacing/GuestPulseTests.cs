// What a disk knows of its guests: who counts as there, what teaches the idle disk, who is told.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Pacing;
using Xunit;

namespace FastBackup.Tests.Unit.Pacing;

public sealed class GuestPulseTests : IGuestListener
{
    const ulong Us = Units.NsPerUs;
    const ulong Ms = Units.NsPerMs;
    const ulong StartNs = Units.NsPerSecond;

    readonly ManualWriteCounts _counts = new();
    readonly GuestPulse _pulse;
    readonly List<GuestSample> _samples = [];
    int _goneCount;

    public GuestPulseTests() => _pulse = new GuestPulse(_counts);

    public bool IsLoading { get; set; }

    void IGuestListener.OnGuestDone(in GuestSample sample) => _samples.Add(sample);

    void IGuestListener.OnGuestsGone() => _goneCount++;

    [Fact]
    public void GuestsAreGone_WhenTheLastDeparts()
    {
        _pulse.Join(this);
        _pulse.Arrive(StartNs);
        _pulse.Arrive(StartNs + 2 * Us);
        Assert.Equal(9 * Us, _pulse.MeanAgeNs(StartNs + 10 * Us));
        _pulse.Depart(StartNs, StartNs + 5 * Us);
        Assert.Equal((0, true), (_goneCount, _pulse.IsGuestOut));
        _pulse.Depart(StartNs + 2 * Us, StartNs + 9 * Us);
        Assert.Equal((1, false), (_goneCount, _pulse.IsGuestOut));
        Assert.Equal(StartNs + 9 * Us, _pulse.LastNs);
        Assert.Equal(0ul, _pulse.MeanAgeNs(StartNs + 10 * Us));
    }

    [Theory]
    [InlineData(100, 50_000)] // never less than 50 ms
    [InlineData(25_000, 100_000)] // four gaps
    [InlineData(190_000, 400_000)] // never more than 400 ms
    [InlineData(300_000, 50_000)] // they were gone in between: no gap
    public void QuietFor_FollowsTheGap(ulong gapUs, ulong quietUs)
    {
        for (ulong i = 0; i < 200; i++)
            Request(StartNs + i * gapUs * Us, 10 * Us);
        Assert.InRange(_pulse.QuietNs, quietUs * Us * 99 / 100, quietUs * Us);
    }

    [Theory]
    [InlineData(false, 32 * Units.KiB, GuestClass.SmallRead)]
    [InlineData(false, 32 * Units.KiB + 1, GuestClass.LargeRead)]
    [InlineData(true, 32 * Units.KiB, GuestClass.SmallWrite)]
    [InlineData(true, 32 * Units.KiB + 1, GuestClass.LargeWrite)]
    public void EachClassLearnsByItself(bool isWrite, ulong lengthBytes, GuestClass kind)
    {
        _pulse.Join(this);
        for (int i = 0; i < 3; i++)
            _pulse.Sample(
                GuestPulse.ClassOf(isWrite, lengthBytes),
                StartNs,
                StartNs,
                StartNs + 100 * Us,
                wasQuiet: true
            );
        Assert.Equal(kind, _samples[0].Class);
        for (GuestClass each = 0; each <= GuestClass.CopiedWrite; each++)
            Assert.Equal(each == kind, _pulse.Idle(each).IsKnown);
    }

    [Fact]
    public void BesideALoad_NothingIsLearnt()
    {
        _pulse.Join(this);
        IsLoading = true;
        _pulse.Sample(GuestClass.SmallRead, StartNs, StartNs, StartNs + 100 * Us, wasQuiet: true);
        IsLoading = false;
        _pulse.Sample(GuestClass.SmallRead, StartNs, StartNs, StartNs + 100 * Us, wasQuiet: false);
        Assert.Equal(0u, _pulse.IdleCount);
        Assert.Equal((2ul, 0ul), (_pulse.LoadedLatency.Count, _pulse.QuietLatency.Count));
        Assert.Equal(2, _samples.Count);
    }

    [Fact]
    public void AWriteThatWasCopied_TeachesItsClassOnlyWhileThatIsUnknown()
    {
        for (int i = 0; i < 5; i++)
            _pulse.Sample(GuestClass.SmallWrite, StartNs, StartNs + 50 * Us, StartNs + 150 * Us, wasQuiet: true);
        Assert.Equal(3u, _pulse.Idle(GuestClass.SmallWrite).Count);
        Assert.Equal(5u, _pulse.Idle(GuestClass.CopiedWrite).Count);
    }

    [Fact]
    public void HostsAreLookedAt_Every200Us_AndCountUntilTheEngineDoesTheirIo()
    {
        _pulse.LookAtHosts(StartNs);
        _counts.BegunCount = 5;
        _pulse.LookAtHosts(StartNs + 199 * Us);
        Assert.Equal(0ul, _pulse.LastNs);
        _pulse.LookAtHosts(StartNs + 200 * Us);
        Assert.Equal((StartNs + 200 * Us, true), (_pulse.LastNs, _pulse.IsGuestOut));
        Assert.True(_pulse.IsHostMode);
        _pulse.Sample(GuestClass.SmallRead, StartNs, StartNs, StartNs + 300 * Us, wasQuiet: true);
        Assert.Equal((false, false), (_pulse.IsHostMode, _pulse.IsGuestOut));
        _counts.BegunCount = 6;
        _pulse.LookAtHosts(StartNs + 1001 * Ms); // and none through the engine for a second
        Assert.True(_pulse.IsHostMode);
    }

    [Fact]
    public void WhatHostsReportOneByOne_IsKnownLikeWhatIsDoneHere_AndNoMeanIsTaken()
    {
        for (int i = 0; i < 4; i++)
            _pulse.Report(GuestClass.SmallRead, 90 * Us); // from before there was a job
        _pulse.Join(this);
        _pulse.LookAtHosts(StartNs);
        Assert.Equal(4, _samples.Count);
        Assert.Equal(new GuestSample(GuestClass.SmallRead, StartNs - 90 * Us, 0, 90 * Us, StartNs), _samples[0]);
        Assert.Equal(4u, _pulse.Idle(GuestClass.SmallRead).Count);
        Assert.Equal((true, false, StartNs), (_pulse.HasReports, _pulse.IsHostMode, _pulse.LastNs));
        _counts.BegunCount = 1; // a write is out
        _pulse.LookAtHosts(StartNs + 200 * Us);
        Assert.True(_pulse.IsGuestOut);
        Assert.Equal(0ul, _pulse.HostCount);
        _counts.EndedCount = 1;
        _pulse.LookAtHosts(StartNs + 2 * Units.NsPerSecond);
        _counts.BegunCount = 2;
        _pulse.LookAtHosts(StartNs + 3 * Units.NsPerSecond); // they report no more: the mean again
        Assert.Equal((false, true), (_pulse.HasReports, _pulse.IsHostMode));
    }

    [Fact]
    public void WhatHostsReport_TeachesTheIdleDisk_OnlyIfNoCopyWasSeenSinceItBegan()
    {
        _pulse.Join(this);
        _pulse.LookAtHosts(StartNs);
        IsLoading = true;
        _pulse.LookAtHosts(StartNs + 200 * Us);
        IsLoading = false;
        _pulse.Report(GuestClass.SmallWrite, 300 * Us); // began beside the copy
        _pulse.LookAtHosts(StartNs + 400 * Us);
        Assert.Equal((1, 0u), (_samples.Count, _pulse.IdleCount));
        _pulse.LookAtHosts(StartNs + 600 * Us);
        _pulse.LookAtHosts(StartNs + 800 * Us);
        _pulse.Report(GuestClass.SmallWrite, 100 * Us);
        _pulse.LookAtHosts(StartNs + 1000 * Us);
        Assert.Equal((2, 1u), (_samples.Count, _pulse.IdleCount));
        _pulse.Report(GuestClass.SmallWrite, 100 * Us);
        _pulse.LookAtHosts(StartNs + 5000 * Us); // nobody has looked for long
        Assert.Equal((3, 1u), (_samples.Count, _pulse.IdleCount));
    }

    [Fact]
    public void WhatWasReportedBesideAJob_IsForgottenWithIt()
    {
        _pulse.Join(this);
        _pulse.LookAtHosts(StartNs);
        _pulse.Report(GuestClass.SmallWrite, 900 * Us);
        _pulse.Leave(this);
        _pulse.Join(this);
        _pulse.LookAtHosts(StartNs + Ms);
        Assert.Equal((0, 0u), (_samples.Count, _pulse.IdleCount));
    }

    [Fact]
    public void Reports_AreTheNewest_InTheirOrder_AndOneMayTakeAnHour()
    {
        GuestReports reports = new();
        for (ulong i = 0; i < 600; i++)
            reports.Add(i % 2 == 0 ? GuestClass.Flush : GuestClass.LargeRead, i == 599 ? ulong.MaxValue : i);
        for (ulong i = 600 - 512; i < 600; i++)
        {
            Assert.True(reports.TryTake(out GuestClass kind, out ulong elapsedNs));
            Assert.Equal(i % 2 == 0 ? GuestClass.Flush : GuestClass.LargeRead, kind);
            Assert.Equal(i == 599 ? 3600 * Units.NsPerSecond : i, elapsedNs);
        }
        Assert.False(reports.TryTake(out _, out _));
        reports.Add(GuestClass.SmallRead, 0);
        Assert.True(reports.TryTake(out _, out ulong none));
        Assert.Equal(0ul, none);
    }

    [Fact]
    public void WhoLeft_IsToldNothing()
    {
        _pulse.Join(this);
        IsLoading = true;
        Assert.True(_pulse.IsLoaded);
        _pulse.Leave(this);
        Request(StartNs, 10 * Us);
        Assert.Equal((0, 0, false), (_samples.Count, _goneCount, _pulse.IsLoaded));
    }

    void Request(ulong arrivedNs, ulong durationNs)
    {
        _pulse.Arrive(arrivedNs);
        _pulse.Sample(GuestClass.SmallRead, arrivedNs, arrivedNs, arrivedNs + durationNs, wasQuiet: true);
        _pulse.Depart(arrivedNs, arrivedNs + durationNs);
    }
}
