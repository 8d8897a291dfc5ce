// How long a guest's write waits, for whom, and with which answer: each a replay of what the simulator found.
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Pacing;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed class GuestWaitTests
{
    static BackupOptions Fleecing(uint timeoutMs, CbwErrorPolicy policy, string id = "job") =>
        new()
        {
            Id = id,
            Sync = BackupSync.None,
            Filter = new FilterOptions { CbwTimeoutMs = timeoutMs, OnCbwError = policy },
        };

    [Fact]
    public void AWriteThatWaitedWhenTheFilterCame_IsBoundByItsLimit()
    {
        FilterBench bench = new();
        GuestProbe running = new(bench.Disk, 0, 512);
        Assert.Equal(Grant.Granted, running.Grant);
        bench.Start(Fleecing(100, CbwErrorPolicy.BreakGuestWrite));
        GuestProbe waiting = new(bench.Disk, 8192, 512); // the gate is closed: no filter yet
        bench.Loop.RunFor(400 * Units.NsPerMs);
        Assert.False(waiting.IsAnswered);
        bench.Loop.FileIo.Holds = bench.IsSourceRead;
        bench.Disk.EndWrite();
        bench.Loop.RunFor(50 * Units.NsPerMs);
        Assert.False(waiting.IsAnswered); // the limit counts from T0, not from the write's arrival
        bench.Loop.RunFor(60 * Units.NsPerMs);
        Assert.Equal(FaultKind.TimedOut, waiting.Fault.Kind);
    }

    [Fact]
    public void AWriteThatDoesNotEnd_HoldsUpOthersForHalfASecondAtATime_AndTheJobUntilItHasEnded()
    {
        FilterBench bench = new();
        GuestProbe unended = new(bench.Disk, 0, 512);
        Assert.Equal(Grant.Granted, unended.Grant);
        BackupJob job = bench.Start(new BackupOptions());
        GuestProbe other = new(bench.Disk, 8192, 512);
        bench.Loop.RunFor(499 * Units.NsPerMs);
        Assert.False(other.IsAnswered);
        bench.Loop.RunFor(2 * Units.NsPerMs);
        Assert.True(other.IsGranted);
        bench.Disk.EndWrite();
        bench.Loop.RunFor(10 * Units.NsPerSecond);
        Assert.False(job.Filter.IsAttached); // tried every second, without a point in time so far
        Assert.Equal(JobStatus.Created, job.Status);
        bench.Disk.EndWrite();
        bench.Loop.RunFor(2 * Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
    }

    [Fact]
    public void ATimeout_BreaksOnlyTheFilterWhoseLimitPassed()
    {
        FilterBench bench = new();
        BackupJob quick = bench.Start(Fleecing(100, CbwErrorPolicy.BreakSnapshot, "quick"));
        BackupJob patient = bench.Start(Fleecing(0, CbwErrorPolicy.BreakSnapshot, "patient"));
        BackupJob slow = bench.Start(Fleecing(30_000, CbwErrorPolicy.BreakSnapshot, "slow"));
        bench.Loop.FileIo.Holds = bench.IsSourceRead;
        GuestProbe guest = new(bench.Disk, 0, 512);
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(quick.Filter.IsBroken);
        Assert.False(slow.Filter.IsBroken);
        Assert.False(patient.Filter.IsBroken);
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(guest.IsGranted);
    }

    [Fact]
    public void NoWriteIsDenied_ForASnapshotThatIsGivenUp()
    {
        FilterBench bench = new();
        BackupJob given = bench.Start(Fleecing(0, CbwErrorPolicy.BreakGuestWrite, "given"));
        bench.Loop.FileIo.Holds = bench.IsSourceRead;
        GuestProbe first = new(bench.Disk, 0, 512);
        bench.Loop.RunFor(Units.NsPerMs);
        // A second point in time holds the same write for its own sake.
        bench.Start(Fleecing(0, CbwErrorPolicy.BreakSnapshot, "other"));
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(given.Cancel().IsNone);
        int fd = bench.Source.Handle.Fd;
        uint failed = 0;
        bench.Loop.FileIo.Override = command => command.File.Fd == fd && failed++ == 0 ? -Errnos.EIO : null;
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(first.IsGranted);
    }

    [Fact]
    public void AnEmptyWrite_IsNotDenied()
    {
        FilterBench bench = new();
        bench.Start(Fleecing(0, CbwErrorPolicy.BreakGuestWrite));
        bench.Loop.FileIo.Holds = bench.IsSourceRead;
        GuestProbe denied = new(bench.Disk, 512, 512);
        GuestProbe running = new(bench.Disk, 8192, 0);
        Assert.Equal(Grant.Granted, running.Grant);
        bench.Loop.RunFor(Units.NsPerMs);
        Disk.Quiesce(bench.Loop.Reactor, [bench.Disk], () => { });
        GuestProbe empty = new(bench.Disk, 604, 0);
        bench.Loop.FileIo.Override = command => bench.IsSourceRead(command) ? -Errnos.EIO : null;
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(Errnos.EIO, denied.Fault.Errno);
        Assert.False(empty.IsAnswered);
        bench.Disk.EndWrite();
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(empty.IsGranted);
    }

    [Fact]
    public void GuestsLeaveRoomAtTheDevice_ForJobs_AndAreAllServed()
    {
        FilterBench bench = new(inFlightMax: 8);
        bench.Loop.FileIo.Holds = bench.IsSourceRead;
        using AlignedRegion memory = AlignedRegion.Map(4096, RegionResidency.Resident);
        ReadCounter guest = new();
        for (ulong i = 0; i < 16; i++)
        {
            GuestRequest request = default;
            request.Operation = BlockOperation.Read;
            (request.OffsetBytes, request.LengthBytes) = (i * 512, 512);
            (request.Buffer, request.Owner) = (memory.Start, guest);
            Assert.True(bench.Disk.Submit(request).IsNone);
        }
        BackupJob job = bench.Start(new BackupOptions { GuestPriority = GuestPriority.Off });
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.InRange(bench.Disk.Device.InFlightCount, 5u, 8u);
        Assert.True(job.Filter.Engine.InFlightCount > 0);
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.Equal(16, guest.Count);
        Assert.True(job.Query().IsSuccess);
    }

    sealed class ReadCounter : IGuestOwner
    {
        public int Count { get; private set; }

        public void OnGuestCompleted(ulong userData, Fault fault)
        {
            Assert.True(fault.IsNone);
            Count++;
        }
    }

    [Fact]
    public void AGuestOfOneDisk_IsServedWhenAnotherDiskGivesABufferBack()
    {
        FilterBench bench = new(bufferCount: 2);
        Disk other = bench.NewDisk("other", out _);
        bench.Start(Fleecing(0, CbwErrorPolicy.BreakSnapshot, "other"), other);
        bench.Start(Fleecing(0, CbwErrorPolicy.BreakSnapshot, "mine"));
        bench.Loop.FileIo.Holds = command => command.File.Fd != bench.Source.Handle.Fd;
        GuestProbe hog = new(other, 0, 2 * FilterBench.Cluster); // both buffers
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(0u, bench.Pool.FreeUnitCount);
        GuestProbe guest = new(bench.Disk, 0, 512);
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.False(guest.IsAnswered);
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(hog.IsGranted);
        Assert.True(guest.IsGranted);
    }
}
