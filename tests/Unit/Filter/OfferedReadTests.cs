// What a guest has read need not be read again, as long as it is what the disk had at the point in time.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed class OfferedReadTests : IGuestOwner, IDisposable
{
    const ulong Cluster = FilterBench.Cluster;

    readonly AlignedRegion _memory = AlignedRegion.Map(4 * Cluster, RegionResidency.Resident);
    BackupJob? _watched;
    int _completions;

    public void Dispose() => _memory.Dispose();

    void IGuestOwner.OnGuestCompleted(ulong userData, Fault fault)
    {
        Assert.True(fault.IsNone);
        _completions++;
        if (_watched != null)
            Assert.Equal((ulong)_completions * Cluster, _watched.QueryStatistics().Gauges.OfferedBytes);
    }

    static BackupJob StartFleecing(FilterBench bench, bool takesReads = true) =>
        bench.Start(
            new BackupOptions
            {
                Sync = BackupSync.None,
                Filter = new FilterOptions { TakesGuestReads = takesReads },
            }
        );

    GuestRequest Read(ulong offsetBytes, ulong lengthBytes) =>
        new()
        {
            Operation = BlockOperation.Read,
            OffsetBytes = offsetBytes,
            LengthBytes = lengthBytes,
            Buffer = _memory.Start,
            Owner = this,
        };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AGuestsRead_OfWholeClusters_IsTaken_WhereAskedFor(bool takesReads)
    {
        FilterBench bench = new(bufferClusters: 4);
        Assert.False(bench.Disk.WantsReads);
        BackupJob job = StartFleecing(bench, takesReads);
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(takesReads, bench.Disk.WantsReads);
        Assert.True(bench.Disk.Submit(Read((2 * Cluster) + 512, 3 * Cluster)).IsNone);
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(1, _completions);
        ulong wanted = takesReads ? 2 * Cluster : 0;
        Assert.Equal(wanted, job.Filter.Engine.Counters.OfferedBytes);
        Assert.Equal(wanted, job.Query().DoneBytes);
        Assert.Equal(0ul, job.Filter.Engine.Counters.ReadBytes);
        byte expected = (byte)(takesReads ? 1 : 0);
        Assert.Equal(expected, bench.LastTarget.Content[3 * Cluster]);
        Assert.Equal(expected, bench.LastTarget.Content[(5 * Cluster) - 1]);
        Assert.Equal(0, bench.LastTarget.Content[2 * Cluster]);
        Assert.Equal(1u, bench.Disk.WatcherCount);
        Assert.True(job.Cancel().IsNone);
        bench.Loop.RunFor(200 * Units.NsPerMs);
        Assert.Equal(0u, bench.Disk.WatcherCount);
        Assert.False(bench.Disk.WantsReads);
    }

    [Fact]
    public void AReadThatWasUnderWayAtThePointInTime_IsNotTaken()
    {
        FilterBench bench = new(bufferClusters: 4);
        bench.Loop.FileIo.Holds = bench.IsSourceRead;
        Assert.True(bench.Disk.Submit(Read(0, Cluster)).IsNone);
        bench.Loop.RunFor(Units.NsPerMs);
        BackupJob job = StartFleecing(bench);
        bench.Loop.RunFor(Units.NsPerMs);
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(1, _completions);
        Assert.Equal(0ul, job.Filter.Engine.Counters.OfferedBytes);
    }

    [Fact]
    public void AHostOffersWhatItReadAfterThePointInTime_AndOlderReadsAreIgnored()
    {
        FilterBench bench = new(bufferClusters: 4);
        ulong epochBefore = bench.Disk.ReadEpoch;
        BackupJob job = StartFleecing(bench);
        bench.Loop.RunFor(Units.NsPerMs);
        _memory.Slice(0, (int)Cluster).Fill(1);
        Assert.True(bench.Disk.OfferRead(epochBefore, Read(0, Cluster)).IsNone);
        GuestRequest later = Read(4 * Cluster, Cluster);
        later.Operation = BlockOperation.Write; // a read by the call's name, whatever the request says
        Assert.True(bench.Disk.OfferRead(bench.Disk.ReadEpoch, later).IsNone);
        Assert.Equal(
            FaultKind.Range,
            bench.Disk.OfferRead(bench.Disk.ReadEpoch, Read(bench.CapacityBytes, Cluster)).Kind
        );
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(2, _completions);
        Assert.Equal(Cluster, job.Filter.Engine.Counters.OfferedBytes);
        Assert.Equal(1, bench.LastTarget.Content[4 * Cluster]);
    }

    [Fact]
    public void WhoIsTold_SeesInTheStatisticsWhatWasTaken_HoweverManyInOneTurn()
    {
        FilterBench bench = new(bufferClusters: 4);
        BackupJob job = _watched = StartFleecing(bench);
        bench.Loop.RunFor(Units.NsPerMs);
        bench.Loop.FileIo.Holds = bench.IsTargetWrite; // something stays in flight
        for (ulong i = 0; i < 4; i++)
            Assert.True(bench.Disk.OfferRead(bench.Disk.ReadEpoch, Read(2 * i * Cluster, Cluster)).IsNone);
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(4, _completions);
        Assert.Equal(4 * Cluster, job.QueryStatistics().Gauges.OfferedBytes);
    }

    /// <summary>Nobody is told of the last ones, and nothing comes after them: they are shown all the same.</summary>
    [Fact]
    public void WhenNothingMoves_ThePictureIsThatOfTheEngine()
    {
        FilterBench bench = new();
        BackupJob job = StartFleecing(bench);
        bench.Loop.RunFor(Units.NsPerMs);
        bench.Loop.FileIo.Holds = bench.IsSourceRead;
        for (ulong i = 0; i < 4; i++)
            _ = new GuestProbe(bench.Disk, i * Cluster, Cluster);
        bench.Loop.RunFor(Units.NsPerMs);
        bench.Loop.FileIo.ReleaseHeld();
        bench.Loop.FileIo.Holds = bench.IsTargetWrite;
        bench.Loop.RunFor(100 * Units.NsPerMs); // what is in memory is written between guests' requests
        Assert.Equal(4 * Cluster, job.Filter.Engine.CaptureBytes);
        Assert.Equal(4 * Cluster, job.QueryStatistics().Gauges.CaptureBytes);
        Assert.Equal(4 * Cluster, job.Query().InFlightBytes);
        Assert.Equal(job.Filter.Engine.DeviceBytes, job.QueryStatistics().Gauges.DeviceBytes);
        Assert.Equal(job.Filter.Engine.CapturedCount, job.QueryStatistics().Gauges.CapturedChunks);
    }

    /// <summary>What a failed read left in the guest's memory is nobody's old data.</summary>
    [Fact]
    public void AReadThatFails_IsNotTaken()
    {
        FilterBench bench = new(bufferClusters: 4);
        BackupJob job = StartFleecing(bench);
        bench.Loop.RunFor(Units.NsPerMs);
        bench.Loop.FileIo.Override = command => bench.IsSourceRead(command) ? -Errnos.EIO : null;
        FailedRead owner = new();
        Assert.True(bench.Disk.Submit(Read(0, Cluster) with { Owner = owner }).IsNone);
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal(FaultKind.Io, owner.Fault.Kind);
        Assert.Equal(0ul, job.Filter.Engine.Counters.OfferedBytes);
        Assert.True(job.IsTodo(0));
    }

    sealed class FailedRead : IGuestOwner
    {
        public Fault Fault { get; private set; }

        public void OnGuestCompleted(ulong userData, Fault fault) => Fault = fault;
    }

    [Fact]
    public void AClusterThatAGuestOverwrote_IsNotTakenFromALaterRead()
    {
        FilterBench bench = new(bufferClusters: 4);
        BackupJob job = StartFleecing(bench);
        bench.Loop.RunFor(Units.NsPerMs);
        GuestProbe guest = new(bench.Disk, 0, Cluster);
        bench.Loop.RunFor(Units.NsPerMs);
        Assert.True(guest.IsGranted);
        bench.Source.Content.AsSpan(0, (int)Cluster).Fill(2);
        bench.Disk.EndWrite();
        Assert.True(bench.Disk.Submit(Read(0, 2 * Cluster)).IsNone);
        bench.Loop.RunFor(200 * Units.NsPerMs); // what is in memory is written between guests' requests
        Assert.Equal(Cluster, job.Filter.Engine.Counters.OfferedBytes);
        Assert.Equal(1, bench.LastTarget.Content[0]);
        Assert.Equal(1, bench.LastTarget.Content[Cluster]);
    }
}
