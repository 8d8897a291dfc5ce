// Writes that are answered before they land: what their guest may rely on, and what they must not do.
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

public sealed class AbsorptionTests : IDisposable
{
    const ulong Cluster = FilterBench.Cluster;

    readonly FilterBench _bench = new(absorbBytes: 4 * 4096);
    readonly List<DeviceProbe> _probes = [];

    public void Dispose()
    {
        foreach (DeviceProbe probe in _probes)
            probe.Dispose();
    }

    [Fact]
    public void AWriteThatWaitsForItsOldData_IsAnswered_AndReadsSeeIt()
    {
        BackupJob job = StartWithHeldReads();
        DeviceProbe write = Write(3 * Cluster, 512, 9);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(write is { IsAnswered: true, Fault.IsNone: true });
        write.Bytes.Fill(77); // the guest uses its memory again
        Assert.Equal(1, _bench.Source.Content[3 * (int)Cluster]);
        DeviceProbe read = Read(3 * Cluster, 512);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(read.IsAnswered);
        Assert.False(read.Bytes[..512].ContainsAnyExcept((byte)9));
        EndWell(job);
        Assert.Equal(9, _bench.Source.Content[3 * (int)Cluster]);
        AssertAllOnes();
    }

    [Fact]
    public void ARead_OfMoreThanOneWriteHas_WaitsForIt()
    {
        BackupJob job = StartWithHeldReads();
        Write(3 * Cluster, 512, 9);
        DeviceProbe read = Read(3 * Cluster, 1024);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.False(read.IsAnswered);
        ReleaseAll();
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(read.IsAnswered);
        Assert.False(read.Bytes[..512].ContainsAnyExcept((byte)9));
        Assert.False(read.Bytes[512..1024].ContainsAnyExcept((byte)1));
        EndWell(job);
    }

    [Fact]
    public void OfTwoWritesToOnePlace_TheSecondLandsLast()
    {
        BackupJob job = StartWithHeldReads();
        DeviceProbe first = Write(3 * Cluster, 512, 8);
        DeviceProbe second = Write(3 * Cluster, 512, 9);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(first.IsAnswered && second.IsAnswered);
        DeviceProbe read = Read(3 * Cluster, 512);
        int sourceWrites = 0;
        _bench.Loop.FileIo.ReleaseHeld();
        _bench.Loop.FileIo.Holds = command => _bench.IsSourceWrite(command) && ++sourceWrites > 0;
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(9, read.Bytes[0]);
        Assert.Equal(1, sourceWrites); // the other one waits for its end
        EndWell(job);
        Assert.Equal(9, _bench.Source.Content[3 * (int)Cluster]);
    }

    [Fact]
    public void AFlush_AndAWriteThatIsToBeDurable_WaitForAllBeforeThem()
    {
        BackupJob job = StartWithHeldReads();
        Write(3 * Cluster, 512, 9);
        DeviceProbe flush = Request(BlockOperation.Flush, 0, 0);
        DeviceProbe durable = Request(BlockOperation.Write, 8 * Cluster, 512, 5, BlockFlags.Fua);
        bool mayBeFlushed = false;
        _bench.Loop.FileIo.Override = command =>
        {
            Assert.True(
                command.Operation != FileOperation.Flush || command.File.Fd != _bench.Source.Handle.Fd || mayBeFlushed
            );
            mayBeFlushed |= _bench.IsSourceWrite(command);
            return null;
        };
        _bench.Loop.RunFor(5 * Units.NsPerMs);
        Assert.False(flush.IsAnswered);
        Assert.False(durable.IsAnswered);
        EndWell(job);
        Assert.True(flush is { IsAnswered: true, Fault.IsNone: true });
        Assert.True(durable is { IsAnswered: true, Fault.IsNone: true });
    }

    [Fact]
    public void APointInTime_ComesAfterIt_AndItLandsWhileTheGateIsClosed()
    {
        BackupJob first = StartWithHeldReads();
        DirtyBitmap bitmap = _bench.AddBitmap("since");
        Write(3 * Cluster, 512, 9);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(bitmap.Recording!.GetBit(3)); // its guest knows that it has written
        BackupJob second = _bench.Start(new BackupOptions());
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(_bench.Disk.IsGateClosed);
        Assert.Equal(1, _bench.Disk.WritesInFlight);
        ReleaseAll();
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.False(_bench.Disk.IsGateClosed);
        _bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(first.Query().IsSuccess && second.Query().IsSuccess);
        Assert.Equal(9, _bench.LastTarget.Content[3 * (int)Cluster]);
    }

