// The tracker on a disk: what waits and what does not, and what a power cut, a kill and a fault leave.
using System;
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Ports.Linux;
using FastBackup.Tests;
using FastBackup.Tests.Unit.Filter;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using FastBackup.Tracking.Store;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

public sealed class WriteTrackerTests
{
    const ulong Region = 16 * Units.KiB;

    [Fact]
    public void Writes_WaitUntilTheFileIsOpen()
    {
        using WatchedDisk disk = new(1);
        GuestProbe guest = disk.Write(0, 4096);
        disk.RunFor(Units.NsPerSecond);
        Assert.False(guest.IsAnswered);
        Assert.True(disk.Start());
        disk.RunFor(Units.NsPerSecond);
        Assert.True(guest.IsGranted);
        Assert.True(disk.Changed.GetBit(0));
    }

    [Fact]
    public void FirstWriteToARegion_Waits_AndLaterOnesDoNot()
    {
        using WatchedDisk disk = new(1);
        Assert.True(disk.Start());
        GuestProbe first = disk.Write(5 * Region, 100);
        Assert.Equal(Grant.Pending, first.Grant);
        disk.RunFor(Units.NsPerSecond);
        Assert.True(first.IsGranted);
        GuestProbe second = disk.Write(5 * Region + 8192, 100); // another granule
        Assert.Equal(Grant.Granted, second.Grant);
        Assert.Equal(2ul, disk.Mirror.SetCount);
        Assert.Equal(Grant.Granted, disk.Write(5 * Region, 4096).Grant);
        Assert.Equal(2ul, disk.Mirror.SetCount); // marked already: not even a system call
        Assert.Equal(1ul, disk.FlushCount);
    }

    [Fact]
    public void WritesOfOneTurn_ShareAFlush()
    {
        using WatchedDisk disk = new(1);
        Assert.True(disk.Start());
        for (ulong i = 0; i < 10; i++)
            _ = disk.Write(i * 4 * Region, 100);
        disk.RunFor(Units.NsPerSecond);
        Assert.Equal(0, disk.WaitingCount);
        Assert.Equal(1ul, disk.FlushCount);
    }

    /// <summary>Below the size of the open set from which on some are closed, which takes flushes of its own.</summary>
    [Fact]
    public void RegionsOpenedOneByOne_TakeAFlushEachAtMost()
    {
        using WatchedDisk disk = new(1);
        Assert.True(disk.Start());
        ulong openBefore = disk.Store.OpenCount;
        for (ulong i = 0; disk.Store.OpenCount < WatchedDisk.OpenMax / 2; i++)
        {
            _ = disk.Write(i * 7 % 1000 * Region, 4096);
            disk.RunFor(Units.NsPerSecond);
        }
        Assert.Equal(0, disk.WaitingCount);
        Assert.InRange(disk.FlushCount, 1ul, disk.Store.OpenCount - openBefore);
    }

    [Fact]
    public void WritesThatRunOn_FindRegionsOpen()
    {
        using WatchedDisk disk = new(1);
        Assert.True(disk.Start());
        int waitCount = 0;
        for (ulong at = 0; at < 10 * Region; at += 4096)
        {
            waitCount += disk.Write(at, 4096).Grant == Grant.Pending ? 1 : 0;
            disk.RunFor(Units.NsPerSecond);
        }
        Assert.InRange(waitCount, 1, 5); // not 10
    }

    [Fact]
    public void OpenSet_StaysWithinItsBound_AndRegionsCloseBehindTheWrites()
    {
        using WatchedDisk disk = new(1);
        Assert.True(disk.Start());
        for (ulong i = 0; i < 200; i++)
        {
            _ = disk.Write(i * 5 % 1000 * Region, 4096);
            disk.RunFor(2 * Units.NsPerMs);
            Assert.InRange(disk.Store.OpenCount, 1ul, WatchedDisk.OpenMax);
        }
        disk.RunFor(Units.NsPerSecond);
        Assert.Equal(0, disk.WaitingCount);
        Assert.True(disk.Tracker.ClosedCount > 100);
        Assert.InRange(disk.OverReportMax, 0ul, (WatchedDisk.OpenMax + 4) * 4);
    }

