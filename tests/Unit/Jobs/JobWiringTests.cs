// That a job has its parts do what they are for, at the moments that are theirs.
using System;
using System.Runtime.CompilerServices;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Ports.Linux;
using FastBackup.Tests.Simulated;
using FastBackup.Tests.Unit.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class JobWiringTests
{
    const ulong Cluster = FilterBench.Cluster;

    [Theory]
    [InlineData(BackupSync.Full)]
    [InlineData(BackupSync.Incremental)]
    [InlineData(BackupSync.None)]
    public void TheTargetIsAnImageInTheMaking_FromThePointInTimeToTheEnd(BackupSync sync)
    {
        using SimulatedLoop loop = new(1);
        using VastDevice source = new(loop.Reactor, 16 * Cluster);
        using VastDevice target = new(loop.Reactor, 16 * Cluster);
        using Disk disk = new(loop.Reactor, source, "disk", slotCount: 4);
        Assert.True(DirtyBitmap.TryCreate("daily", 16 * Cluster, Cluster, out DirtyBitmap? bitmap).IsNone);
        Disk.Quiesce(loop.Reactor, [disk], () => disk.Add(bitmap!));
        Assert.True(BufferPool.TryCreate((uint)Cluster, 4, out BufferPool? pool).IsNone);
        BackupOptions options = new()
        {
            Sync = sync,
            Bitmap = sync == BackupSync.Incremental ? bitmap : null,
            Filter = new FilterOptions { ClusterBytes = (uint)Cluster },
        };
        Assert.True(BackupJob.TryCreate(loop.Reactor, disk, target, pool!, options, false, out BackupJob? job).IsNone);
        ulong serial = bitmap!.Serial;
        Assert.Empty(target.ImageSerials);
        job!.Start(loop.Reactor);
        ulong expected = sync switch
        {
            BackupSync.Full => 0,
            BackupSync.None => UnfinishedMark.NeverWhole, // only what guests overwrite
            _ => serial,
        };
        Assert.Equal([expected], target.ImageSerials);
        Assert.Equal(0, target.EndedImageCount);
        if (sync == BackupSync.None)
            Assert.True(job.Cancel().IsNone);
        loop.RunUntil(() => job.Query().IsEnded);
        Assert.Equal((1, 1), (target.ImageSerials.Count, target.EndedImageCount));
        job.Dispose();
        pool!.Dispose();
    }

    [Fact]
    public void TheView_IsOpenFromThePointInTime()
    {
        FilterBench bench = new();
        BackupJob job = bench.Create(new BackupOptions { Sync = BackupSync.None }, hasView: true);
        Assert.False(job.View!.IsOpen);
        job.Start(bench.Loop.Reactor);
        Assert.True(job.View.IsOpen);
    }

    [Fact]
    public void WhatGuestsCapture_GoesOutBetweenTheirRequests()
    {
        FilterBench bench = new();
        bench.Start(new BackupOptions { Sync = BackupSync.None });
        GuestProbe guest = new(bench.Disk, 0, 512);
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal((true, 0), (guest.IsGranted, bench.LastTarget.Content[0]));
        bench.Disk.EndWrite();
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.Equal(1, bench.LastTarget.Content[0]);
    }

    /// <summary>Nothing else would set the timer: no other chunk has room to start.</summary>
    [Fact]
    public void ATimerThatComesBeforeTheBackOffIsOver_DoesNotForgetWhatIsParked()
    {
        FilterBench bench = new(bufferCount: 4);
        BackupJob job = bench.Start(new BackupOptions { OnTargetError = ErrorPolicy.Ignore });
        bool isBroken = true;
        bench.Loop.FileIo.Override = command => isBroken && bench.IsTargetWrite(command) ? -Errnos.EIO : null;
        bench.Loop.FileIo.Holds = command => bench.IsTargetWrite(command) && command.OffsetBytes != 0;
        bench.Loop.RunFor(5 * Units.NsPerMs); // the first back-off is 10 ms long
        Assert.Equal(1u, job.Filter.Engine.ParkedCount);
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerMs); // and the second 20 ms
        Assert.Equal(2u, job.Filter.Engine.ParkedCount);
        isBroken = false;
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
    }

    [Fact]
    public void WhenAJobHasEnded_ItsDiskIsIdle_WhateverTheKernelStillHolds()
    {
        FilterBench bench = new();
        BackupJob job = bench.Start(new BackupOptions());
        bench.Loop.FileIo.Holds = bench.IsTargetWrite;
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(bench.Disk.Pulse.IsLoaded);
        Assert.True(job.Cancel().IsNone);
        bench.Loop.RunFor(100 * Units.NsPerMs);
        Assert.Equal((true, true), (job.Query().IsEnded, job.Query().InFlightBytes > 0));
        Assert.False(bench.Disk.Pulse.IsLoaded);
    }

    [Fact]
    public void AJobThatIsGone_IsKeptByNobody()
    {
        FilterBench bench = new();
        WeakReference job = RunAndDispose(bench);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        Assert.False(job.IsAlive);
        GC.KeepAlive(bench);
    }

    [MethodImpl(MethodImplOptions.NoInlining)] // nothing of it is left on the stack
    static WeakReference RunAndDispose(FilterBench bench)
    {
        BackupJob job = bench.Start(new BackupOptions());
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
        job.Dispose();
        return new WeakReference(job);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WhatIsCopiedFromAView_IsGivenBackThere_WhereAskedFor(bool discards)
    {
        FilterBench bench = new();
        BackupJob fleecing = bench.Create(new BackupOptions { Sync = BackupSync.None }, hasView: true);
        fleecing.Start(bench.Loop.Reactor);
        Disk view = new(bench.Loop.Reactor, fleecing.View!, "view", slotCount: 4);
        BackupJob job = bench.Start(new BackupOptions { DiscardSource = discards }, view);
        bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
        Assert.Equal(discards ? 0ul : 16ul, fleecing.Todo.CountBits());
    }
}