    [Fact]
    public void AWriteThatTheDeviceFails_IsSaidByEveryFlush_AndNothingIsAnsweredEarlyAnyMore()
    {
        BackupJob job = StartWithHeldReads();
        DeviceProbe write = Write(3 * Cluster, 512, 9);
        _bench.Loop.FileIo.Override = command => _bench.IsSourceWrite(command) ? -Errnos.EIO : null;
        ReleaseAll();
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(write.Fault.IsNone);
        _bench.Loop.FileIo.Override = null;
        for (int i = 0; i < 2; i++)
        {
            DeviceProbe flush = Request(BlockOperation.Flush, 0, 0);
            _bench.Loop.RunFor(Units.NsPerMs);
            Assert.Equal(Errnos.EIO, flush.Fault.Errno);
        }
        _bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
        BackupJob second = StartWithHeldReads();
        DeviceProbe later = Write(4 * Cluster, 512, 9);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.False(later.IsAnswered);
        EndWell(second);
        Assert.True(later.IsAnswered);
    }

    [Fact]
    public void WhenTheOldestHasNotLandedForLong_GuestsWait()
    {
        BackupJob job = StartWithHeldReads();
        Write(3 * Cluster, 512, 9);
        _bench.Loop.RunFor(5 * Units.NsPerMs);
        DeviceProbe later = Write(4 * Cluster, 512, 9);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.False(later.IsAnswered);
        EndWell(job);
        Assert.True(later.IsAnswered);
    }

    [Fact]
    public void AWriteThatFoundNoRoom_IsAnswered_WhenAnEarlierOneHasLanded_NotWhenItLandsItself()
    {
        BackupJob job = StartWithHeldReads();
        Write(3 * Cluster, 512, 9);
        _bench.Loop.RunFor(5 * Units.NsPerMs);
        DeviceProbe later = Write(4 * Cluster, 512, 8);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.False(later.IsAnswered);
        _bench.Loop.FileIo.ReleaseHeld(command => command.OffsetBytes < 4 * Cluster);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(9, _bench.Source.Content[3 * (int)Cluster]);
        Assert.True(later is { IsAnswered: true, Fault.IsNone: true });
        Assert.Equal(1, _bench.Source.Content[4 * (int)Cluster]);
        DeviceProbe read = Read(4 * Cluster, 512);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(8, read.Bytes[0]);
        EndWell(job);
        Assert.Equal(8, _bench.Source.Content[4 * (int)Cluster]);
        AssertAllOnes();
    }

    [Fact]
    public void WhoCameFirstAndIsAnsweredSecond_LandsSecond_AndAFlushFromBeforeOwesItNothing()
    {
        BackupJob job = StartWithHeldReads();
        Write(0, 8192, 9);
        Write(5 * Cluster, 512, 9);
        DeviceProbe first = Write(6 * Cluster, 8192, 7); // two units of four, and one is left
        DeviceProbe second = Write(6 * Cluster, 512, 8);
        DeviceProbe flush = Request(BlockOperation.Flush, 0, 0);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(second.IsAnswered && !first.IsAnswered && !flush.IsAnswered);
        _bench.Loop.FileIo.ReleaseHeld(command => command.OffsetBytes < 5 * Cluster);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(first.IsAnswered);
        int underWay = 0;
        ReleaseAll();
        _bench.Loop.FileIo.Holds = command =>
            _bench.IsSourceWrite(command) && command.OffsetBytes == 6 * Cluster && ++underWay > 0;
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(1, underWay); // the other one waits for its end
        ReleaseAll();
        _bench.Loop.FileIo.Holds = command =>
            _bench.IsSourceWrite(command) && command.OffsetBytes == 6 * Cluster && command.LengthBytes == 8192;
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(flush is { IsAnswered: true, Fault.IsNone: true });
        Assert.Equal(8, _bench.Source.Content[6 * (int)Cluster]);
        EndWell(job);
        Assert.Equal(7, _bench.Source.Content[6 * (int)Cluster]);
        AssertAllOnes();
    }

