// Whether the seams hold: a new device and a new watcher of writes, each one small file of its own, work with all that
// is there, and nothing there knows of them.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Nbd;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Tests.Simulated;
using FastBackup.Tests.Unit.Devices;
using FastBackup.Tests.Unit.Filter;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

public sealed class SeamTrialTests : IGuestOwner
{
    const int LinesMax = 66;

    readonly List<ulong> _granted = [];

    void IGuestOwner.OnGuestCompleted(ulong userData, Fault fault)
    {
        Assert.True(fault.IsNone);
        _granted.Add(userData);
    }

    [Theory]
    [InlineData(1_000_000ul, 65536u)] // the last cluster is a part of one
    [InlineData(4096ul, 4096u)]
    public void ADeviceOfSixtyLines_IsBackedUp(ulong capacityBytes, uint clusterBytes)
    {
        using SimulatedLoop loop = new(3);
        DeviceSchemes schemes = new(new StripedScheme());
        FileOpenOptions options = new() { Path = $"striped://{capacityBytes}" };
        Assert.True(schemes.TryOpen(loop.Reactor, options, out IBlockDevice? source).IsNone);
        using FileDevice target = loop.OpenFile(capacityBytes, out SimulatedDisk image, alignBytes: 512);
        Assert.True(BufferPool.TryCreate(clusterBytes, 4, out BufferPool? pool).IsNone);
        Disk disk = new(loop.Reactor, source!, source!.Name, slotCount: 4);
        BackupOptions backup = new() { Filter = new FilterOptions { ClusterBytes = clusterBytes } };
        BackupJob.TryCreate(loop.Reactor, disk, target, pool!, backup, hasView: false, out BackupJob? job);
        job!.Start(loop.Reactor);
        loop.RunUntil(() => job.Query().IsEnded);
        Assert.True(job.Query().IsSuccess, job.Query().ToString());
        job.Dispose();
        pool!.Dispose();
        source.Dispose();
        for (ulong at = 0; at < capacityBytes; at++)
            Assert.Equal(StripedDevice.ByteAt(at), image.Content[at]);
    }

    [Fact]
    public void ASchemeIsAskedForItsNamesOnly()
    {
        DeviceSchemes schemes = new(new StripedScheme(), new NbdScheme());
        Assert.True(schemes.IsMeant("striped://4096"));
        Assert.False(DeviceSchemes.Known.IsMeant("striped://4096"));
        Assert.False(schemes.IsMeant("/dev/striped"));
        Assert.Null(schemes.Check("striped://4096"));
        Assert.Equal("is no count of bytes", schemes.Check("striped://many"));
        Assert.Contains("names no host", schemes.Check("nbd://"));
        Assert.Null(schemes.Check("no:such/path"));
    }

    [Fact]
    public void AWatcherOfSixtyLines_HoldsWritesBesideABackup()
    {
        const ulong markNs = 1_000_000;
        FilterBench bench = new();
        DurableMarks marks = new(bench.Loop.Reactor, bench.Disk, regionBytes: 8 * FilterBench.Cluster, markNs);
        Disk.Quiesce(bench.Loop.Reactor, [bench.Disk], () => _ = bench.Disk.Attach(marks));
        BackupJob job = bench.Start(new BackupOptions { SpeedBytesPerSecond = 1 });
        bench.Loop.RunFor(1000);
        ulong startNs = bench.Loop.Clock.NowNs;
        for (ulong i = 0; i < 4; i++) // all in one region: one mark, and each must be captured
            Assert.Equal(Grant.Pending, Write(bench, i));
        bench.Loop.RunUntil(() => _granted.Count == 4);
        Assert.True(bench.Loop.Clock.NowNs >= startNs + markNs);
        Assert.Equal(1u, marks.PutCount);
        Assert.Equal(4, bench.Disk.WritesInFlight);
        for (int i = 0; i < 4; i++)
            bench.Disk.EndWrite();
        Assert.Equal(Grant.Granted, Write(bench, 0)); // marked, and copied
        bench.Disk.EndWrite();
        job.Cancel();
        bench.Loop.RunUntil(() => job.Query().IsEnded);
        job.Dispose();
        Assert.Equal(Grant.Pending, Write(bench, 8)); // the other region still waits for its mark
        bench.Loop.RunUntil(() => _granted.Count == 5);
        bench.Disk.EndWrite();
        Disk.Quiesce(bench.Loop.Reactor, [bench.Disk], () => bench.Disk.Detach(marks));
        Assert.Equal(2u, marks.PutCount);
        Assert.Equal(new ulong[] { 0, 1, 2, 3, 8 }, _granted.Order());
    }

    [Fact]
    public void BothAreSmall_AndNothingKnowsThem()
    {
        string folder = Path.GetDirectoryName(Path.GetDirectoryName(Here())!)!;
        Assert.True(File.ReadLines(Path.Combine(folder, "Devices", "StripedDevice.cs")).Count() <= LinesMax);
        Assert.True(File.ReadLines(Path.Combine(folder, "Devices", "StripedScheme.cs")).Count() <= LinesMax / 2);
        Assert.True(File.ReadLines(Path.Combine(folder, "Filter", "DurableMarks.cs")).Count() <= LinesMax);
    }

    Grant Write(FilterBench bench, ulong cluster) =>
        bench.Disk.BeginWrite(cluster * FilterBench.Cluster, 512, this, cluster, out _);

    static string Here([CallerFilePath] string path = "") => path;
}
