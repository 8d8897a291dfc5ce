// The limits of a job's speed, and what a target is told of what reads as zero, and what is known when it fails there.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Jobs;
using FastBackup.Ports;
using FastBackup.Tests.Unit.Copy;
using FastBackup.Tests.Unit.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class JobSpeedTests
{
    const ulong Cluster = FilterBench.Cluster;

    [Fact]
    public void TheHighestSpeed_IsAllowed_AndNoneAboveIt()
    {
        FilterBench bench = new();
        BackupJob job = bench.Start(new BackupOptions { Sync = BackupSync.None });
        Assert.True(job.SetSpeed(BackupRules.SpeedMax).IsNone);
        Assert.Equal(FaultKind.Invalid, job.SetSpeed(BackupRules.SpeedMax + 1).Kind);
        Assert.Equal(BackupRules.SpeedMax, job.SpeedBytesPerSecond);
    }

    /// <summary>By holes of the source, and by what is written there and reads as zero.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Zeroes_MayBecomeHolesOfTheTarget(bool isHole)
    {
        FilterBench bench = Zeroed(isHole);
        List<FileOperation> operations = [];
        BackupJob job = bench.Create(new BackupOptions());
        bench.Loop.FileIo.Holds = command =>
        {
            if (command.File.Fd == bench.LastTarget.Handle.Fd)
                operations.Add(command.Operation);
            return false;
        };
        job.Start(bench.Loop.Reactor);
        bench.Loop.RunUntil(() => job.Query().IsEnded);
        Assert.True(job.Query().IsSuccess);
        Assert.Contains(FileOperation.Punch, operations);
        Assert.DoesNotContain(FileOperation.ZeroRange, operations);
        Assert.DoesNotContain(FileOperation.Write, operations);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void WhereZeroingFailed_NobodyKnowsWhatTheTargetHas(bool isHole)
    {
        FilterBench bench = Zeroed(isHole);
        BackupJob job = bench.Create(new BackupOptions());
        bench.Loop.FileIo.Override = command =>
            command.Operation is FileOperation.Punch or FileOperation.ZeroRange ? -Errnos.EIO : null;
        job.Start(bench.Loop.Reactor);
        bench.Loop.RunUntil(() => job.Query().IsEnded);
        Assert.False(job.Query().IsSuccess);
        Assert.NotEqual(0ul, job.Filter.Map.Unsure.CountBits());
    }

    [Fact]
    public void ADiscardOfTheSource_ComesLast()
    {
        StandingDevice source = new(16 * Cluster);
        new SourceDiscard(source).Begin(new Extent(Cluster, 2 * Cluster));
        Assert.Equal((BlockOperation.Discard, IoLane.Background), (source.Asked.Operation, source.Asked.Lane));
        Assert.Equal((Cluster, 2 * Cluster), (source.Asked.OffsetBytes, source.Asked.LengthBytes));
    }

    static FilterBench Zeroed(bool isHole)
    {
        FilterBench bench = new();
        if (isHole)
            bench.Source.Punch(0, bench.CapacityBytes);
        else
            bench.Source.Write(0, new byte[16 * Cluster]);
        return bench;
    }
}
