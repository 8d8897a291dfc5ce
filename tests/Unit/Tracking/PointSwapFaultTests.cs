// Points of a disk in use, with every command of the making or the deleting of one failing: the tracker is
// inconsistent, for a kill at once, and for a power cut as soon as anything can be written; guests go on.
using FastBackup.Base;
using FastBackup.Ports.Linux;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Recovery;
using Xunit;

namespace FastBackup.Tests.Unit.Tracking;

public sealed class PointSwapFaultTests
{
    [Theory]
    [InlineData(Errnos.EIO, false)]
    [InlineData(Errnos.ENOSPC, false)]
    [InlineData(Errnos.EIO, true)]
    [InlineData(Errnos.ENOSPC, true)]
    public void AnyFault_IsInconsistent_AndGuestsGoOn(int errno, bool isForEver)
    {
        ulong commandCount = Run(ulong.MaxValue, errno, isForEver);
        Assert.True(commandCount > 8);
        for (ulong failing = 0; failing < commandCount; failing++)
            _ = Run(failing, errno, isForEver);
    }

    /// <returns>Commands to the file so far.</returns>
    static ulong Run(ulong failing, int errno, bool isForEver)
    {
        TrackerHeader header = PointScene.Header();
        TrackerWorld world = World(header, TrackerScene.Boot);
        ulong[] content = new ulong[PointScene.Shape.GranuleCount];
        using PointedDisk disk = new(5, PointScene.NewFile(), world, null, null, content);
        disk.Errno = number => number == failing || (isForEver && number > failing) ? errno : 0;
        for (int i = 0; i < 6; i++)
            disk.Write();
        disk.RunFor(Units.NsPerMs);
        if (disk.Trouble.IsNone)
            disk.Add(["a", "b"], disk.File, () => { });
        if (disk.Trouble.IsNone)
            disk.Delete("a", disk.File);
        disk.RunFor(Units.NsPerSecond);
        if (failing == ulong.MaxValue)
        {
            Assert.True(disk.Trouble.IsNone);
            return disk.CommandCount;
        }
        Assert.Equal(errno, disk.Trouble.Errno);
        Assert.Equal(0, disk.WaitingCount);
        using RecoveredTracker killed = TrackerRecovery.Recover(disk.File.Kill(), world, disk.Live, disk.NextLive);
        Assert.Equal(TrackerRefusal.Inconsistent, killed.Refusal);
        if (isForEver)
            return disk.CommandCount;
        using RecoveredTracker cut = TrackerRecovery.Recover(
            disk.File.Cut(new Prng(failing)),
            World(header, TrackerScene.Boot + 1)
        );
        Assert.Equal(TrackerRefusal.Inconsistent, cut.Refusal);
        return disk.CommandCount;
    }

    static TrackerWorld World(TrackerHeader header, System.UInt128 boot) =>
        new(
            header.DiskId,
            PointScene.Shape.DiskBytes,
            header.Stamp,
            boot,
            header.Home,
            IsFileSettled: true,
            header.Stamp.Places
        );
}
