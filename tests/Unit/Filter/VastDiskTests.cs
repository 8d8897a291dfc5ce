// Disks and scratch spaces of many tebibytes: guests are never held for work in proportion to a size.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Copy;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Pacing;
using FastBackup.Tests.Simulated;
using FastBackup.Tests.Unit.Memory;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

[Trait("System", "None")] // devices of a model
public sealed class VastDiskTests : IDisposable
{
    const uint Cluster = 65_536;

    readonly SimulatedLoop _loop = new(1);
    readonly BufferPool _pool;

    public VastDiskTests()
    {
        Assert.True(BufferPool.TryCreate(Cluster, 512, out BufferPool? pool).IsNone);
        _pool = pool!;
    }

    public void Dispose() => _pool.Dispose();

    [Fact]
    public void SnapshotDiscard_OfEverything_LetsGuestsInBetween()
    {
        const ulong sizeBytes = Units.TiB;
        BackupJob job = Start(sizeBytes, new BackupOptions { Sync = BackupSync.None }, out Disk disk, out _);
        DiscardEnd end = new();
        BlockRequest request = default;
        (request.Operation, request.LengthBytes, request.Owner) = (BlockOperation.Discard, sizeBytes, end);
        job.View!.Submit(request);
        int turns = 0;
        for (; !end.IsThere; turns++)
        {
            // What is not given up yet is copied before the write, which waits for two I/Os only.
            GuestProbe guest = new(disk, sizeBytes - Cluster, 512);
            _loop.Reactor.Turn(0);
            for (int turn = 1; turn < 8 && !guest.IsGranted; turn++)
                _loop.Reactor.Turn(0);
            Assert.True(guest.IsGranted);
            disk.EndWrite();
        }
        Assert.InRange(turns, 8, 10_000);
        Assert.Equal(0ul, job.Todo.CountBits());
        Assert.True(job.Cancel().IsNone);
        _loop.RunUntil(() => job.Query().IsEnded);
        job.Dispose();
        disk.Dispose();
    }

    /// <summary>Of a long run so many clusters as a turn can clear in 0.1 ms, of single ones so many runs.</summary>
    [Theory]
    [InlineData(Units.TiB, 1, 1 << 18)]
    [InlineData(Units.GiB, 2, 1024)]
    public void SnapshotDiscard_OfSmallClusters_DoesALittleEachTurn(ulong sizeBytes, int step, int turnMax)
    {
        BackupOptions options = SmallClusters(BackupSync.None);
        BackupJob job = Start(sizeBytes, options, out Disk disk, out _);
        if (step > 1)
            for (ulong cluster = 0; cluster < job.Todo.BitCount; cluster += (ulong)step)
                job.Todo.ClearBits(cluster, 1);
        DiscardEnd end = new();
        BlockRequest request = default;
        (request.Operation, request.LengthBytes, request.Owner) = (BlockOperation.Discard, sizeBytes, end);
        job.View!.Submit(request);
        for (ulong left = job.Todo.CountBits(); !end.IsThere; left = job.Todo.CountBits())
        {
            _loop.Reactor.Turn(0);
            Assert.InRange(left - job.Todo.CountBits(), 0ul, (ulong)turnMax);
        }
        Assert.Equal(0ul, job.Todo.CountBits());
        Assert.True(job.Cancel().IsNone);
        _loop.RunUntil(() => job.Query().IsEnded);
        job.Dispose();
        disk.Dispose();
    }

    [Trait("System", "Linux")] // getrusage(2), mincore(2)
    [Fact]
    public void ScratchOfAnySize_TakesMemoryOnlyAsItIsUsed()
    {
        using VastDevice device = new(_loop.Reactor, 1UL << 44);
        long before = Residency.MinorFaultCount();
        Assert.True(ScratchSpace.TryCreate(device, ulong.MaxValue, Cluster, out ScratchSpace? scratch).IsNone);
        FilterOptions filter = new() { ClusterBytes = Cluster, Scratch = scratch };
        BackupJob job = Start(Units.GiB, new BackupOptions { Filter = filter }, out Disk disk, out _);
        long faults = Residency.MinorFaultCount() - before;
        Assert.InRange(faults, 0, 4096); // 16 MiB; the tables would have 5 GiB
        _loop.RunUntil(() => job.Query().IsEnded);
        Assert.True(job.Query().IsSuccess);
        job.Dispose();
        scratch!.Dispose();
        disk.Dispose();
    }

