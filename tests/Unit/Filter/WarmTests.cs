// What guests write shortly before a point in time: captured in it without a read, or not at all where its content is
// not known for certain. Clusters of eight blocks of 512 bytes.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed class WarmTests : IDisposable
{
    const ulong Cluster = FilterBench.Cluster;
    const ulong Block = 512;
    const ulong Place = 3 * Cluster + 2 * Block;

    readonly FilterBench _bench = new(bufferCount: 64);
    readonly List<DeviceProbe> _probes = [];
    int _sourceReadCount;

    public void Dispose()
    {
        foreach (DeviceProbe probe in _probes)
            probe.Dispose();
    }

    [Fact]
    public void WhatWasWrittenBefore_IsCapturedAtOnce_AndTheNextWriteWaitsForNoRead()
    {
        BackupJob job = Begin();
        Write(Place, 2 * Block, 7);
        Settle();
        PassT0(job);
        DeviceProbe next = Write(Place, 2 * Block, 9);
        Settle();
        Assert.True(next is { IsAnswered: true, Fault.IsNone: true });
        Assert.Equal(0, _sourceReadCount);
        EndWell(job, (Place, 2 * Block, 7));
    }

    [Fact]
    public void TheLastWriteCounts()
    {
        BackupJob job = Begin();
        Write(Place, Block, 7);
        Settle();
        Write(Place, Block, 8);
        Settle();
        PassT0(job);
        Write(Place, Block, 9);
        Settle();
        Assert.Equal(0, _sourceReadCount);
        EndWell(job, (Place, Block, 8));
    }

    [Fact]
    public void AWriteOfPartsOfBlocks_TakesThemOut()
    {
        BackupJob job = Begin();
        Write(Place, 2 * Block, 7);
        Settle();
        Write(Place + 256, Block, 8);
        Settle();
        PassT0(job);
        AssertNotWarm(Place);
        EndWell(job, (Place, 256, 7), (Place + 256, Block, 8), (Place + 256 + Block, 256, 7));
    }

    [Fact]
    public void AWriteThatFails_LeavesNothingKnown()
    {
        BackupJob job = Begin();
        Write(Place, Block, 7);
        Settle();
        _bench.Loop.FileIo.Override = command => _bench.IsSourceWrite(command) ? -Errnos.EIO : null;
        DeviceProbe failed = Write(Place, Block, 8);
        Settle();
        Assert.True(failed.Fault.IsFault);
        _bench.Loop.FileIo.Override = null;
        PassT0(job);
        AssertNotWarm(Place);
        EndWell(job, (Place, Block, 7));
    }

    [Fact]
    public void TwoWritesAtTheDeviceWithACommonBlock_LeaveNothingKnown()
    {
        BackupJob job = Begin();
        _bench.Loop.FileIo.Holds = _bench.IsSourceWrite;
        Write(Place, 2 * Block, 7);
        Write(Place + Block, 2 * Block, 8);
        Settle();
        _bench.Loop.FileIo.ReleaseHeld();
        Settle();
        PassT0(job);
        byte common = _bench.Source.Content[(int)(Place + Block)];
        AssertNotWarm(Place);
        AssertNotWarm(Place + 2 * Block);
        EndWell(job, (Place, Block, 7), (Place + Block, Block, common), (Place + 2 * Block, Block, 8));
    }

    [Fact]
    public void AWriteUnderWayWhenTheWarmUpBegins_LeavesNothingKnown()
    {
        _bench.Loop.FileIo.Holds = _bench.IsSourceWrite;
        Write(Place, Block, 7);
        Settle();
        BackupJob job = Begin(holds: _bench.IsSourceWrite);
        Write(Place, Block, 8);
        Settle();
        _bench.Loop.FileIo.ReleaseHeld();
        Settle();
        PassT0(job);
        AssertNotWarm(Place);
        byte last = _bench.Source.Content[(int)Place];
        Write(Place, Block, 9);
        EndWell(job, (Place, Block, last));
    }

    [Fact]
    public void ZeroesAndDiscards_TakeOut()
    {
        BackupJob job = Begin();
        Write(Place, 2 * Block, 7);
        Settle();
        _probes.Add(new DeviceProbe(_bench.Disk, BlockOperation.WriteZeroes, Place, Block));
        _probes.Add(new DeviceProbe(_bench.Disk, BlockOperation.WriteZeroes, 0, _bench.CapacityBytes));
        Settle();
        PassT0(job);
        AssertNotWarm(Place + Block);
        EndWell(job, (0, _bench.CapacityBytes, 0));
    }

    [Fact]
    public void AHostsOwnWrite_LeavesNothingKnown()
    {
        BackupJob job = Begin();
        Write(Place, Block, 7);
        Settle();
        GuestProbe host = new(_bench.Disk, Place, Block);
        Assert.Equal(Grant.Granted, host.Grant);
        byte[] bytes = new byte[Block];
        Array.Fill(bytes, (byte)8);
        _bench.Source.Write(Place, bytes);
        _bench.Disk.EndWrite();
        PassT0(job);
        AssertNotWarm(Place);
        EndWell(job, (Place, Block, 8));
    }

    [Fact]
    public void AnIncremental_CapturesOnlyWhatItCopies()
    {
        DirtyBitmap bitmap = _bench.AddBitmap("b");
        Settle();
        BackupJob job = Begin(BackupSync.Incremental, bitmap);
        Write(Place, Block, 7); // dirty from here on
        Settle();
        PassT0(job);
        Write(Place, Block, 9);
        DeviceProbe clean = Write(9 * Cluster, Block, 9);
        Settle();
        Assert.True(clean.IsAnswered);
        Assert.Equal(0, _sourceReadCount);
        _bench.Loop.FileIo.ReleaseHeld();
        _bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
        Assert.Equal(7, _bench.LastTarget.Content[(int)Place]);
        Assert.Equal(Cluster, job.Query().DoneBytes);
    }

    [Fact]
    public void ACancelBeforeT0_GivesAllBack_AndComesSoon()
    {
        BackupJob job = Begin(warmMs: 10_000);
        Write(Place, Block, 7);
        Settle();
        Assert.NotEqual(_bench.Pool.UnitCount, _bench.Pool.FreeUnitCount);
        Assert.True(job.Cancel().IsNone);
        _bench.Loop.RunFor(20 * Units.NsPerMs);
        Assert.True(job.Query().IsEnded);
        Assert.Equal(_bench.Pool.UnitCount, _bench.Pool.FreeUnitCount);
        job.Dispose();
        BackupJob next = Begin(); // nobody is in its way
        Write(Place, Block, 7);
        Settle();
        PassT0(next);
        Write(Place, Block, 9);
        Settle();
        Assert.Equal(0, _sourceReadCount);
        EndWell(next, (Place, Block, 7));
    }

    [Fact]
    public void GuestsThatWriteNothing_AreNotWaitedFor_UnlessSomebodyAsks()
    {
        FilterOptions filter = new() { BlockBytes = (uint)Block };
        BackupJob job = _bench.Create(new BackupOptions { Sync = BackupSync.None, Filter = filter });
        job.Start(_bench.Loop.Reactor);
        Assert.True(job.Filter.IsAttached);
        Assert.True(job.Cancel().IsNone);
        _bench.Loop.RunFor(Units.NsPerMs);
        BackupJob asked = _bench.Create(
            new BackupOptions
            {
                Sync = BackupSync.None,
                WarmMs = 3,
                Filter = filter,
            }
        );
        asked.Start(_bench.Loop.Reactor);
        _bench.Loop.RunFor(2 * Units.NsPerMs);
        Assert.False(asked.Filter.IsAttached);
        _bench.Loop.RunFor(2 * Units.NsPerMs);
        Assert.True(asked.Filter.IsAttached);
    }

    [Fact]
    public void TooLong_IsRefused() =>
        Assert.Contains(
            "warm-up of 10001 ms is above 10000",
            Assert.ThrowsAny<Exception>(() => _bench.Create(new BackupOptions { WarmMs = 10_001 })).Message,
            StringComparison.Ordinal
        );

    /// <summary>A job whose warm-up has begun; its background comes to nothing of what is looked at.</summary>
    BackupJob Begin(
        BackupSync sync = BackupSync.Full,
        DirtyBitmap? bitmap = null,
        Predicate<FileCommand>? holds = null,
        uint warmMs = 20
    )
    {
        BackupOptions options = new()
        {
            Sync = sync,
            Bitmap = bitmap,
            WarmMs = warmMs,
            Filter = new FilterOptions { BlockBytes = (uint)Block },
        };
        BackupJob job = _bench.Create(options);
        _bench.Loop.FileIo.Holds = holds;
        job.Start(_bench.Loop.Reactor);
        Settle();
        Assert.False(job.Filter.IsAttached);
        return job;
    }

    /// <summary>The job's own reads of clusters are held, those for guests are counted and held.</summary>
    void PassT0(BackupJob job)
    {
        _bench.Loop.FileIo.Holds = command =>
        {
            if (!_bench.IsSourceRead(command))
                return false;
            _sourceReadCount += command.LengthBytes < Cluster ? 1 : 0;
            return true;
        };
        _bench.Loop.RunFor(30 * Units.NsPerMs);
        Assert.True(job.Filter.IsAttached);
    }

    void AssertNotWarm(ulong offsetBytes)
    {
        DeviceProbe write = Write(offsetBytes, Block, 9);
        Settle();
        Assert.False(write.IsAnswered); // it waits for a read that is held
    }

    DeviceProbe Write(ulong offsetBytes, ulong lengthBytes, byte content)
    {
        DeviceProbe probe = new(_bench.Disk, BlockOperation.Write, offsetBytes, lengthBytes, content);
        _probes.Add(probe);
        return probe;
    }

    void Settle() => _bench.Loop.RunFor(Units.NsPerMs);

    /// <summary>The image is what these writes had made of the disk, whose every byte was 1.</summary>
    void EndWell(BackupJob job, params (ulong OffsetBytes, ulong LengthBytes, byte Content)[] writes)
    {
        _bench.Loop.FileIo.ReleaseHeld();
        _bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
        byte[] expected = new byte[_bench.CapacityBytes];
        Array.Fill(expected, (byte)1);
        foreach ((ulong offsetBytes, ulong lengthBytes, byte content) in writes)
            expected.AsSpan((int)offsetBytes, (int)lengthBytes).Fill(content);
        Assert.True(expected.AsSpan().SequenceEqual(_bench.LastTarget.Content.AsSpan(0, expected.Length)));
        Assert.Equal(_bench.Pool.UnitCount, _bench.Pool.FreeUnitCount);
    }
}
