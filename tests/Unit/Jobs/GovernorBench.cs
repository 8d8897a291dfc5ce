// A guest and a full backup on one modelled device, in virtual time: the real disk, job, engine and governor.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Pacing;
using FastBackup.Ports;
using FastBackup.Runtime;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

sealed class GovernorBench
{
    readonly SimulatedClock _clock = new();
    readonly BufferPool _pool;
    readonly FileDevice _source;
    readonly FileDevice _target;

    public GovernorBench(
        DeviceProfile profile,
        ModelLoad load,
        ulong seed = 1,
        ulong capacityBytes = 64 * Units.GiB,
        double targetBytesPerSecond = 0,
        ulong absorbBytes = 0
    )
    {
        QueueingFileIo port = new(_clock, profile, seed)
        {
            SlowFd = 2,
            SlowBytesPerSecond = targetBytesPerSecond,
            SlowBurstNs = Units.NsPerSecond / 2,
        };
        Reactor = new Reactor(port, _clock, ReactorLimits.Default);
        Assert.True(BufferPool.TryCreate((uint)Units.MiB, 64 << 10, 1024, out BufferPool? pool).IsNone);
        _pool = pool!;
        FileHandle file = new(1);
        _source = Open("source", file, capacityBytes);
        _target = Open("target", new FileHandle(2), capacityBytes);
        Disk = new Disk(Reactor, _source, "disk", absorbBytes: absorbBytes);
        Guest = new ModelGuest(Reactor, Disk, file, load, seed + 1);
    }

    public Reactor Reactor { get; }

    public Disk Disk { get; }

    public ModelGuest Guest { get; }

    public BackupJob? Job { get; private set; }

    public FixedCopy? Fixed { get; private set; }

    public ulong NowNs => _clock.NowNs;

    public ulong DoneBytes => Fixed?.DoneBytes ?? Job!.Query().DoneBytes;

    public void StartJob(GuestPriority priority)
    {
        BackupOptions options = new() { GuestPriority = priority };
        OpenRefusal refusal = BackupJob.TryCreate(
            Reactor,
            Disk,
            _target,
            _pool,
            options,
            hasView: false,
            out BackupJob? job
        );
        Assert.True(refusal.IsNone, refusal.Sentence);
        Job = job;
        job!.Start(Reactor);
    }

    public void StartFixed()
    {
        Fixed = new FixedCopy(_source, _target, Disk.CapacityBytes);
        Fixed.Start();
    }

    public void RunFor(ulong ns)
    {
        ulong untilNs = NowNs + ns;
        while (NowNs < untilNs)
            Reactor.Turn(untilNs - NowNs);
    }

    /// <summary>Runs and tells how the guest and the copy fared meanwhile.</summary>
    public Stretch Measure(ulong ns)
    {
        ulong startNs = NowNs;
        ulong startBytes = Job == null && Fixed == null ? 0 : DoneBytes;
        RunFor(ns);
        ulong bytes = Job == null && Fixed == null ? 0 : DoneBytes - startBytes;
        double seconds = (NowNs - startNs) / 1e9;
        return Stretch.Of(Guest.Latencies(startNs, NowNs), seconds, bytes);
    }

    FileDevice Open(string name, FileHandle file, ulong capacityBytes)
    {
        BlockLimits limits = new()
        {
            CapacityBytes = capacityBytes,
            RequestAlignBytes = 4096,
            BufferAlignBytes = 4096,
        };
        return new FileDevice(Reactor, name, limits, file, file, isBlockDevice: false, onDispose: null);
    }
}