    [Fact]
    public void CancelWithMuchInMemory_GivesItUpInPieces()
    {
        FilterOptions filter = new() { ClusterBytes = Cluster, BlockBytes = 0 };
        BackupOptions options = new() { Sync = BackupSync.None, Filter = filter };
        BackupJob job = Start(Units.GiB, options, out Disk disk, out VastDevice target);
        target.IsHeld = true;
        for (ulong cluster = 0; cluster < 500; cluster++)
        {
            GuestProbe guest = new(disk, cluster * Cluster, 512);
            _loop.RunFor(Units.NsPerUs);
            Assert.True(guest.IsGranted);
            disk.EndWrite();
        }
        Assert.True(job.Cancel().IsNone);
        uint left = job.Filter.Engine.CapturedCount;
        Assert.InRange(left, 257u, 500u);
        for (; left > 0; left = job.Filter.Engine.CapturedCount)
        {
            _loop.Reactor.Turn(0);
            Assert.InRange(left - job.Filter.Engine.CapturedCount, 0u, 256u);
        }
        _loop.RunUntil(() => job.Query().IsEnded);
        target.IsHeld = false;
        target.Run(0);
        job.Dispose();
        disk.Dispose();
    }

    [Trait("System", "Linux")] // getrusage(2), mincore(2)
    [Theory]
    [InlineData(BackupSync.Full)]
    [InlineData(BackupSync.None)]
    public void JobWithMemoryTakenBefore_TouchesNothingInProportionToTheDisk(BackupSync sync)
    {
        BackupOptions options = SmallClusters(sync);
        using Disk disk = new(_loop.Reactor, new VastDevice(_loop.Reactor, Units.TiB), "disk", 16);
        VastDevice target = new(_loop.Reactor, Units.TiB);
        Assert.True(BackupMemory.TryTake(Units.TiB, options, true, out BackupMemory? memory).IsNone);
        long before = Residency.MinorFaultCount();
        OpenRefusal refusal = Create(disk, target, options, memory, out BackupJob? job);
        Assert.True(refusal.IsNone);
        Assert.Same(memory!.Map.Todo, job!.Todo);
        ulong marked = job.Todo.CountBits(); // nothing is left to be marked at the point in time
        job.Start(_loop.Reactor);
        _loop.RunUntil(() => job.View!.IsOpen);
        long faults = Residency.MinorFaultCount() - before;
        Assert.InRange(faults, 0, 2048); // the maps have 25,000 pages
        Assert.Equal(Units.TiB / 4096, marked);
        Assert.True(job.Cancel().IsNone);
        _loop.RunUntil(() => job.Query().IsEnded);
        job.Dispose();
        memory.Dispose(); // the job had it
    }

    [Theory]
    [InlineData(4096)]
    [InlineData(65_536)]
    [InlineData(2048)]
    public void PointInTimeOfABitmap_MarksNothing_AndTurnsAfterItALittle(uint granularityBytes)
    {
        using Disk disk = new(_loop.Reactor, new VastDevice(_loop.Reactor, Units.TiB), "disk", 16);
        DirtyBitmap bitmap = DirtyBitmapOfAll(disk, granularityBytes);
        BackupOptions options = SmallClusters(BackupSync.Bitmap) with
        {
            Bitmap = bitmap,
            BitmapMode = BitmapMode.Always,
        };
        VastDevice target = new(_loop.Reactor, Units.TiB);
        Assert.True(Create(disk, target, options, ready: null, out BackupJob? job).IsNone);
        job!.Start(_loop.Reactor);
        Assert.True(job.View!.IsOpen);
        Assert.Equal(0ul, job.Todo.CountBits());
        Assert.Equal(Units.TiB, job.Query().TotalBytes);
        ulong offset = Units.TiB - 4096;
        int turns = 0;
        for (ulong before = 0; !job.Filter.Map.IsWhole; turns++)
        {
            // Whatever was taken over: a write waits for the copy of its cluster only.
            GuestProbe guest = new(disk, offset, 512);
            Assert.Equal(Grant.Pending, guest.Grant);
            for (int turn = 0; turn < 8 && !guest.IsGranted; turn++)
                _loop.Reactor.Turn(0);
            Assert.True(guest.IsGranted);
            disk.EndWrite();
            Assert.InRange(job.Todo.CountBits() - before, 0ul, 9 * 1024 * 512ul);
            (before, offset) = (job.Todo.CountBits(), offset - (3ul << 30));
        }
        Assert.InRange(turns, 50, 900);
        Assert.True(job.Cancel().IsNone);
        _loop.RunUntil(() => job.Query().IsEnded);
        job.Dispose();
        Disk.Quiesce(_loop.Reactor, [disk], () => disk.Remove(bitmap));
        bitmap.Dispose();
    }

    [Fact]
    public void CancelBeforeABitmapIsTakenOver_ForgetsNothingOfIt()
    {
        using Disk disk = new(_loop.Reactor, new VastDevice(_loop.Reactor, Units.TiB), "disk", 16);
        DirtyBitmap bitmap = DirtyBitmapOfAll(disk, 4096);
        BackupOptions options = SmallClusters(BackupSync.Bitmap) with
        {
            Bitmap = bitmap,
            BitmapMode = BitmapMode.Always,
        };
        VastDevice target = new(_loop.Reactor, Units.TiB);
        Assert.True(Create(disk, target, options, ready: null, out BackupJob? job).IsNone);
        job!.Start(_loop.Reactor);
        _loop.Reactor.Turn(0);
        Assert.True(job.Cancel().IsNone);
        Assert.Equal(Grant.Granted, new GuestProbe(disk, 0, 512).Grant); // and no guest waits for it
        disk.EndWrite();
        _loop.RunUntil(() => job.Query().IsEnded);
        Assert.False(bitmap.IsBusy);
        Assert.Equal(Units.TiB / 4096, bitmap.Bits.CountBits());
        job.Dispose();
        Disk.Quiesce(_loop.Reactor, [disk], () => disk.Remove(bitmap));
        bitmap.Dispose();
    }

