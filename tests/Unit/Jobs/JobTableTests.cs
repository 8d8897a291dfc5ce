// Job ids: the disk's name by default, unique while the job lives, free again afterwards.
using System;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Tests.Simulated;
using FastBackup.Tests.Unit.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class JobTableTests
{
    [Fact]
    public void Ids_AreUniqueWhileTheirJobsLive()
    {
        using SimulatedLoop loop = new(1);
        using FileDevice source = loop.OpenFile(1 << 20, out _, 512);
        using FileDevice target = loop.OpenFile(1 << 20, out _, 512);
        Assert.True(BufferPool.TryCreate(65_536, 4, out BufferPool? pool).IsNone);
        using BufferPool opened = pool!;
        using Disk disk = new(loop.Reactor, source, "disk0", slotCount: 16);
        JobTable table = new();
        using BackupJob first = Create(new BackupOptions { AutoDismiss = false });
        using BackupJob second = Create(new BackupOptions());
        using BackupJob named = Create(new BackupOptions { Id = "other" });
        Assert.Equal("disk0", first.Id);
        Assert.True(table.TryAdd(first).IsNone);
        Assert.Contains("'disk0' exists already", table.TryAdd(second).Sentence, StringComparison.Ordinal);
        Assert.True(table.TryAdd(named).IsNone);
        Assert.Same(first, table.Find("disk0"));
        Assert.Equal(2, table.Jobs.Count);
        first.Start(loop.Reactor);
        loop.RunUntil(() => first.Query().IsEnded);
        Assert.Same(first, table.Find("disk0")); // concluded, and to be dismissed by hand
        Assert.True(first.Dismiss().IsNone);
        Assert.Null(table.Find("disk0"));
        Assert.True(table.TryAdd(second).IsNone);

        BackupJob Create(BackupOptions options)
        {
            OpenRefusal refusal = BackupJob.TryCreate(
                loop.Reactor,
                disk,
                target,
                opened,
                options,
                false,
                out BackupJob? job
            );
            Assert.True(refusal.IsNone, refusal.Sentence);
            return job!;
        }
    }

    [Fact]
    public void ADismissedJob_IsNotListed_AndItsIdIsFree()
    {
        FilterBench bench = new();
        BackupJob first = bench.Start(new BackupOptions { Id = "one" });
        BackupJob second = bench.Create(new BackupOptions { Id = "one" });
        JobTable listed = new();
        JobTable asked = new();
        Assert.True(listed.TryAdd(first).IsNone);
        Assert.True(asked.TryAdd(first).IsNone);
        bench.Loop.RunUntil(() => first.Status == JobStatus.Null); // by itself
        Assert.Empty(listed.Jobs);
        Assert.True(asked.TryAdd(second).IsNone);
        Assert.Same(second, Assert.Single(asked.Jobs));
    }
}
