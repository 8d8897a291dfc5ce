// A disk with guests, some targets and a pool on the simulated loop: for tests of one event after the other.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Filter;

sealed class FilterBench
{
    public const ulong Cluster = 4096;

    readonly List<FileDevice> _targets = [];

    readonly uint _inFlightMax;
    readonly ulong _absorbBytes;

    /// <param name="clusterCount">Of each disk.</param>
    /// <param name="bufferCount">Clusters that the pool holds.</param>
    /// <param name="inFlightMax">Of each source.</param>
    /// <param name="bufferClusters">The longest chunk.</param>
    /// <param name="absorbBytes">Of each disk, for writes that are answered before they land.</param>
    public FilterBench(
        ulong clusterCount = 16,
        uint bufferCount = 8,
        uint inFlightMax = 1024,
        uint bufferClusters = 1,
        ulong absorbBytes = 0
    )
    {
        (_inFlightMax, _absorbBytes) = (inFlightMax, absorbBytes);
        CapacityBytes = clusterCount * Cluster;
        uint bufferBytes = bufferClusters * (uint)Cluster;
        Assert.True(BufferPool.TryCreate(bufferBytes, (uint)Cluster, bufferCount, out BufferPool? pool).IsNone);
        Pool = pool!;
        Disk = NewDisk("disk", out SimulatedDisk source);
        Source = source;
    }

    public SimulatedLoop Loop { get; } = new(1, new SimulatedFaults { LatencyNsMax = 1000 });

    public ulong CapacityBytes { get; }

    public BufferPool Pool { get; }

    public Disk Disk { get; }

    public SimulatedDisk Source { get; }

    public SimulatedDisk LastTarget { get; private set; } = null!;

    public FileDevice LastTargetDevice => _targets[^1];

    /// <summary>A disk whose every byte is 1.</summary>
    public Disk NewDisk(string name, out SimulatedDisk image, uint slotCount = 16)
    {
        FileDevice device = Loop.OpenFile(CapacityBytes, out image, alignBytes: 512, inFlightMax: _inFlightMax);
        byte[] ones = new byte[CapacityBytes];
        Array.Fill(ones, (byte)1);
        image.Write(0, ones);
        return new Disk(Loop.Reactor, device, name, slotCount, _absorbBytes);
    }

    public BackupJob Create(BackupOptions options, Disk? disk = null, bool hasView = false)
    {
        FileDevice target = Loop.OpenFile(CapacityBytes, out SimulatedDisk image, alignBytes: 512);
        _targets.Add(target);
        LastTarget = image;
        options = options with { Filter = options.Filter with { ClusterBytes = (uint)Cluster } };
        OpenRefusal refusal = BackupJob.TryCreate(
            Loop.Reactor,
            disk ?? Disk,
            target,
            Pool,
            options,
            hasView,
            out BackupJob? job
        );
        Assert.Equal("", refusal.Sentence ?? "");
        return job!;
    }

    public BackupJob Start(BackupOptions options, Disk? disk = null)
    {
        BackupJob job = Create(options, disk);
        job.Start(Loop.Reactor);
        return job;
    }

    public DirtyBitmap AddBitmap(string name)
    {
        Assert.True(DirtyBitmap.TryCreate(name, CapacityBytes, Cluster, out DirtyBitmap? bitmap).IsNone);
        Disk.Quiesce(Loop.Reactor, [Disk], () => Disk.Add(bitmap!));
        return bitmap!;
    }

    /// <summary>Whether a command is a read of the source.</summary>
    public bool IsSourceRead(FileCommand command) =>
        command.Operation == FileOperation.Read && command.File.Fd == Source.Handle.Fd;

    public bool IsSourceWrite(FileCommand command) =>
        command.Operation == FileOperation.Write && command.File.Fd == Source.Handle.Fd;

    public bool IsTargetWrite(FileCommand command) =>
        command.Operation == FileOperation.Write && command.File.Fd == LastTarget.Handle.Fd;
}
