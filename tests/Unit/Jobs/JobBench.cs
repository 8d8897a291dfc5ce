// A source with random content, a target, a pool and a job on the simulated loop, all from one seed.
using System;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

sealed class JobBench : IDisposable
{
    readonly FileDevice _source;
    readonly FileDevice _target;
    readonly Disk _disk;
    readonly BufferPool _pool;
    BackupJob? _job;

    public JobBench(ulong seed, SimulatedFaults faults, bool isDense = false, ulong? capacityBytes = null)
    {
        Prng prng = new(seed);
        Loop = new SimulatedLoop(seed, faults, depth: prng.Chance(1, 4) ? 5 : int.MaxValue);
        CapacityBytes = capacityBytes ?? (isDense ? 4 << 20 : 1 + prng.Below(3 << 20));
        ClusterBytes = 4096u << (int)prng.Below(6);
        uint bufferBytes = Math.Max(ClusterBytes, 4096u << (int)prng.Below(9));
        uint alignBytes = prng.Chance(1, 3) ? 4096u : 512u;
        bool isZeroInitialised = prng.Chance(1, 2);
        Assert.True(BufferPool.TryCreate(bufferBytes, 2 + (uint)prng.Below(12), out BufferPool? pool).IsNone);
        _pool = pool!;
        _source = Loop.OpenFile(CapacityBytes, out SimulatedDisk source, alignBytes, isReadOnly: true);
        ulong targetBytes = CapacityBytes + (prng.Chance(1, 4) ? prng.Below(100_000) : 0);
        _target = Loop.OpenFile(targetBytes, out SimulatedDisk target, alignBytes, isZeroInitialised);
        (Source, Target) = (source, target);
        _disk = new Disk(Loop.Reactor, _source, "disk", slotCount: 16);
        FillSource(prng, isDense);
        if (!isZeroInitialised)
            prng.Fill(Target.Content);
    }

    public SimulatedLoop Loop { get; }

    public SimulatedDisk Source { get; }

    public SimulatedDisk Target { get; }

    public ulong CapacityBytes { get; }

    public uint ClusterBytes { get; }

    /// <summary>The part of the target that the source covers.</summary>
    public ReadOnlySpan<byte> TargetContent => Target.Content.AsSpan(0, (int)CapacityBytes);

    public OpenRefusal TryCreate(BackupOptions options, out BackupJob? job) =>
        BackupJob.TryCreate(
            Loop.Reactor,
            _disk,
            _target,
            _pool,
            options with
            {
                MayTargetBeLarger = true,
            },
            hasView: false,
            out job
        );

    public BackupJob Start(
        BackupSync sync = BackupSync.Full,
        ulong speedBytesPerSecond = 0,
        ErrorPolicy onSourceError = ErrorPolicy.Report
    )
    {
        BackupOptions options = new()
        {
            Sync = sync,
            Filter = new FilterOptions { ClusterBytes = ClusterBytes },
            SpeedBytesPerSecond = speedBytesPerSecond,
            OnSourceError = onSourceError,
        };
        Assert.True(TryCreate(options, out _job).IsNone);
        _job!.Start(Loop.Reactor);
        return _job;
    }

    public void RunToEnd()
    {
        Loop.RunUntil(() => _job!.Query().IsEnded);
        Assert.Equal(_pool.UnitCount, _pool.FreeUnitCount);
        Assert.Equal(0u, Loop.FileIo.InFlightCount);
    }

    /// <summary>Whether the source has anything allocated in the range.</summary>
    public bool HasData(ulong offsetBytes, ulong lengthBytes)
    {
        MapEntry[] entries = new MapEntry[1];
        ulong end = offsetBytes + lengthBytes;
        while (offsetBytes < end)
        {
            Source.Map(offsetBytes, end - offsetBytes, entries);
            if (entries[0].Kind == ExtentKind.Data)
                return true;
            offsetBytes += entries[0].LengthBytes;
        }
        return false;
    }

    /// <summary>The promise of the copy bitmap: a clear bit means that the target has the cluster.</summary>
    public void AssertCleanMeansCopied()
    {
        for (ulong offset = 0; offset < CapacityBytes; offset += ClusterBytes)
        {
            if (_job!.Todo.GetBit(offset / ClusterBytes))
                continue;
            int length = (int)Math.Min(ClusterBytes, CapacityBytes - offset);
            Assert.True(
                Source.Content.AsSpan((int)offset, length).SequenceEqual(TargetContent.Slice((int)offset, length)),
                $"cluster at {offset} is clear and differs"
            );
        }
    }

    public void Dispose()
    {
        // After a failed assertion things are still in flight; only a clean end is checked by the disposals.
        if (Loop.FileIo.InFlightCount > 0)
            return;
        _job?.Dispose();
        _disk.Dispose();
        _source.Dispose();
        _target.Dispose();
        _pool.Dispose();
        Loop.Dispose();
    }

    /// <summary>Runs of random data, of written zeroes and of holes, on 4 KiB boundaries.</summary>
    void FillSource(Prng prng, bool isDense)
    {
        for (ulong offset = 0; offset < CapacityBytes; )
        {
            ulong length = Math.Min(CapacityBytes - offset, (1 + prng.Below(64)) * SimulatedDisk.BlockBytes);
            ulong kind = isDense ? 0 : prng.Below(3);
            byte[] bytes = new byte[length];
            if (kind == 0)
                prng.Fill(bytes);
            if (kind != 2)
                Source.Write(offset, bytes);
            offset += length;
        }
    }
}
