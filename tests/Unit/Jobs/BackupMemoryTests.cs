// Memory that is taken for a job before there is one: for which options that is possible, and whose it is then.
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Tests.Simulated;
using FastBackup.Tests.Unit.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class BackupMemoryTests
{
    [Theory]
    [InlineData(65_536, true)]
    [InlineData(4096, true)]
    [InlineData(2048, false)] // below the least
    [InlineData(12_288, false)] // no power of two
    [InlineData(0, false)]
    public void OnlyForClustersOfARightSize_ItIsPossible(uint clusterBytes, bool isPossible)
    {
        BackupOptions options = new() { Filter = new FilterOptions { ClusterBytes = clusterBytes } };
        Assert.Equal(isPossible, BackupMemory.IsPossible(options));
    }

    [Fact]
    public void WhatAJobHasTaken_StaysWhenItsTakerDisposesOfIt()
    {
        FilterBench bench = new();
        BackupOptions options = new() { Filter = new FilterOptions { ClusterBytes = (uint)FilterBench.Cluster } };
        Assert.True(BackupMemory.TryTake(bench.CapacityBytes, options, true, out BackupMemory? memory).IsNone);
        BackupJob first = Create(bench, options, memory!);
        Assert.Same(memory!.Map.Todo, first.Todo);
        memory.Dispose();
        BackupJob second = Create(bench, options, memory); // it is the first one's
        Assert.NotSame(first.Todo, second.Todo);
        second.Dispose();
        first.Start(bench.Loop.Reactor);
        bench.Loop.RunUntil(() => first.Query().IsEnded);
        Assert.True(first.Query().IsSuccess);
        Assert.Equal(bench.CapacityBytes, first.Query().DoneBytes);
    }

    static BackupJob Create(FilterBench bench, BackupOptions options, BackupMemory memory)
    {
        OpenRefusal refusal = BackupJob.TryCreate(
            bench.Loop.Reactor,
            bench.Disk,
            bench.Loop.OpenFile(bench.CapacityBytes, out _, alignBytes: 512),
            bench.Pool,
            options,
            hasView: true,
            memory,
            out BackupJob? job
        );
        Assert.True(refusal.IsNone);
        return job!;
    }
}
