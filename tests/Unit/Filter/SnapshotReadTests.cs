// Reads of a snapshot: each piece from where its old data is, in the lane of snapshots, and with the fault that there
// was.
using System;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Tests.Simulated;
using FastBackup.Tests.Unit.Copy;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed class SnapshotReadTests
{
    const ulong Cluster = FilterBench.Cluster;

    [Fact]
    public void WhatIsOnTheDiskOnly_IsAskedOfIt_BehindGuests_AndHeldUntilItIsThere()
    {
        FilterBench bench = new();
        SnapshotView view = Fleece(bench, out StandingDevice source, out Disk disk);
        using ReadProbe read = new(view, 3 * Cluster, 2 * Cluster);
        Assert.Equal(BlockOperation.Read, source.Asked.Operation);
        Assert.Equal(IoLane.Snapshot, source.Asked.Lane);
        Assert.Equal((3 * Cluster, 2 * Cluster), (source.Asked.OffsetBytes, source.Asked.LengthBytes));
        GuestProbe guest = new(disk, 4 * Cluster, 512);
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.False(guest.IsGranted);
        source.AnswerAll();
        bench.Loop.RunFor(Units.NsPerMs);
        source.AnswerAll(); // and the copy before the write
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(read.IsThere);
        Assert.True(read.Fault.IsNone);
        Assert.True(guest.IsGranted);
    }

    [Fact]
    public void ADiskThatFails_FailsTheRead()
    {
        FilterBench bench = new();
        SnapshotView view = Fleece(bench, out StandingDevice source, out _);
        using ReadProbe read = new(view, 0, Cluster);
        source.Answer(new Fault(FaultKind.Io, Errnos.EIO));
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(read.IsThere);
        Assert.Equal((FaultKind.Io, Errnos.EIO), (read.Fault.Kind, read.Fault.Errno));
        Assert.Equal(0u, view.InFlightCount);
    }

    [Theory]
    [InlineData(16, 1, FaultKind.Range)]
    [InlineData(15, 2, FaultKind.Range)]
    [InlineData(16, 0, FaultKind.None)]
    public void AReadPastTheEnd_IsRefused(ulong first, ulong count, FaultKind expected)
    {
        FilterBench bench = new();
        BackupJob job = Fleece(bench, new FilterOptions());
        using ReadProbe read = new(job.View!, first * Cluster, count * Cluster);
        bench.Loop.RunUntil(() => read.IsThere);
        Assert.Equal(expected, read.Fault.Kind);
    }

    [Theory]
    [InlineData(BlockOperation.Write)]
    [InlineData(BlockOperation.Flush)]
    public void ASnapshot_IsReadOnly(BlockOperation operation)
    {
        FilterBench bench = new();
        BackupJob job = Fleece(bench, new FilterOptions());
        using ReadProbe write = new(job.View!, 0, Cluster, operation);
        bench.Loop.RunUntil(() => write.IsThere);
        Assert.Equal((FaultKind.Unsupported, Errnos.EROFS), (write.Fault.Kind, write.Fault.Errno));
    }

    [Fact]
    public void OfABrokenSnapshot_NothingIsRead()
    {
        FilterBench bench = new();
        BackupJob job = Fleece(bench, new FilterOptions());
        job.Filter.Break(new Fault(FaultKind.NoSpace, Errnos.ENOSPC));
        using ReadProbe read = new(job.View!, 0, Cluster);
        bench.Loop.RunUntil(() => read.IsThere);
        Assert.Equal((FaultKind.SnapshotLost, Errnos.ENOSPC), (read.Fault.Kind, read.Fault.Errno));
    }

    [Fact]
    public void AReadOverMemoryScratchTargetAndDisk_HasTheOldDataOfEach()
    {
        FilterBench bench = new(clusterCount: 32, bufferCount: 8);
        FileDevice file = bench.Loop.OpenFile(32 * Cluster, out _, alignBytes: 512);
        Assert.True(ScratchSpace.TryCreate(file, ulong.MaxValue, (uint)Cluster, out ScratchSpace? scratch).IsNone);
        BackupJob job = Fleece(bench, new FilterOptions { Scratch = scratch });
        Overwrite(bench, 0, 4); // on the target
        bench.Loop.FileIo.Holds = bench.IsTargetWrite;
        Overwrite(bench, 4, 24); // more than memory holds
        Assert.Equal(CapturedPlace.None, job.Filter.Engine.PlaceOf(0));
        Assert.Contains(CapturedPlace.Scratch, PlacesOf(job));
        Assert.Contains(CapturedPlace.Memory, PlacesOf(job));
        using ReadProbe all = new(job.View!, 0, 32 * Cluster);
        bench.Loop.RunUntil(() => all.IsThere);
        Assert.True(all.IsAllOnes);
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerSecond);
        using ReadProbe later = new(job.View!, 100, 31 * Cluster);
        bench.Loop.RunUntil(() => later.IsThere);
        Assert.True(later.IsAllOnes);
        Assert.Equal(0ul, scratch!.UsedBytes);
    }

    [Fact]
    public void WhatLiesBehindClustersOfTheTarget_IsNotReadThereBeforeItIsThere()
    {
        FilterBench bench = new();
        BackupJob job = Fleece(bench, new FilterOptions());
        Overwrite(bench, 0, 3);
        bench.Loop.FileIo.Holds = bench.IsTargetWrite;
        Overwrite(bench, 3, 1);
        using ReadProbe read = new(job.View!, 0, 4 * Cluster);
        bench.Loop.RunUntil(() => read.IsThere);
        Assert.True(read.IsAllOnes);
    }

    [Fact]
    public void AReadOfMoreMemoryThanATurnCopies_HasItAll()
    {
        const ulong Count = 3 * Units.MiB / Cluster;
        FilterBench bench = new(clusterCount: Count, bufferCount: 2 * (uint)Count);
        BackupJob job = Fleece(bench, new FilterOptions());
        bench.Loop.FileIo.Holds = bench.IsTargetWrite;
        for (ulong cluster = 0; cluster < Count; cluster++)
            Overwrite(bench, cluster, 1);
        using ReadProbe read = new(job.View!, 0, Count * Cluster);
        Assert.False(read.IsThere);
        bench.Loop.RunUntil(() => read.IsThere);
        Assert.True(read.Fault.IsNone);
        Assert.True(read.IsAllOnes);
    }

    static BackupJob Fleece(FilterBench bench, FilterOptions filter)
    {
        BackupJob job = bench.Create(new BackupOptions { Sync = BackupSync.None, Filter = filter }, hasView: true);
        job.Start(bench.Loop.Reactor);
        bench.Loop.RunFor(Units.NsPerMs);
        return job;
    }

    static SnapshotView Fleece(FilterBench bench, out StandingDevice source, out Disk disk)
    {
        source = new StandingDevice(bench.CapacityBytes);
        disk = new Disk(bench.Loop.Reactor, source, "standing", slotCount: 4);
        FileDevice target = bench.Loop.OpenFile(bench.CapacityBytes, out _, alignBytes: 512);
        BackupOptions options = new() { Sync = BackupSync.None };
        options = options with { Filter = new FilterOptions { ClusterBytes = (uint)Cluster } };
        OpenRefusal refusal = BackupJob.TryCreate(
            bench.Loop.Reactor,
            disk,
            target,
            bench.Pool,
            options,
            hasView: true,
            out BackupJob? job
        );
        Assert.True(refusal.IsNone);
        job!.Start(bench.Loop.Reactor);
        bench.Loop.RunFor(Units.NsPerMs);
        return job.View!;
    }

    /// <summary>Guests write twos over the snapshot's ones.</summary>
    static void Overwrite(FilterBench bench, ulong firstCluster, ulong count)
    {
        for (ulong cluster = firstCluster; cluster < firstCluster + count; cluster++)
        {
            GuestProbe guest = new(bench.Disk, cluster * Cluster, Cluster);
            bench.Loop.RunUntil(() => guest.IsGranted);
            byte[] twos = new byte[Cluster];
            twos.AsSpan().Fill(2);
            bench.Source.Write(cluster * Cluster, twos);
            bench.Disk.EndWrite();
        }
        bench.Loop.RunFor(Units.NsPerMs);
    }

    static CapturedPlace[] PlacesOf(BackupJob job)
    {
        CapturedPlace[] places = new CapturedPlace[job.Todo.BitCount];
        for (int cluster = 0; cluster < places.Length; cluster++)
            places[cluster] = job.Filter.Engine.PlaceOf((ulong)cluster);
        return places;
    }

    sealed unsafe class ReadProbe : IBlockOwner, IDisposable
    {
        readonly AlignedRegion _memory;
        readonly int _lengthBytes;

        public ReadProbe(
            SnapshotView view,
            ulong offsetBytes,
            ulong lengthBytes,
            BlockOperation operation = BlockOperation.Read
        )
        {
            _lengthBytes = (int)lengthBytes;
            _memory = AlignedRegion.Map(Math.Max(Cluster, lengthBytes), RegionResidency.Resident);
            BlockRequest request = default;
            request.Operation = operation;
            (request.OffsetBytes, request.LengthBytes) = (offsetBytes, lengthBytes);
            (request.Buffer, request.Owner) = (_memory.Start, this);
            view.Submit(request);
        }

        public bool IsThere { get; private set; }

        public Fault Fault { get; private set; }

        public bool IsAllOnes => !new ReadOnlySpan<byte>((void*)_memory.Start, _lengthBytes).ContainsAnyExcept((byte)1);

        public void OnBlockCompleted(ulong userData, in BlockResult result)
        {
            Assert.False(IsThere);
            (IsThere, Fault) = (true, result.Fault);
        }

        public void Dispose() => _memory.Dispose();
    }
}
