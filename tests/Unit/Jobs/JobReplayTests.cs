// Bugs of the job that the simulator found, each as the shortest story that shows it.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;
using FastBackup.Tests.Unit.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class JobReplayTests
{
    [Fact]
    public void APauseByError_KeepsWhatGuestsCapture()
    {
        FilterBench bench = new();
        BackupOptions options = new()
        {
            OnTargetError = ErrorPolicy.Stop,
            Filter = new FilterOptions { TaskMax = 1 },
        };
        BackupJob job = bench.Start(options);
        bench.Loop.FileIo.Holds = bench.IsTargetWrite;
        GuestProbe first = new(bench.Disk, 8 * FilterBench.Cluster, 512);
        GuestProbe second = new(bench.Disk, 9 * FilterBench.Cluster, 512);
        bench.Loop.RunFor(Units.NsPerMs);
        bench.Loop.FileIo.Override = command => command.Operation == FileOperation.Write ? -Errnos.EIO : null;
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerSecond);
        // The first failure pauses the job; what guests' writes capture then waits in memory.
        Assert.Equal(2u, job.Filter.Engine.ParkedCount + job.Filter.Engine.CapturedCount);
        Assert.True(first.IsGranted);
        bench.Loop.FileIo.Override = null;
        Assert.True(job.Resume().IsNone);
        bench.Disk.EndWrite();
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(second.IsGranted);
        bench.Disk.EndWrite();
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
    }

    /// <summary>Whoever keeps a record of a copy flushes its target, too; there are file systems that tell a failure
    /// only to who has asked, and the job took the copy for durable.</summary>
    [Fact]
    public void AFlushThatFailedBesideTheJob_FailsIt_ThoughItsOwnWouldSucceed()
    {
        FilterBench bench = new();
        BackupJob job = bench.Start(new BackupOptions());
        bench.Loop.FileIo.Holds = bench.IsTargetWrite;
        bench.Loop.RunFor(Units.NsPerMs);
        job.TellFlushFailed(new Fault(FaultKind.Io, Errnos.EIO));
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.Equal((FaultKind.Io, Errnos.EIO), (job.Query().Fault.Kind, job.Query().Fault.Errno));
        Assert.False(job.Query().IsSourceFault);
        using HierarchicalBitmap left = HierarchicalBitmap.Create(
            bench.Disk.Device.Limits.CapacityBytes,
            FilterBench.Cluster
        );
        Assert.False(job.TryAddLeft(left)); // no record says that anything is durable
    }

    [Fact]
    public void ABitmapThatWasTakenMeanwhile_FailsTheJob_AndItsGroup()
    {
        FilterBench bench = new();
        DirtyBitmap bitmap = bench.AddBitmap("b");
        BackupOptions options = new() { Bitmap = bitmap, BitmapMode = BitmapMode.OnSuccess };
        BackupJob first = bench.Create(options with { Id = "first" });
        BackupJob second = bench.Create(options with { Id = "second" });
        BackupJob sibling = bench.Create(new BackupOptions { Id = "sibling" });
        first.Start(bench.Loop.Reactor);
        new Transaction(bench.Loop.Reactor, [sibling, second]).Start();
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(first.Query().IsSuccess);
        Assert.Equal(FaultKind.State, second.Query().Fault.Kind);
        Assert.Equal(FaultKind.Canceled, sibling.Query().Fault.Kind);
        Assert.False(bitmap.IsBusy);
    }

    [Fact]
    public void ASourceThatFailsUnderAGuest_IsToldAsTheSource()
    {
        FilterBench bench = new();
        BackupJob job = bench.Start(new BackupOptions { Sync = BackupSync.None });
        bench.Loop.FileIo.Override = command => bench.IsSourceRead(command) ? -Errnos.EIO : null;
        GuestProbe guest = new(bench.Disk, 0, 512);
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(guest.IsGranted);
        bench.Disk.EndWrite();
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(Errnos.EIO, job.Query().Fault.Errno);
        Assert.True(job.Query().IsSourceFault);
    }

    [Theory]
    [InlineData(ErrorPolicy.Stop)]
    [InlineData(ErrorPolicy.Ignore)]
    public void AFlushThatFails_EndsTheJob_WhateverThePolicy(ErrorPolicy policy)
    {
        FilterBench bench = new();
        BackupJob job = bench.Start(new BackupOptions { OnTargetError = policy });
        uint flushCount = 0;
        bench.Loop.FileIo.Override = command =>
            command.Operation == FileOperation.Flush && flushCount++ == 0 ? -Errnos.EIO : null;
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.Equal(Errnos.EIO, job.Query().Fault.Errno);
        Assert.Equal(1u, flushCount);
    }

    [Fact]
    public void ParkedChunks_AreWrittenAgain_AlsoWhenTheSpeedChanges()
    {
        FilterBench bench = new(bufferCount: 4);
        BackupJob job = bench.Start(new BackupOptions { OnTargetError = ErrorPolicy.Ignore });
        bool isBroken = true;
        bench.Loop.FileIo.Override = command => isBroken && bench.IsTargetWrite(command) ? -Errnos.EIO : null;
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(job.Filter.Engine.ParkedCount > 0);
        isBroken = false;
        Assert.True(job.SetSpeed(1 << 30).IsNone);
        bench.Loop.RunFor(10 * Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
    }

    [Fact]
    public void ASpeedBeyondTheLimit_IsRefused_AndChangesNothing()
    {
        FilterBench bench = new();
        BackupJob job = bench.Start(new BackupOptions());
        Assert.Equal(FaultKind.Invalid, job.SetSpeed(1ul << 63).Kind);
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
    }

    [Fact]
    public void Always_ForgetsNothing_ThatWasReadAfterTheSnapshotWasGivenUp()
    {
        FilterBench bench = new();
        DirtyBitmap bitmap = bench.AddBitmap("b");
        Disk.Quiesce(bench.Loop.Reactor, [bench.Disk], () => bitmap.SetEnabled(false));
        bench.Loop.FileIo.Holds = bench.IsSourceRead;
        BackupJob job = bench.Start(new BackupOptions { Bitmap = bitmap, BitmapMode = BitmapMode.Always });
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(job.Filter.Engine.InFlightCount > 0);
        Assert.True(job.Cancel().IsNone);
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(FaultKind.Canceled, job.Query().Fault.Kind);
        Assert.Equal(bench.CapacityBytes / FilterBench.Cluster, bitmap.Bits.CountBits());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Always_ForgetsOnlyWhatIsDurable(bool isFlushBroken)
    {
        FilterBench bench = new(clusterCount: 64);
        DirtyBitmap bitmap = bench.AddBitmap("b");
        BackupJob job = bench.Start(new BackupOptions { Bitmap = bitmap, BitmapMode = BitmapMode.Always });
        bench.Loop.RunUntil(() => job.Query().DoneBytes > 0);
        Assert.True(job.Query().DoneBytes < bench.CapacityBytes);
        uint flushCount = 0;
        bench.Loop.FileIo.Override = command =>
        {
            flushCount += command.Operation == FileOperation.Flush ? 1u : 0;
            return command.Operation == FileOperation.Flush && isFlushBroken ? -Errnos.EIO : null;
        };
        Assert.True(job.Cancel().IsNone);
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.Equal(1u, flushCount);
        Assert.Equal(isFlushBroken, bitmap.Bits.CountBytes() == bench.CapacityBytes);
    }

    [Theory]
    [InlineData(ExtentKind.Hole, ExtentKind.Hole)]
    [InlineData(ExtentKind.Zero, ExtentKind.Zero)]
    [InlineData(ExtentKind.Hole, ExtentKind.Zero)]
    public void AHoleInPieces_IsStillAHole(ExtentKind even, ExtentKind odd)
    {
        // Entries of one block each, three to a query: no cluster of 16 KiB lies within one piece.
        FilterBench bench = new();
        using BufferPoolOwner pool = new(16384);
        FileDevice source = bench.Loop.OpenFile(65536, out SimulatedDisk image);
        FileDevice target = bench.Loop.OpenFile(65536, out _);
        Disk disk = new(bench.Loop.Reactor, source, "pieces", slotCount: 2);
        BackupOptions options = new() { Filter = new FilterOptions { ClusterBytes = 16384 } };
        BackupJob.TryCreate(bench.Loop.Reactor, disk, target, pool.Pool, options, hasView: false, out BackupJob? job);
        bench.Loop.FileIo.Override = command => command.Operation == FileOperation.Map ? Pieces(command) : null;
        job!.Start(bench.Loop.Reactor);
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
        Assert.Equal(65536ul, job.Query().WrittenZeroBytes);
        job.Dispose();

        unsafe long Pieces(FileCommand command)
        {
            Span<MapEntry> entries = new((void*)command.Buffer, 3);
            int count = 0;
            for (ulong at = command.OffsetBytes; count < 3 && at < 65536; at += 4096)
                entries[count++] = new MapEntry
                {
                    OffsetBytes = at,
                    LengthBytes = 4096,
                    Kind = at / 4096 % 2 == 0 ? even : odd,
                };
            return count;
        }
    }

    [Theory]
    [InlineData(0u)]
    public void NoWorkers_AreRefused(uint taskMax)
    {
        using JobBench bench = new(7, new SimulatedFaults());
        BackupOptions options = new()
        {
            Filter = new FilterOptions { ClusterBytes = bench.ClusterBytes, TaskMax = taskMax },
        };
        OpenRefusal refusal = bench.TryCreate(options, out BackupJob? job);
        Assert.Null(job);
        Assert.Contains("max-workers 0", refusal.Sentence, StringComparison.Ordinal);
    }

    sealed class BufferPoolOwner : IDisposable
    {
        public BufferPoolOwner(uint bufferBytes)
        {
            Assert.True(BufferPool.TryCreate(bufferBytes, 4, out BufferPool? pool).IsNone);
            Pool = pool!;
        }

        public BufferPool Pool { get; }

        public void Dispose() => Pool.Dispose();
    }
}
