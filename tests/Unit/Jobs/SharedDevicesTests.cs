// Jobs that share what they use: one target after another, one pool between two, small tables, odd maps.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class SharedDevicesTests
{
    const ulong Capacity = 1 << 20;

    [Fact]
    public void ASecondJobToTheSameTarget_WritesTheZeroesThatCameMeanwhile()
    {
        using SimulatedLoop loop = new(1);
        using FileDevice source = OpenFilled(loop, out SimulatedDisk content);
        using FileDevice target = loop.OpenFile(Capacity, out SimulatedDisk copy, 512, isZeroInitialised: true);
        using BufferPool pool = Pool(8);
        using Disk disk = new(loop.Reactor, source, "disk");
        for (int round = 0; round < 2; round++)
        {
            using BackupJob job = Create(loop, disk, target, pool);
            job.Start(loop.Reactor);
            loop.RunUntil(() => job.Query().IsEnded);
            Assert.True(job.Query().IsSuccess);
            Assert.True(content.Content.AsSpan().SequenceEqual(copy.Content), "round " + round);
            content.Write(100_000, new byte[300_000]);
        }
    }

    [Theory]
    [InlineData(2u, 0ul)]
    [InlineData(3u, 0ul)]
    [InlineData(16u, 200_000ul)]
    public void TwoJobsOnOnePool_BothEnd(uint bufferCount, ulong firstSpeed)
    {
        using SimulatedLoop loop = new(1);
        using BufferPool pool = Pool(bufferCount);
        using FileDevice sourceA = OpenFilled(loop, out _);
        using FileDevice sourceB = OpenFilled(loop, out _);
        using FileDevice targetA = loop.OpenFile(Capacity, out _, 512);
        using FileDevice targetB = loop.OpenFile(Capacity, out _, 512);
        using Disk diskA = new(loop.Reactor, sourceA, "a");
        using Disk diskB = new(loop.Reactor, sourceB, "b");
        using BackupJob jobA = Create(loop, diskA, targetA, pool, firstSpeed);
        using BackupJob jobB = Create(loop, diskB, targetB, pool);
        jobA.Start(loop.Reactor);
        jobB.Start(loop.Reactor);
        loop.RunUntil(() => jobA.Query().IsEnded && jobB.Query().IsEnded);
        Assert.True(jobA.Query().IsSuccess);
        Assert.True(jobB.Query().IsSuccess);
    }

    [Fact]
    public void MoreRequestsThanADeviceTakesAtOnce_WaitInsideIt()
    {
        using SimulatedLoop loop = new(1);
        using BufferPool pool = Pool(16);
        using FileDevice source = OpenFilled(loop, out SimulatedDisk content);
        SimulatedDisk copy = loop.FileIo.Add(9, Capacity);
        BlockLimits limits = new()
        {
            CapacityBytes = Capacity,
            RequestAlignBytes = 1,
            BufferAlignBytes = 1,
            InFlightMax = 1,
        };
        using FileDevice target = new(loop.Reactor, "narrow", limits, copy.Handle, copy.BufferedHandle, false, null);
        using Disk disk = new(loop.Reactor, source, "disk");
        using BackupJob job = Create(loop, disk, target, pool);
        job.Start(loop.Reactor);
        loop.RunUntil(() => job.Query().IsEnded);
        Assert.True(job.Query().IsSuccess);
        Assert.True(content.Content.AsSpan().SequenceEqual(copy.Content));
    }

    [Theory]
    [InlineData(BackupSync.Full)]
    [InlineData(BackupSync.Top)]
    public void AMapWithAdjacentHoles_EndsTheJob(BackupSync sync)
    {
        using SimulatedLoop loop = new(1);
        using BufferPool pool = Pool(4);
        using FileDevice source = loop.OpenFile(Capacity, out SimulatedDisk content, 512);
        using FileDevice target = loop.OpenFile(Capacity, out SimulatedDisk copy, 512);
        copy.Content.AsSpan().Fill(7);
        loop.FileIo.Override = command => command.Operation == FileOperation.Map ? SplitHole(command) : null;
        using Disk disk = new(loop.Reactor, source, "disk");
        using BackupJob job = Create(loop, disk, target, pool, sync: sync);
        job.Start(loop.Reactor);
        loop.RunUntil(() => job.Query().IsEnded, turnsMax: 100_000);
        Assert.True(job.Query().IsSuccess);
        if (sync == BackupSync.Full)
            Assert.True(content.Content.AsSpan().SequenceEqual(copy.Content));
    }

    [Theory]
    [InlineData(Capacity - 1, false, false)]
    [InlineData(Capacity - 1, true, false)]
    [InlineData(Capacity, false, true)]
    [InlineData(Capacity + 1, false, false)]
    [InlineData(Capacity + 1, true, true)]
    public void ATargetOfAnotherSize_IsRefused_UnlessALargerOneIsAllowed(
        ulong targetBytes,
        bool mayBeLarger,
        bool isTaken
    )
    {
        using SimulatedLoop loop = new(1);
        using BufferPool pool = Pool(4);
        using FileDevice source = OpenFilled(loop, out _);
        using FileDevice target = loop.OpenFile(targetBytes, out _, 512);
        using Disk disk = new(loop.Reactor, source, "disk");
        BackupOptions options = new() { MayTargetBeLarger = mayBeLarger };
        OpenRefusal refusal = BackupJob.TryCreate(loop.Reactor, disk, target, pool, options, false, out BackupJob? job);
        Assert.Equal(isTaken, refusal.IsNone);
        Assert.Equal(isTaken, job != null);
        if (!isTaken)
            Assert.Contains($"has {targetBytes} bytes", refusal.Sentence, StringComparison.Ordinal);
        Assert.Empty(loop.FileIo.Counts);
        job?.Dispose();
    }

    [Fact]
    public void ASparseSourceThatShrinks_FailsTheJob()
    {
        using SimulatedLoop loop = new(1);
        using BufferPool pool = Pool(4);
        using FileDevice source = loop.OpenFile(Capacity, out SimulatedDisk content, 512);
        content.Write(0, new byte[200_000]);
        content.SizeBytes = 262_144;
        using FileDevice target = loop.OpenFile(Capacity, out _, 512);
        using Disk disk = new(loop.Reactor, source, "disk");
        using BackupJob job = Create(loop, disk, target, pool);
        job.Start(loop.Reactor);
        loop.RunUntil(() => job.Query().IsEnded);
        Assert.Equal(FaultKind.Truncated, job.Query().Fault.Kind);
    }

    [Fact]
    public void APauseBeforeTheStart_HoldsTheJob()
    {
        using SimulatedLoop loop = new(1);
        using BufferPool pool = Pool(4);
        using FileDevice source = OpenFilled(loop, out _);
        using FileDevice target = loop.OpenFile(Capacity, out _, 512);
        using Disk disk = new(loop.Reactor, source, "disk");
        using BackupJob job = Create(loop, disk, target, pool);
        Assert.True(job.Pause().IsNone);
        job.Start(loop.Reactor);
        Assert.Equal(JobStatus.Paused, job.Query().Status);
        loop.RunFor(Units.NsPerSecond);
        Assert.Equal(0ul, job.Query().DoneBytes + job.Query().InFlightBytes);
        Assert.True(job.Resume().IsNone);
        loop.RunUntil(() => job.Query().IsEnded);
        Assert.True(job.Query().IsSuccess);
    }

    /// <summary>Two holes that meet inside a cluster: the cluster lies wholly in neither.</summary>
    static unsafe long SplitHole(in FileCommand command)
    {
        const ulong middle = 100_000;
        // SAFETY: the pusher owns room for Mode entries at Buffer, 1024 here.
        Span<MapEntry> entries = new((void*)command.Buffer, 2);
        entries[0] = new MapEntry { LengthBytes = middle, Kind = ExtentKind.Hole };
        entries[1] = new MapEntry
        {
            OffsetBytes = middle,
            LengthBytes = Capacity - middle,
            Kind = ExtentKind.Hole,
        };
        return 2;
    }

    static FileDevice OpenFilled(SimulatedLoop loop, out SimulatedDisk disk)
    {
        FileDevice device = loop.OpenFile(Capacity, out disk, 512, isReadOnly: true);
        byte[] bytes = new byte[Capacity];
        new Prng(1).Fill(bytes);
        disk.Write(0, bytes);
        return device;
    }

    static BufferPool Pool(uint bufferCount)
    {
        Assert.True(BufferPool.TryCreate(65_536, bufferCount, out BufferPool? pool).IsNone);
        return pool!;
    }

    static BackupJob Create(
        SimulatedLoop loop,
        Disk disk,
        FileDevice target,
        BufferPool pool,
        ulong speed = 0,
        BackupSync sync = BackupSync.Full
    )
    {
        BackupOptions options = new() { SpeedBytesPerSecond = speed, Sync = sync };
        OpenRefusal refusal = BackupJob.TryCreate(
            loop.Reactor,
            disk,
            target,
            pool,
            options,
            hasView: false,
            out BackupJob? job
        );
        Assert.True(refusal.IsNone, refusal.Sentence);
        return job!;
    }
}