    [Fact]
    public void WhatIsBeingWrittenByOneWhoWaits_IsNotAnsweredEarly()
    {
        BackupJob job = _bench.Start(new BackupOptions());
        _bench.Loop.FileIo.Holds = _bench.IsSourceWrite;
        DeviceProbe durable = Request(BlockOperation.Write, 3 * Cluster, 1024, 5, BlockFlags.Fua);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.False(durable.IsAnswered);
        DeviceProbe over = Write((3 * Cluster) + 512, 512, 6);
        DeviceProbe elsewhere = Write(3 * Cluster + 1024, 512, 7);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(elsewhere.IsAnswered);
        Assert.False(over.IsAnswered); // the disk may do the two in either order, and a read must tell of the last
        EndWell(job);
        Assert.True(durable.IsAnswered && over.IsAnswered);
    }

    [Fact]
    public void WithoutAPointInTime_OrWithOneThatMayFailGuests_ItIsAnsweredWhenItHasLanded()
    {
        _bench.Loop.FileIo.Holds = _bench.IsSourceWrite;
        DeviceProbe without = Write(3 * Cluster, 512, 9);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.False(without.IsAnswered);
        ReleaseAll();
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(without.IsAnswered);
        FilterOptions strict = new() { OnCbwError = CbwErrorPolicy.BreakGuestWrite };
        BackupJob job = StartWithHeldReads(new BackupOptions { Filter = strict });
        DeviceProbe beside = Write(4 * Cluster, 512, 9);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.False(beside.IsAnswered);
        EndWell(job);
        Assert.True(beside.IsAnswered);
    }

    [Fact]
    public void AWriteThatWaitsForMemory_IsNotAnswered()
    {
        BackupJob job = _bench.Start(new BackupOptions { Sync = BackupSync.None });
        _bench.Loop.FileIo.Holds = _bench.IsTargetWrite;
        for (ulong cluster = 0; cluster < 8; cluster++)
            Write(cluster * Cluster, Cluster, 9);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(0u, _bench.Pool.FreeUnitCount);
        DeviceProbe last = Write(9 * Cluster, 512, 9);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.False(last.IsAnswered);
        Assert.Equal(0, _bench.Disk.WritesInFlight); // no change of the disk waits for the target
        ReleaseAll();
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(last.IsAnswered);
        job.Cancel();
        _bench.Loop.RunFor(Units.NsPerSecond);
    }

    [Fact]
    public void AHostsOwnWrite_LandsAfterIt()
    {
        BackupJob job = StartWithHeldReads();
        Write(3 * Cluster, 512, 9);
        _bench.Loop.RunFor(Units.NsPerMs);
        GuestProbe host = new(_bench.Disk, 3 * Cluster, 512);
        Assert.Equal(Grant.Pending, host.Grant);
        _bench.Loop.FileIo.ReleaseHeld();
        _bench.Loop.FileIo.Holds = _bench.IsSourceWrite;
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.False(host.IsAnswered);
        ReleaseAll();
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(host.IsGranted);
        _bench.Disk.EndWrite();
        EndWell(job);
    }

    BackupJob StartWithHeldReads(BackupOptions? options = null)
    {
        BackupJob job = _bench.Start(options ?? new BackupOptions());
        _bench.Loop.FileIo.Holds = _bench.IsSourceRead;
        return job;
    }

    void ReleaseAll() => _bench.Loop.FileIo.ReleaseHeld();

    void EndWell(BackupJob job)
    {
        ReleaseAll();
        _bench.Loop.RunFor(Units.NsPerSecond);
        Assert.True(job.Query().IsSuccess);
        Assert.Equal(0, _bench.Disk.WritesInFlight);
    }

    void AssertAllOnes() =>
        Assert.False(_bench.LastTarget.Content.AsSpan(0, (int)_bench.CapacityBytes).ContainsAnyExcept((byte)1));

    DeviceProbe Write(ulong offsetBytes, ulong lengthBytes, byte content) =>
        Request(BlockOperation.Write, offsetBytes, lengthBytes, content);

    DeviceProbe Read(ulong offsetBytes, ulong lengthBytes) => Request(BlockOperation.Read, offsetBytes, lengthBytes);

    DeviceProbe Request(
        BlockOperation operation,
        ulong offsetBytes,
        ulong lengthBytes,
        byte content = 0,
        BlockFlags flags = BlockFlags.None
    )
    {
        DeviceProbe probe = new(_bench.Disk, operation, offsetBytes, lengthBytes, content, flags);
        _probes.Add(probe);
        return probe;
    }
}
