// Many waiting requests: more than any table of the reactor has entries, each bound by its own limit, and none of them
// a burden to the rest of the reactor.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Runtime;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed class GuestQueueTests
{
    const uint TimeoutMs = 100;

    static BackupOptions Fleecing(CbwErrorPolicy policy, string id = "job") =>
        new()
        {
            Id = id,
            Sync = BackupSync.None,
            Filter = new FilterOptions { CbwTimeoutMs = TimeoutMs, OnCbwError = policy },
        };

    /// <summary>Starts writes that must all wait, as many as the inbox takes between two turns.</summary>
    static List<GuestProbe> Begin(FilterBench bench, Disk disk, int count)
    {
        List<GuestProbe> guests = [];
        for (int i = 0; i < count; i++)
        {
            guests.Add(new GuestProbe(disk, (ulong)i % 16 * FilterBench.Cluster, 512));
            if (i % 64 == 63)
                bench.Loop.Reactor.Turn(0);
        }
        while (disk.WaitingCount < count)
            bench.Loop.Reactor.Turn(0);
        return guests;
    }

    [Fact]
    public void AWriteThatMustWait_IsPending_AndOneThatFindsNoSlot_IsRefused()
    {
        FilterBench bench = new();
        Disk disk = bench.NewDisk("small", out _, slotCount: 4);
        GuestProbe unended = new(disk, 0, 512);
        Assert.Equal(Grant.Granted, unended.Grant);
        Disk.Quiesce(bench.Loop.Reactor, [disk], () => { });
        List<GuestProbe> guests = [];
        for (int i = 0; i < 4; i++)
            guests.Add(new GuestProbe(disk, 0, 512));
        Assert.All(guests, guest => Assert.Equal(Grant.Pending, guest.Grant));
        Assert.Equal(Grant.Refused, disk.BeginWrite(0, 512, unended, 0, out Fault fault));
        Assert.Equal(FaultKind.QueueFull, fault.Kind);
        disk.EndWrite();
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.All(guests, guest => Assert.True(guest.IsGranted));
        Assert.Equal(4, disk.WritesInFlight);
    }

    [Fact]
    public void MoreWaitingWrites_ThanTheReactorHasTimers_AreEachBoundByTheirLimit()
    {
        FilterBench bench = new();
        uint count = ReactorLimits.Default.TimerCapacity / 2 + 500;
        List<GuestProbe> guests = [];
        for (int i = 0; i < 3; i++)
        {
            Disk disk = bench.NewDisk("disk" + i, out _, slotCount: 4096);
            bench.Start(Fleecing(CbwErrorPolicy.BreakGuestWrite, disk.Name), disk);
            bench.Loop.FileIo.Holds = _ => true;
            guests.AddRange(Begin(bench, disk, (int)count));
        }
        bench.Loop.RunFor((TimeoutMs - 1) * Units.NsPerMs);
        Assert.DoesNotContain(guests, guest => guest.IsAnswered);
        bench.Loop.RunFor(2 * Units.NsPerMs);
        for (int i = 0; i < 100; i++)
            bench.Loop.Reactor.Turn(0);
        Assert.All(guests, guest => Assert.Equal(FaultKind.TimedOut, guest.Fault.Kind));
    }

    [Fact]
    public void WritesThatCameLater_WaitUntilTheirOwnLimit_UnderTheOneTimer()
    {
        FilterBench bench = new();
        bench.Start(Fleecing(CbwErrorPolicy.BreakGuestWrite));
        bench.Loop.FileIo.Holds = bench.IsSourceRead;
        GuestProbe[] guests = new GuestProbe[4];
        for (uint i = 0; i < guests.Length; i++)
        {
            guests[i] = new GuestProbe(bench.Disk, 0, 512);
            bench.Loop.RunFor(10 * Units.NsPerMs);
        }
        bench.Loop.RunFor((TimeoutMs - 41) * Units.NsPerMs);
        for (int expired = 0; expired <= guests.Length; expired++)
        {
            for (int i = 0; i < guests.Length; i++)
                Assert.Equal(i < expired, guests[i].IsAnswered);
            bench.Loop.RunFor(expired == 0 ? 2 * Units.NsPerMs : 10 * Units.NsPerMs);
        }
    }

    [Fact]
    public void ALongList_IsLookedAtInParts_AndWhollyHoweverOftenThatIsAskedFor()
    {
        FilterBench bench = new();
        Disk disk = bench.NewDisk("busy", out _, slotCount: 4096);
        GuestProbe unended = new(disk, 0, 512);
        Assert.Equal(Grant.Granted, unended.Grant);
        int changeCount = 0;
        Disk.Quiesce(bench.Loop.Reactor, [disk], () => changeCount++);
        List<GuestProbe> guests = Begin(bench, disk, 3000); // at the closed gate
        disk.EndWrite();
        int answeredCount = 0;
        for (int turn = 0; turn < 20; turn++)
        {
            disk.SchedulePump();
            bench.Loop.Reactor.Turn(0);
            int now = guests.FindAll(guest => guest.IsAnswered).Count;
            Assert.InRange(now - answeredCount, 0, 256);
            answeredCount = now;
        }
        Assert.Equal(1, changeCount);
        Assert.Equal(guests.Count, answeredCount);
    }

    [Fact]
    public void GuestsThatWaitedAtTheGate_PassBeforeItClosesAgain()
    {
        FilterBench bench = new();
        Disk disk = bench.NewDisk("busy", out _, slotCount: 4096);
        GuestProbe first = new(disk, 0, 512);
        Assert.Equal(Grant.Granted, first.Grant);
        List<string> order = [];
        Disk.Quiesce(bench.Loop.Reactor, [disk], () => order.Add("one"));
        List<GuestProbe> guests = Begin(bench, disk, 600);
        disk.EndWrite();
        bench.Loop.Reactor.Turn(0);
        Assert.Equal(["one"], order);
        // Asked for while most have not had their look: the gate may not close before they have.
        Disk.Quiesce(bench.Loop.Reactor, [disk], () => order.Add("two"));
        for (int turn = 0; turn < 20; turn++)
            bench.Loop.Reactor.Turn(0);
        Assert.DoesNotContain(guests, guest => !guest.IsGranted);
        Assert.Equal(["one"], order);
        for (int i = 0; i < guests.Count; i++)
            disk.EndWrite();
        bench.Loop.RunFor(2 * Units.NsPerMs);
        Assert.Equal(["one", "two"], order);
    }
}
