// Bugs of captured data and of a job's end that a reading of the code found, each as the shortest story that shows it.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed class CaptureReplayTests
{
    const ulong Cluster = FilterBench.Cluster;

    [Fact]
    public void TheDisksLastCluster_WhichTakesLessMemory_FitsBesideAFullPool()
    {
        // Five units hold two clusters of two units each, and the half cluster at the end of the disk.
        FilterBench bench = new();
        const ulong Capacity = 5 * Cluster;
        Assert.True(BufferPool.TryCreate(2 * (uint)Cluster, (uint)Cluster, 5, out BufferPool? pool).IsNone);
        FileDevice source = bench.Loop.OpenFile(Capacity, out SimulatedDisk image, alignBytes: 512);
        image.Content.AsSpan().Fill(1);
        FileDevice target = bench.Loop.OpenFile(Capacity, out SimulatedDisk copy, alignBytes: 512);
        Disk disk = new(bench.Loop.Reactor, source, "odd", slotCount: 4);
        BackupOptions options = new() { Sync = BackupSync.None };
        options = options with { Filter = new FilterOptions { ClusterBytes = 2 * (uint)Cluster } };
        BackupJob.TryCreate(bench.Loop.Reactor, disk, target, pool!, options, hasView: false, out BackupJob? job);
        job!.Start(bench.Loop.Reactor);
        bench.Loop.FileIo.Holds = command => command.Operation == FileOperation.Write;
        GuestProbe[] guests =
        [
            new(disk, 4 * Cluster, 512), // first: the others' runs of two units are free beside it
            new(disk, 0 * Cluster, 512),
            new(disk, 2 * Cluster, 512),
        ];
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(0u, pool!.FreeUnitCount);
        Assert.All(guests, guest => Assert.True(guest.IsGranted));
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.DoesNotContain((byte)0, copy.Content);
    }

    [Fact]
    public void ACancelWhoseFlushHangs_EndsTheJob_AndForgetsNothing()
    {
        FilterBench bench = new();
        DirtyBitmap bitmap = bench.AddBitmap("b");
        BackupJob job = bench.Start(
            new BackupOptions
            {
                Bitmap = bitmap,
                BitmapMode = BitmapMode.Always,
                SpeedBytesPerSecond = 10 * Cluster,
            }
        );
        bench.Loop.RunUntil(() => job.Query().DoneBytes > 0 && job.Filter.Engine.InFlightCount == 0);
        bench.Loop.FileIo.Holds = command => command.Operation == FileOperation.Flush;
        Assert.True(job.Cancel().IsNone);
        bench.Loop.RunFor(60 * Units.NsPerSecond);
        Assert.True(job.Query().IsEnded);
        Assert.Equal(bench.CapacityBytes, bitmap.Bits.CountBytes());
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerMs);
    }

    [Fact]
    public void WhatIsStillBeingRead_WhenAJobEndsWithoutTheKernel_IsMarkedAgain()
    {
        FilterBench bench = new(clusterCount: 4, bufferCount: 16, bufferClusters: 4);
        BackupJob job = bench.Create(new BackupOptions());
        job.Filter.Engine.ReadPieceBytes = Cluster;
        bench.Loop.FileIo.Holds = command => bench.IsSourceRead(command) && command.OffsetBytes == 2 * Cluster;
        job.Start(bench.Loop.Reactor);
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(0ul, job.Query().DoneBytes);
        Assert.True(job.Cancel().IsNone);
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsEnded);
        Assert.Equal(4ul, job.Todo.CountBits()); // nothing of it has reached the target
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(bench.Pool.UnitCount, bench.Pool.FreeUnitCount);
    }

    [Fact]
    public void ASourceFault_DoesNotOpenATargetThatIsHeld()
    {
        FilterBench bench = new();
        BackupJob job = bench.Start(
            new BackupOptions { OnTargetError = ErrorPolicy.Stop, OnSourceError = ErrorPolicy.Stop }
        );
        bench.Loop.FileIo.Holds = command => bench.IsSourceRead(command) && command.OffsetBytes == 2 * Cluster;
        bench.Loop.FileIo.Override = command =>
            bench.IsTargetWrite(command) ? -Errnos.ENOSPC
            : bench.IsSourceRead(command) && command.OffsetBytes == 2 * Cluster ? -Errnos.EIO
            : null;
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(job.Filter.Engine.IsTargetHeld);
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(JobStatus.Paused, job.Status);
        Assert.True(job.Filter.Engine.IsTargetHeld);
    }

    [Fact]
    public void ManySmallCopies_GoToScratch_BeforeThereIsNoPlaceForAnother()
    {
        const ulong Clusters = 6000;
        FilterBench bench = new(clusterCount: Clusters, bufferCount: 16384);
        FileDevice device = bench.Loop.OpenFile(Clusters * Cluster, out _, alignBytes: 512);
        ulong limitBytes = Clusters * Cluster;
        Assert.True(ScratchSpace.TryCreate(device, limitBytes, (uint)Cluster, out ScratchSpace? scratch).IsNone);
        BackupOptions options = new() { Sync = BackupSync.None };
        BackupJob job = bench.Start(options with { Filter = new FilterOptions { Scratch = scratch } });
        bench.Loop.FileIo.Holds = bench.IsTargetWrite;
        for (ulong cluster = 0; cluster < 5000; cluster++)
        {
            GuestProbe guest = new(bench.Disk, cluster * Cluster, 512);
            bench.Loop.RunUntil(() => guest.IsAnswered);
            Assert.True(guest.IsGranted, $"cluster {cluster}");
            Assert.False(job.Filter.IsBroken, $"cluster {cluster}");
            bench.Disk.EndWrite();
        }
    }

    [Fact]
    public void ReadersOfTheSnapshot_CannotKeepAGuestFromWhatIsCapturedAlready()
    {
        FilterBench bench = new();
        BackupJob job = bench.Create(new BackupOptions { Sync = BackupSync.None }, hasView: true);
        job.Start(bench.Loop.Reactor);
        bench.Loop.FileIo.Holds = command => bench.IsSourceRead(command) && command.LengthBytes == 512;
        ViewProbe first = new(job.View!, 0, 512);
        bench.Loop.RunFor(Units.NsPerMs);
        GuestProbe guest = new(bench.Disk, 0, 512);
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.False(first.IsAnswered);
        Assert.False(guest.IsAnswered); // captured, but the first reader still reads there
        ViewProbe second = new(job.View!, 1024, 512);
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(second.IsAnswered); // from memory or from the target: it holds nobody
        Assert.Equal(1, second.FirstByte);
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(first.IsAnswered);
        Assert.True(guest.IsGranted);
    }

    sealed unsafe class ViewProbe : IBlockOwner
    {
        readonly AlignedRegion _memory = AlignedRegion.Map(Cluster, RegionResidency.Resident);

        public ViewProbe(SnapshotView view, ulong offsetBytes, ulong lengthBytes)
        {
            BlockRequest request = default;
            request.Operation = BlockOperation.Read;
            (request.OffsetBytes, request.LengthBytes) = (offsetBytes, lengthBytes);
            (request.Buffer, request.Owner) = (_memory.Start, this);
            view.Submit(request);
        }

        public bool IsAnswered { get; private set; }

        public byte FirstByte => _memory.Slice(0, 1)[0];

        public void OnBlockCompleted(ulong userData, in BlockResult result)
        {
            Assert.True(result.Fault.IsNone);
            IsAnswered = true;
        }
    }

    [Fact]
    public void ScratchThatCannotBeUsed_IsRefused()
    {
        FilterBench bench = new();
        FileDevice device = bench.Loop.OpenFile(16 * Cluster, out _, alignBytes: 512);
        FileDevice target = bench.Loop.OpenFile(bench.CapacityBytes, out _, alignBytes: 512);
        Assert.Equal(FaultKind.Invalid, Refusal(2 * (uint)Cluster, device).Kind);
        Assert.Equal(FaultKind.Invalid, Refusal((uint)Cluster, target).Kind);
        Assert.Equal(FaultKind.Invalid, Refusal((uint)Cluster, (FileDevice)bench.Disk.Device).Kind);
        FileDevice readOnly = bench.Loop.OpenFile(16 * Cluster, out _, alignBytes: 512, isReadOnly: true);
        Assert.Equal(FaultKind.Unsupported, Refusal((uint)Cluster, readOnly).Kind);
        FileDevice coarse = bench.Loop.OpenFile(16 * Cluster, out _, alignBytes: 2 * (uint)Cluster);
        Assert.Equal(FaultKind.Align, Refusal((uint)Cluster, coarse).Kind);
        BlockRequest late = default; // of an ended job: it would land in this one's data
        (late.Operation, late.Owner) = (BlockOperation.Flush, new IgnoringOwner());
        bench.Loop.FileIo.Holds = command => command.Operation == FileOperation.Flush;
        device.Submit(late);
        Assert.Equal(FaultKind.State, Refusal((uint)Cluster, device).Kind);

        Fault Refusal(uint clusterBytes, FileDevice scratchDevice)
        {
            ulong limitBytes = 16 * Cluster;
            Assert.True(
                ScratchSpace.TryCreate(scratchDevice, limitBytes, clusterBytes, out ScratchSpace? scratch).IsNone
            );
            FilterOptions filter = new() { ClusterBytes = (uint)Cluster, Scratch = scratch };
            OpenRefusal refusal = BackupJob.TryCreate(
                bench.Loop.Reactor,
                bench.Disk,
                target,
                bench.Pool,
                new BackupOptions { Filter = filter },
                hasView: false,
                out _
            );
            scratch!.Dispose();
            return refusal.Fault;
        }
    }

    sealed class IgnoringOwner : IBlockOwner
    {
        public void OnBlockCompleted(ulong userData, in BlockResult result) { }
    }
}
