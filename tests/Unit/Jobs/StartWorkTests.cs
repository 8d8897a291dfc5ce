// What is to happen at the point in time of jobs, beside their start: with all of them or not at all.
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Tests.Unit.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class StartWorkTests
{
    sealed class Work(Disk disk, BackupJob job, Fault answer = default) : IStartWork
    {
        public Disk[] Disks => [disk];

        public int DoneCount { get; private set; }

        public int AbandonedCount { get; private set; }

        public Fault DoQuiesced()
        {
            Assert.True(disk.IsQuiesced);
            Assert.True(job.Disk.IsQuiesced);
            Assert.Equal(JobStatus.Running, job.Query().Status);
            DoneCount++;
            return answer;
        }

        public void Abandon() => AbandonedCount++;
    }

    [Fact]
    public void ItIsDoneOnce_InTheMomentOfTheJobs_AlsoOnADiskWithoutOne()
    {
        FilterBench bench = new();
        Disk other = bench.NewDisk("other", out _);
        BackupJob job = bench.Create(new BackupOptions());
        Work work = new(other, job);
        GuestProbe guest = new(other, 0, 512); // granted: the moment waits for it
        Assert.True(guest.IsGranted);
        new Transaction(bench.Loop.Reactor, [job], startWork: work).Start();
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(0, work.DoneCount);
        other.EndWrite();
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.Equal((1, 0), (work.DoneCount, work.AbandonedCount));
        Assert.True(job.Query().IsSuccess);
    }

    [Fact]
    public void JobsThatAreCancelledBeforeTheirMoment_AbandonIt()
    {
        FilterBench bench = new();
        BackupJob job = bench.Create(new BackupOptions());
        Work work = new(bench.Disk, job);
        GuestProbe guest = new(bench.Disk, 0, 512);
        Assert.True(guest.IsGranted);
        new Transaction(bench.Loop.Reactor, [job], startWork: work).Start();
        Assert.True(job.Cancel().IsNone);
        Assert.Equal(1, work.AbandonedCount);
        bench.Disk.EndWrite();
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.Equal((0, 1), (work.DoneCount, work.AbandonedCount));
        Assert.Equal(FaultKind.Canceled, job.Query().Fault.Kind);
    }

    [Fact]
    public void AJobThatCannotBegin_AbandonsIt()
    {
        FilterBench bench = new();
        var bitmap = bench.AddBitmap("b");
        BackupOptions options = new() { Bitmap = bitmap, BitmapMode = BitmapMode.OnSuccess };
        BackupJob first = bench.Create(options with { Id = "first" });
        BackupJob second = bench.Create(options with { Id = "second" });
        first.Start(bench.Loop.Reactor);
        Work work = new(bench.Disk, second);
        new Transaction(bench.Loop.Reactor, [second], startWork: work).Start();
        Assert.Equal((0, 1), (work.DoneCount, work.AbandonedCount));
        Assert.Equal(FaultKind.State, second.Query().Fault.Kind);
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(first.Query().IsSuccess);
    }

    [Fact]
    public void WhenItFails_TheJobsFail()
    {
        FilterBench bench = new();
        BackupJob job = bench.Create(new BackupOptions { Id = "a" });
        BackupJob sibling = bench.Create(new BackupOptions { Id = "b" });
        Work work = new(bench.Disk, job, new Fault(FaultKind.Io, Errnos.EIO));
        new Transaction(bench.Loop.Reactor, [job, sibling], startWork: work).Start();
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.Equal((1, 0), (work.DoneCount, work.AbandonedCount));
        Assert.Equal(Errnos.EIO, job.Query().Fault.Errno);
        Assert.Equal(FaultKind.Canceled, sibling.Query().Fault.Kind);
    }
}