    /// <summary>While a point may come nothing is closed, and the bound does not hold; else a power cut would add more
    /// and more.</summary>
    [Fact]
    public void PointThatIsWithdrawn_LeavesTheBoundOfTheOpenSet()
    {
        using WatchedDisk disk = new(1);
        disk.IsTried = false;
        Assert.True(disk.Start());
        MapChain chain = new([new TrackedPoint(TrackerScene.MapId, 0, IsBase: true, "")], [disk.Changed]);
        using PointPlan plan = PointPlan.AddAll(disk.Store.Header, chain, [("a", false)], 1);
        bool isReady = false;
        Assert.True(disk.Tracker.TryBeginPoint(plan, null, () => isReady = true, _ => Assert.Fail("there was none")));
        disk.RunFor(Units.NsPerMs);
        Assert.True(isReady);
        disk.Tracker.WithdrawPoint();
        for (ulong i = 0; i < 60; i++)
        {
            _ = disk.Write(i * 5 % 1000 * Region, 4096);
            disk.RunFor(2 * Units.NsPerMs);
            Assert.InRange(disk.Store.OpenCount, 1ul, WatchedDisk.OpenMax);
        }
        Assert.True(disk.Tracker.ClosedCount > 0);
    }

    [Fact]
    public void WriteLargerThanTheOpenSet_IsGranted()
    {
        using WatchedDisk disk = new(1, 128 * Units.MiB);
        disk.IsTried = false; // 8,192 regions: too large to look at each step
        Assert.True(disk.Start());
        GuestProbe guest = disk.Write(0, disk.Shape.DiskBytes);
        disk.RunFor(5 * Units.NsPerSecond);
        Assert.True(guest.IsGranted);
        GuestProbe other = disk.Write(Region, 1);
        disk.RunFor(5 * Units.NsPerSecond);
        Assert.True(other.IsGranted);
        Assert.False(disk.Tracker.IsOver);
    }

    [Fact]
    public void AnyEnd_LosesNothing()
    {
        ulong trialCount = 0;
        ulong closedCount = 0;
        TestSeed.ForEach(
            8,
            seed =>
            {
                using WatchedDisk disk = new(seed);
                Assert.True(disk.Start());
                disk.RunGuests(150);
                Assert.Equal(0, disk.WaitingCount);
                trialCount += disk.TrialCount;
                closedCount += disk.Tracker.ClosedCount;
            }
        );
        TestContext.Current.TestOutputHelper?.WriteLine($"{trialCount} ends, {closedCount} regions closed");
        Assert.True(closedCount > 100);
    }

    [Theory]
    [InlineData(Errnos.EIO, false)]
    [InlineData(Errnos.ENOSPC, false)]
    [InlineData(Errnos.EIO, true)]
    [InlineData(Errnos.ENOSPC, true)]
    public void AnyFault_IsInconsistent_AndGuestsGoOn(int errno, bool isForEver)
    {
        ulong commandCount;
        using (WatchedDisk whole = new(3))
        {
            whole.IsTried = false;
            Assert.True(whole.Start());
            whole.RunGuests(14);
            commandCount = whole.CommandCount;
        }
        Assert.True(commandCount > 12);
        for (ulong failing = 0; failing < commandCount; failing++)
        {
            using WatchedDisk disk = new(3);
            disk.Errno = number => number == failing || (isForEver && number > failing) ? errno : 0;
            Assert.True(disk.Start());
            disk.RunGuests(14);
            Assert.Equal(0, disk.WaitingCount);
            Assert.True(disk.Tracker.IsOver);
            Assert.Equal(errno, disk.Trouble.Errno);
            Assert.True(disk.Mirror.IsVoid);
            using RecoveredTracker killed = disk.Recover(
                disk.File.Kill(),
                isSameBoot: true,
                disk.Mirror.Image(disk.Store.Header)
            );
            Assert.Equal(TrackerRefusal.Inconsistent, killed.Refusal);
            if (isForEver)
                continue;
            using RecoveredTracker cut = disk.Recover(disk.File.Cut(new Prng(failing)), isSameBoot: false, null);
            Assert.Equal(TrackerRefusal.Inconsistent, cut.Refusal); // said durably, before a write passed untracked
        }
    }

