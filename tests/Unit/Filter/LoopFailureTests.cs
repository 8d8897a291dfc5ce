// A bug has stopped the reactor: nobody waits any more, writes pass and are recorded, and the snapshot is lost.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

public sealed class LoopFailureTests : IGuestOwner
{
    const ulong Cluster = FilterBench.Cluster;

    readonly FilterBench _bench = new();
    Fault _readFault;
    int _readCount;

    Disk Disk => _bench.Disk;

    [Fact]
    public void WritesThatWait_MayLand_AndAreRecorded_AlsoOneThatHasNotArrived()
    {
        DirtyBitmap bitmap = _bench.AddBitmap("daily");
        BackupJob job = _bench.Start(new BackupOptions { Sync = BackupSync.None });
        _bench.Loop.FileIo.Holds = _bench.IsSourceRead;
        GuestProbe waiting = new(Disk, 2 * Cluster, 512);
        _bench.Loop.RunFor(Units.NsPerMs);
        GuestProbe posted = new(Disk, 5 * Cluster, 512);
        Assert.Equal((1u, false, false), (Disk.WaitingCount, waiting.IsAnswered, posted.IsAnswered));
        Fail();
        Assert.Equal((true, true), (waiting.IsGranted, posted.IsGranted));
        Assert.Equal((0u, 2L), (Disk.WaitingCount, Disk.WritesInFlight));
        Assert.Equal((true, true, 2ul), (bitmap.Bits.GetBit(2), bitmap.Bits.GetBit(5), bitmap.Bits.CountBits()));
        Assert.Equal((true, FaultKind.Bug), (job.Query().IsEnded, job.Query().Fault.Kind));
        GuestProbe later = new(Disk, 7 * Cluster, 512);
        Assert.Equal(Grant.Granted, later.Grant); // nothing protects any more
        Assert.True(bitmap.Bits.GetBit(7));
        job.Dispose(); // what the kernel may still touch is left where it is
    }

    [Fact]
    public void EverySnapshotOfTheDisk_IsLost()
    {
        BackupJob[] jobs = new BackupJob[3];
        for (int i = 0; i < jobs.Length; i++)
            jobs[i] = _bench.Start(new BackupOptions { Id = $"job{i}", Sync = BackupSync.None });
        Fail();
        Assert.All(jobs, job => Assert.Equal(FaultKind.Bug, job.Filter.BrokenBy.Kind));
        Assert.False(jobs[0].Filter.Protects(new Extent(0, Cluster)));
    }

    [Fact]
    public void AGateThatIsClosed_Opens()
    {
        GuestProbe unended = new(Disk, 0, 512);
        bool isMade = false;
        Disk.Quiesce(_bench.Loop.Reactor, [Disk], () => isMade = true);
        GuestProbe waiting = new(Disk, Cluster, 512);
        _bench.Loop.RunFor(Units.NsPerUs);
        Assert.Equal((true, false), (unended.IsGranted, waiting.IsAnswered));
        Fail();
        Assert.Equal((false, true), (Disk.IsGateClosed, waiting.IsGranted));
        Assert.Equal(Grant.Granted, new GuestProbe(Disk, 2 * Cluster, 512).Grant);
        Assert.False(isMade);
    }

    [Fact]
    public void WhatTheEngineWasToDo_Fails()
    {
        using AlignedRegion memory = AlignedRegion.Map(Cluster, RegionResidency.Resident);
        _bench.Loop.FileIo.Holds = _ => true;
        GuestRequest read = new()
        {
            Operation = BlockOperation.Read,
            LengthBytes = Cluster,
            Buffer = memory.Start,
            Owner = this,
        };
        Assert.True(Disk.Submit(read).IsNone);
        _bench.Loop.RunFor(Units.NsPerMs);
        Assert.Equal((1u, 0), (Disk.AtDeviceCount, _readCount));
        Fail();
        Assert.Equal((FaultKind.Bug, 1), (_readFault.Kind, _readCount));
    }

    void IGuestOwner.OnGuestCompleted(ulong userData, Fault fault) =>
        (_readFault, _readCount) = (fault, _readCount + 1);

    void Fail() => _bench.Loop.Reactor.Fail(new InvalidOperationException("on purpose"));
}
