// What a snapshot says of its holes: those of its point in time, whatever guests do to the disk meanwhile.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed class SnapshotExtentsTests
{
    const ulong Cluster = FilterBench.Cluster;

    static readonly (ulong, ulong, ExtentKind)[] s_asPunched =
    [
        (0, 4, ExtentKind.Data),
        (4, 4, ExtentKind.Hole),
        (8, 8, ExtentKind.Data),
    ];

    [Fact]
    public void Holes_AreThoseOfTheDisk()
    {
        FilterBench bench = Punched();
        BackupJob job = Fleece(bench);
        Assert.Equal(s_asPunched, new MapProbe(bench, job.View!).Entries());
    }

    [Fact]
    public void Holes_AreTheSame_AfterGuestsHaveWrittenAndPunched()
    {
        FilterBench bench = Punched();
        BackupJob job = Fleece(bench);
        Overwrite(bench, 5);
        bench.Source.Write(5 * Cluster, new byte[] { 7 });
        Overwrite(bench, 9);
        bench.Source.Punch(9 * Cluster, Cluster);
        Assert.Equal(s_asPunched, new MapProbe(bench, job.View!).Entries());
    }

    [Fact]
    public void Holes_AreTheSame_OnceABackupHasCopiedThem()
    {
        FilterBench bench = Punched();
        BackupJob job = bench.Create(new BackupOptions { AutoFinalize = false }, hasView: true);
        job.Start(bench.Loop.Reactor);
        bench.Loop.RunUntil(() => job.Status == JobStatus.Pending);
        bench.Source.Punch(0, bench.CapacityBytes);
        Assert.Equal(s_asPunched, new MapProbe(bench, job.View!).Entries());
    }

    [Fact]
    public void HolesThatGuestsOverwrite_ReadAsZero_BeforeTheTargetHasThem()
    {
        FilterBench bench = Punched();
        BackupJob job = bench.Create(new BackupOptions { SpeedBytesPerSecond = 1 }, hasView: true);
        job.Start(bench.Loop.Reactor);
        bench.Loop.RunUntil(() => job.Filter.Map.Zeroes.CountBits() == 4);
        Assert.Equal(Grant.Granted, new GuestProbe(bench.Disk, 5 * Cluster, 512).Grant);
        bench.Source.Write(5 * Cluster, new byte[] { 7 });
        bench.Disk.EndWrite();
        (ulong, ulong, ExtentKind)[] zero = [s_asPunched[0], (4, 4, ExtentKind.Zero), s_asPunched[2]];
        Assert.Equal(zero, new MapProbe(bench, job.View!).Entries());
    }

    [Fact]
    public void HoleThatAGuestMakes_WhileTheMapIsRead_IsNoHoleOfTheSnapshot()
    {
        FilterBench bench = Punched();
        BackupJob job = Fleece(bench);
        bench.Loop.FileIo.Holds = command => command.Operation == FileOperation.Map;
        MapProbe probe = new(bench, job.View!);
        bench.Loop.RunFor(Units.NsPerMs);
        Overwrite(bench, 2); // nobody holds it up
        bench.Source.Punch(2 * Cluster, Cluster);
        bench.Loop.FileIo.ReleaseHeld();
        Assert.Equal(s_asPunched, probe.Entries());
    }

    [Fact]
    public void WhatHasNoMap_OrIsInMemory_IsData()
    {
        FilterBench bench = Punched();
        BackupJob job = Fleece(bench);
        bench.Loop.FileIo.Holds = bench.IsTargetWrite;
        Overwrite(bench, 0);
        bench.Loop.FileIo.Override = command => command.Operation == FileOperation.Map ? -Errnos.EIO : null;
        Assert.Equal([(0ul, 16ul, ExtentKind.Data)], new MapProbe(bench, job.View!).Entries());
        bench.Loop.FileIo.ReleaseHeld();
    }

    [Fact]
    public void Entries_AreNoMoreThanThereIsRoomFor()
    {
        FilterBench bench = Punched();
        BackupJob job = Fleece(bench);
        Assert.Equal([(0ul, 4ul, ExtentKind.Data)], new MapProbe(bench, job.View!, capacity: 1).Entries());
    }

    [Fact]
    public void MapOfABrokenSnapshot_IsRefused()
    {
        FilterBench bench = Punched();
        BackupJob job = Fleece(bench);
        bench.Loop.FileIo.Holds = command => command.Operation == FileOperation.Map;
        MapProbe probe = new(bench, job.View!);
        bench.Loop.RunFor(Units.NsPerMs);
        job.Filter.Break(new Fault(FaultKind.Io, Errnos.EIO));
        bench.Source.Punch(0, bench.CapacityBytes); // nobody is held any more
        bench.Loop.FileIo.ReleaseHeld();
        _ = probe.Entries();
        Assert.Equal(FaultKind.SnapshotLost, probe.Fault.Kind);
    }

    static FilterBench Punched()
    {
        FilterBench bench = new();
        bench.Source.Punch(4 * Cluster, 4 * Cluster);
        return bench;
    }

    static BackupJob Fleece(FilterBench bench)
    {
        BackupJob job = bench.Create(new BackupOptions { Sync = BackupSync.None }, hasView: true);
        job.Start(bench.Loop.Reactor);
        bench.Loop.RunFor(Units.NsPerMs);
        return job;
    }

    static void Overwrite(FilterBench bench, ulong cluster)
    {
        GuestProbe guest = new(bench.Disk, cluster * Cluster, Cluster);
        bench.Loop.RunUntil(() => guest.IsAnswered);
        Assert.True(guest.IsGranted);
        bench.Disk.EndWrite();
        bench.Loop.RunFor(Units.NsPerMs);
    }

    sealed unsafe class MapProbe : IBlockOwner
    {
        readonly AlignedRegion _memory = AlignedRegion.Map(Cluster, RegionResidency.Resident);
        readonly FilterBench _bench;
        uint? _count;

        public MapProbe(FilterBench bench, SnapshotView view, uint capacity = 64)
        {
            _bench = bench;
            BlockRequest request = default;
            request.Operation = BlockOperation.Map;
            (request.LengthBytes, request.MapCapacity) = (bench.CapacityBytes, capacity);
            (request.Buffer, request.Owner) = (_memory.Start, this);
            view.Submit(request);
        }

        public Fault Fault { get; private set; }

        /// <summary>Waits for them; in clusters.</summary>
        public (ulong First, ulong Count, ExtentKind Kind)[] Entries()
        {
            _bench.Loop.RunUntil(() => _count != null);
            List<(ulong, ulong, ExtentKind)> entries = [];
            foreach (MapEntry entry in new System.ReadOnlySpan<MapEntry>((void*)_memory.Start, (int)_count!.Value))
                entries.Add((entry.OffsetBytes / Cluster, entry.LengthBytes / Cluster, entry.Kind));
            return [.. entries];
        }

        public void OnBlockCompleted(ulong userData, in BlockResult result) =>
            (_count, Fault) = (result.Count, result.Fault);
    }
}