    /// <summary>What the rows above would not see if the tracker forgot a fault.</summary>
    [Fact]
    public void FaultThatIsForgotten_OrFlushThatIsTriedAgain_IsFound()
    {
        ulong foundCount = 0;
        for (ulong failing = 0; failing < 12; failing++)
        {
            WatchedDisk disk = new(3) { AreFaultsHidden = true };
            disk.Errno = number => number >= failing ? Errnos.EIO : 0;
            Assert.True(disk.Start());
            try
            {
                disk.RunGuests(14);
                disk.Dispose(); // else it was left in the middle of a step
            }
            catch (ModelException)
            {
                foundCount++;
            }
        }
        Assert.True(foundCount > 5, $"{foundCount} of 12 are found");
    }

    [Fact]
    public void MarkThatIsLost_IsInconsistentBeforeTheWritePasses()
    {
        using WatchedDisk disk = new(1);
        Assert.True(disk.Start());
        _ = disk.Write(0, 100);
        disk.RunFor(Units.NsPerSecond);
        disk.Mirror.Fails = true;
        Assert.Equal(Grant.Granted, disk.Write(0, 100).Grant); // is marked
        GuestProbe guest = disk.Write(4096, 100);
        Assert.Equal(Grant.Pending, guest.Grant);
        disk.RunFor(Units.NsPerSecond);
        Assert.True(guest.IsGranted);
        Assert.True(disk.Tracker.IsOver);
        using RecoveredTracker cut = disk.Recover(disk.File.Cut(new Prng(1)), isSameBoot: false, null);
        Assert.Equal(TrackerRefusal.Inconsistent, cut.Refusal);
    }

    [Fact]
    public void StorageThatHangs_HoldsAWriteNoLongerThanItsBound()
    {
        using WatchedDisk disk = new(1);
        Assert.True(disk.Start());
        disk.Loop.FileIo.Holds = _ => true;
        GuestProbe guest = disk.Write(0, 100);
        disk.RunFor(9 * Units.NsPerSecond);
        Assert.False(guest.IsGranted);
        disk.RunFor(2 * Units.NsPerSecond);
        Assert.True(guest.IsGranted);
        Assert.True(disk.Tracker.IsOver);
        Assert.True(disk.Mirror.IsVoid);
        Assert.Equal(Grant.Granted, disk.Write(9 * Region, 100).Grant);
        disk.Loop.FileIo.ReleaseHeld();
    }

    [Fact]
    public void FileThatIsNotOpenInTime_HoldsAWriteNoLongerThanItsBound()
    {
        using WatchedDisk disk = new(1);
        GuestProbe guest = disk.Write(0, 100);
        disk.RunFor(11 * Units.NsPerSecond);
        Assert.True(guest.IsGranted);
        Assert.False(disk.Start());
    }

    [Fact]
    public void Release_HoldsWritesUntilItIsTakenOff()
    {
        using WatchedDisk disk = new(1);
        Assert.True(disk.Start());
        _ = disk.Write(0, 100);
        disk.RunFor(Units.NsPerSecond);
        bool isReleasing = false;
        Disk.Quiesce(disk.Loop.Reactor, [disk.Disk], () => isReleasing = disk.Tracker.Release());
        Assert.True(isReleasing);
        GuestProbe guest = disk.Write(0, 100);
        disk.RunFor(Units.NsPerSecond);
        Assert.False(guest.IsGranted);
        Assert.True(disk.Tracker.IsIdle);
    }
}