    DirtyBitmap DirtyBitmapOfAll(Disk disk, uint granularityBytes)
    {
        Assert.True(DirtyBitmap.TryCreate("b", Units.TiB, granularityBytes, out DirtyBitmap? bitmap).IsNone);
        bitmap!.Bits.SetAll();
        Disk.Quiesce(_loop.Reactor, [disk], () => disk.Add(bitmap));
        return bitmap;
    }

    [Fact]
    public void MemoryOfAnotherSize_IsLeftToItsOwner()
    {
        BackupOptions options = SmallClusters(BackupSync.None);
        using Disk disk = new(_loop.Reactor, new VastDevice(_loop.Reactor, 2 * Units.GiB), "disk", 16);
        VastDevice target = new(_loop.Reactor, 2 * Units.GiB);
        Assert.True(BackupMemory.TryTake(Units.GiB, options, true, out BackupMemory? memory).IsNone);
        Assert.True(Create(disk, target, options, memory, out BackupJob? job).IsNone);
        memory!.Dispose();
        Assert.Equal(2 * Units.GiB, job!.Todo.SizeBytes);
        Assert.Equal(2 * Units.GiB / 4096, job.Todo.CountBits());
        job.Dispose();
    }

    [Fact]
    public void MemoryOfARefusedJob_ServesTheNext()
    {
        BackupOptions options = SmallClusters(BackupSync.None);
        using Disk disk = new(_loop.Reactor, new VastDevice(_loop.Reactor, Units.GiB), "disk", 16);
        Assert.True(BackupMemory.TryTake(Units.GiB, options, true, out BackupMemory? memory).IsNone);
        VastDevice small = new(_loop.Reactor, Units.MiB);
        Assert.Equal(FaultKind.NoSpace, Create(disk, small, options, memory, out _).Fault.Kind);
        VastDevice target = new(_loop.Reactor, Units.GiB);
        Assert.True(Create(disk, target, options, memory, out BackupJob? job).IsNone);
        job!.Leave();
        job.FreeMemory();
        memory!.Dispose();
    }

    [Theory]
    [InlineData(BlockOperation.Read)]
    [InlineData(BlockOperation.Map)]
    [InlineData(BlockOperation.Discard)]
    public void SnapshotBeforeItsPointInTime_RefusesAndGivesUpNothing(BlockOperation operation)
    {
        BackupOptions options = SmallClusters(BackupSync.None);
        using Disk disk = new(_loop.Reactor, new VastDevice(_loop.Reactor, Units.GiB), "disk", 16);
        VastDevice target = new(_loop.Reactor, Units.GiB);
        Assert.True(Create(disk, target, options, ready: null, out BackupJob? job).IsNone);
        DiscardEnd end = new() { Expected = FaultKind.State };
        BlockRequest request = default;
        (request.Operation, request.LengthBytes, request.Owner) = (operation, Units.GiB, end);
        job!.View!.Submit(request);
        _loop.RunUntil(() => end.IsThere);
        Assert.Equal(Units.GiB / 4096, job.Todo.CountBits());
        job.Dispose();
    }

    static BackupOptions SmallClusters(BackupSync sync) =>
        new()
        {
            Sync = sync,
            GuestPriority = GuestPriority.Off,
            Filter = new FilterOptions { ClusterBytes = 4096 },
        };

    OpenRefusal Create(Disk disk, VastDevice target, BackupOptions options, BackupMemory? ready, out BackupJob? job) =>
        BackupJob.TryCreate(_loop.Reactor, disk, target, _pool, options, hasView: true, ready, out job);

    BackupJob Start(ulong sizeBytes, BackupOptions options, out Disk disk, out VastDevice target)
    {
        disk = new Disk(_loop.Reactor, new VastDevice(_loop.Reactor, sizeBytes), "disk", 16);
        target = new VastDevice(_loop.Reactor, sizeBytes);
        options = options with { GuestPriority = GuestPriority.Off };
        bool hasView = options.Sync == BackupSync.None;
        BackupJob.TryCreate(_loop.Reactor, disk, target, _pool, options, hasView, out BackupJob? job);
        job!.Start(_loop.Reactor);
        return job;
    }

    sealed class DiscardEnd : IBlockOwner
    {
        public bool IsThere { get; private set; }

        public FaultKind Expected { get; init; }

        public void OnBlockCompleted(ulong userData, in BlockResult result)
        {
            Assert.Equal(Expected, result.Fault.Kind);
            IsThere = true;
        }
    }
}
