// Old data in memory and in scratch between the guest that was let go and a target that takes its time.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed class CaptureTests
{
    const ulong Cluster = FilterBench.Cluster;

    static BackupOptions Fleecing(FilterOptions? filter = null) =>
        new() { Sync = BackupSync.None, Filter = filter ?? new FilterOptions() };

    [Fact]
    public void WithAHungTarget_GuestsGoOn_WhileThereIsMemory_AndNoLongerThanTheirLimitAfterwards()
    {
        FilterBench bench = new(bufferCount: 8);
        BackupJob job = bench.Start(Fleecing(new FilterOptions { CbwTimeoutMs = 100 }));
        bench.Loop.FileIo.Holds = bench.IsTargetWrite;
        for (ulong cluster = 0; cluster < 8; cluster++)
        {
            GuestProbe guest = new(bench.Disk, cluster * Cluster, 512);
            bench.Loop.RunFor(10_000);
            Assert.True(guest.IsGranted, $"cluster {cluster}");
            bench.Disk.EndWrite();
        }
        Assert.Equal(0u, bench.Pool.FreeUnitCount);
        JobStatistics statistics = job.QueryStatistics();
        Assert.Equal(8 * Cluster, statistics.Gauges.CaptureBytes);
        Assert.Equal(8 * Cluster, statistics.Gauges.CaptureLimitBytes);
        Assert.Equal(8ul, statistics.GuestWaits.Count);
        Assert.InRange(statistics.GuestWaits.MaxNs, 1ul, 10_000ul);
        GuestProbe last = new(bench.Disk, 9 * Cluster, 512);
        bench.Loop.RunFor(99 * Units.NsPerMs);
        Assert.False(last.IsAnswered);
        bench.Loop.RunFor(2 * Units.NsPerMs);
        Assert.True(last.IsGranted); // the snapshot is given up, not the guest
        bench.Disk.EndWrite();
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.Equal(FaultKind.TimedOut, job.Query().Fault.Kind);
    }

    [Fact]
    public void TheLimitOfOnePointInTime_LeavesTheRestOfThePoolAlone()
    {
        FilterBench bench = new(bufferCount: 8);
        BackupJob job = bench.Start(Fleecing(new FilterOptions { CaptureBytesMax = 2 * Cluster }));
        bench.Loop.FileIo.Holds = bench.IsTargetWrite;
        List<GuestProbe> guests = [];
        for (ulong cluster = 0; cluster < 4; cluster++)
            guests.Add(new GuestProbe(bench.Disk, cluster * Cluster, 512));
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(2 * Cluster, job.Filter.Engine.CaptureBytes);
        Assert.Equal(6u, bench.Pool.FreeUnitCount);
        Assert.Equal(2, guests.FindAll(guest => guest.IsGranted).Count);
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.All(guests, guest => Assert.True(guest.IsGranted));
    }

    [Fact]
    public void TheBackground_LeavesTheReserveToGuests()
    {
        FilterBench bench = new(bufferCount: 8);
        bench.Loop.FileIo.Holds = command => command.Operation == FileOperation.Write;
        bench.Start(new BackupOptions());
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(4u, bench.Pool.FreeUnitCount);
        GuestProbe guest = new(bench.Disk, 15 * Cluster, 512);
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(guest.IsGranted);
    }

    [Fact]
    public void AChunk_IsReleasedPieceByPiece()
    {
        FilterBench bench = new(bufferCount: 16, bufferClusters: 4);
        BackupJob job = bench.Create(new BackupOptions());
        job.Filter.Engine.ReadPieceBytes = Cluster;
        bench.Loop.FileIo.Holds = command => bench.IsSourceRead(command) && command.OffsetBytes == 2 * Cluster;
        job.Start(bench.Loop.Reactor);
        GuestProbe slow = new(bench.Disk, 2 * Cluster, 512);
        GuestProbe quick = new(bench.Disk, 1 * Cluster, 512);
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(quick.IsGranted); // its neighbour in the same chunk has not been read yet
        Assert.False(slow.IsAnswered);
        bench.Disk.EndWrite();
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(slow.IsGranted);
        bench.Disk.EndWrite();
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
        AssertAllOnes(bench.LastTarget);
    }

    [Fact]
    public void AFailedPiece_IsCopiedAgain_AndTheOthersAreNot()
    {
        FilterBench bench = new(bufferCount: 16, bufferClusters: 4);
        BackupJob job = bench.Create(new BackupOptions { OnSourceError = ErrorPolicy.Ignore });
        job.Filter.Engine.ReadPieceBytes = Cluster;
        int failures = 2;
        bench.Loop.FileIo.Override = command =>
            bench.IsSourceRead(command) && command.OffsetBytes == 5 * Cluster && failures-- > 0 ? -Errnos.EIO : null;
        job.Start(bench.Loop.Reactor);
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
        Assert.Equal(bench.CapacityBytes, job.Query().DoneBytes);
        Assert.Equal(bench.CapacityBytes, job.Filter.Engine.Counters.ReadBytes);
        AssertAllOnes(bench.LastTarget);
    }

    [Fact]
    public void AWaitingGuest_MovesItsReadToTheFrontOfTheDevice()
    {
        FilterBench bench = new(bufferCount: 16, inFlightMax: 8, bufferClusters: 4);
        List<ulong> reads = [];
        bench.Loop.FileIo.Holds = command =>
        {
            if (!bench.IsSourceRead(command))
                return false;
            reads.Add(command.OffsetBytes / Cluster);
            return true;
        };
        BackupJob job = bench.Create(new BackupOptions { Filter = new FilterOptions { TaskMax = 2 } });
        job.Filter.Engine.ReadPieceBytes = Cluster;
        job.Start(bench.Loop.Reactor);
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal([0ul, 1ul, 2ul, 3ul], reads); // half of the device is the background's
        GuestProbe guest = new(bench.Disk, 7 * Cluster, 512); // of the second chunk, which is claimed and waits
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(7ul, reads[^1]);
        Assert.Equal(5, reads.Count);
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(guest.IsGranted);
        bench.Disk.EndWrite();
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
    }

    [Fact]
    public void WhatMemoryCannotHold_GoesToScratch_AndFromThereToTheTarget()
    {
        FilterBench bench = new(clusterCount: 64, bufferCount: 8);
        FileDevice device = bench.Loop.OpenFile(64 * Cluster, out _, alignBytes: 512);
        Assert.True(ScratchSpace.TryCreate(device, 64 * Cluster, (uint)Cluster, out ScratchSpace? scratch).IsNone);
        BackupJob job = bench.Start(
            new BackupOptions
            {
                Filter = new FilterOptions { Scratch = scratch, TaskMax = 1 },
            }
        );
        bench.Loop.FileIo.Holds = bench.IsTargetWrite;
        for (ulong cluster = 16; cluster < 56; cluster++)
        {
            GuestProbe guest = new(bench.Disk, cluster * Cluster, 512);
            bench.Loop.RunFor(20_000);
            Assert.True(guest.IsGranted, $"cluster {cluster}");
            bench.Disk.EndWrite();
        }
        Assert.InRange(job.Filter.Engine.ScratchBytes, 30 * Cluster, 40 * Cluster);
        using HierarchicalBitmap left = HierarchicalBitmap.Create(64 * Cluster, Cluster);
        Assert.True(job.TryAddLeft(left));
        Assert.Equal(64ul, left.CountBits()); // nothing is on the target
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
        Assert.Equal(0ul, job.Filter.Engine.ScratchBytes);
        Assert.InRange(job.Filter.Engine.Counters.SpilledBytes, 30 * Cluster, 40 * Cluster);
        AssertAllOnes(bench.LastTarget);
        scratch!.Dispose();
    }

    [Fact]
    public void AFullScratchFile_LosesNothing()
    {
        FilterBench bench = new(clusterCount: 64, bufferCount: 8);
        FileDevice device = bench.Loop.OpenFile(64 * Cluster, out SimulatedDisk image, alignBytes: 512);
        Assert.True(ScratchSpace.TryCreate(device, 64 * Cluster, (uint)Cluster, out ScratchSpace? scratch).IsNone);
        BackupJob job = bench.Start(Fleecing(new FilterOptions { Scratch = scratch, CbwTimeoutMs = 1000 }));
        bench.Loop.FileIo.Holds = bench.IsTargetWrite;
        int writes = 0;
        bench.Loop.FileIo.Override = command =>
            command.Operation == FileOperation.Write && command.File.Fd == image.Handle.Fd && ++writes > 4
                ? -Errnos.ENOSPC
                : null;
        List<GuestProbe> guests = [];
        for (ulong cluster = 0; cluster < 16; cluster++)
        {
            guests.Add(new GuestProbe(bench.Disk, cluster * Cluster, 512));
            bench.Loop.RunFor(20_000);
        }
        Assert.Equal(FaultKind.NoSpace, job.Filter.Engine.ScratchFault.Kind);
        Assert.Equal(12, guests.FindAll(guest => guest.IsGranted).Count); // eight in memory, four in scratch
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(100 * Units.NsPerMs);
        Assert.All(guests, guest => Assert.True(guest.IsGranted));
        Assert.False(job.Filter.IsBroken);
        Assert.Equal(16 * Cluster, job.Query().DoneBytes);
    }

    [Fact]
    public void CancelWithAHungTarget_EndsSoon_AndMemoryComesBackWhenTheTargetAnswers()
    {
        FilterBench bench = new(bufferCount: 8);
        BackupJob job = bench.Start(new BackupOptions());
        bench.Loop.FileIo.Holds = bench.IsTargetWrite;
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(job.Cancel().IsNone);
        bench.Loop.RunFor(100 * Units.NsPerMs);
        Assert.True(job.Query().IsEnded);
        Assert.False(job.Filter.IsAttached);
        Assert.True(job.Query().InFlightBytes > 0);
        FileDevice target = bench.LastTargetDevice;
        OpenRefusal refusal = BackupJob.TryCreate(
            bench.Loop.Reactor,
            bench.Disk,
            target,
            bench.Pool,
            new BackupOptions { Filter = new FilterOptions { ClusterBytes = (uint)Cluster } },
            hasView: false,
            out _
        );
        Assert.Equal(FaultKind.State, refusal.Fault.Kind);
        Assert.Contains("does not answer", refusal.Sentence, System.StringComparison.Ordinal);
        job.Dispose();
        target.DisposeWhenIdle();
        Assert.True(bench.Pool.FreeUnitCount < bench.Pool.UnitCount);
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(bench.Pool.UnitCount, bench.Pool.FreeUnitCount);
        Assert.Equal(0u, target.InFlightCount);
    }

    static void AssertAllOnes(SimulatedDisk image)
    {
        Assert.DoesNotContain((byte)0, image.Content);
    }
}
