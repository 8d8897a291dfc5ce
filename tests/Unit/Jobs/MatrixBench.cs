// One disk of sixteen clusters with a dirty bitmap, a guest that writes two of them while a job runs, and a way to
// make the job end as wanted.
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

namespace FastBackup.Tests.Unit.Jobs;

sealed class MatrixBench : IGuestOwner, IDisposable
{
    public const ulong ClusterCount = 16;
    const uint ClusterBytes = 65_536;
    const ulong CapacityBytes = ClusterCount * ClusterBytes;
    const ulong FailingCluster = 9;
    static readonly ulong[] HoleClusters = [6, 7];
    static readonly ulong[] DirtyClusters = [1, 2, 9, 15];

    readonly SimulatedDisk _source;
    readonly SimulatedDisk _target;
    readonly FileDevice _sourceDevice;
    readonly FileDevice _targetDevice;
    readonly BufferPool _pool;
    readonly Disk _disk;
    readonly AlignedRegion _guestBuffer = AlignedRegion.Map(4096, RegionResidency.Resident);
    readonly byte[] _frozen;
    BackupJob? _job;
    int _pendingGuestWrites;

    public MatrixBench(BitmapMatrixTests.Dirtiness dirtiness)
    {
        _sourceDevice = Loop.OpenFile(CapacityBytes, out _source, 512);
        _targetDevice = Loop.OpenFile(CapacityBytes, out _target, 512);
        Assert.True(BufferPool.TryCreate(ClusterBytes, 3, out BufferPool? pool).IsNone);
        _pool = pool!;
        byte[] bytes = new byte[ClusterBytes];
        for (ulong cluster = 0; cluster < ClusterCount; cluster++)
        {
            new Prng(cluster + 1).Fill(bytes);
            if (Array.IndexOf(HoleClusters, cluster) < 0)
                _source.Write(cluster * ClusterBytes, bytes);
        }
        _target.Content.AsSpan().Fill(0xEE);
        _frozen = _source.Content.AsSpan().ToArray();
        _disk = new Disk(Loop.Reactor, _sourceDevice, "disk", slotCount: 16);
        Assert.True(DirtyBitmap.TryCreate("bitmap0", CapacityBytes, ClusterBytes, out DirtyBitmap? bitmap).IsNone);
        Bitmap = bitmap!;
        if (dirtiness == BitmapMatrixTests.Dirtiness.All)
            Bitmap.Bits.SetAll();
        if (dirtiness == BitmapMatrixTests.Dirtiness.Some)
            foreach (ulong cluster in DirtyClusters)
                Bitmap.Bits.SetBits(cluster, 1);
        Disk.Quiesce(Loop.Reactor, [_disk], () => _disk.Add(Bitmap));
    }

    public SimulatedLoop Loop { get; } = new(1);

    public DirtyBitmap Bitmap { get; }

    /// <summary>Clusters that the guest has written since the job's start.</summary>
    public HashSet<ulong> Written { get; } = [];

    public HashSet<ulong> BitmapClusters()
    {
        HashSet<ulong> clusters = [];
        for (ulong cluster = 0; cluster < ClusterCount; cluster++)
            if (Bitmap.Bits.GetBit(cluster))
                clusters.Add(cluster);
        return clusters;
    }

    /// <summary>The clusters that a job of this mode is to copy.</summary>
    public bool[] Planned(BackupSync sync)
    {
        bool[] planned = new bool[ClusterCount];
        for (ulong cluster = 0; cluster < ClusterCount; cluster++)
            planned[cluster] = sync switch
            {
                BackupSync.Top => Array.IndexOf(HoleClusters, cluster) < 0,
                BackupSync.Incremental or BackupSync.Bitmap => Bitmap.Bits.GetBit(cluster),
                _ => true,
            };
        return planned;
    }

    public void SetBusy(bool isBusy) =>
        Disk.Quiesce(
            Loop.Reactor,
            [_disk],
            () =>
            {
                if (isBusy)
                    Bitmap.Freeze();
                else
                    Bitmap.Reclaim();
                _disk.RefreshRecording();
                while (!isBusy && !Bitmap.TrySettle()) { }
            }
        );

    public OpenRefusal TryCreate(BackupSync sync, BitmapMode? mode, DirtyBitmap? bitmap, out BackupJob? job)
    {
        BackupOptions options = new()
        {
            Sync = sync,
            BitmapMode = mode,
            Bitmap = bitmap,
            Filter = new FilterOptions { ClusterBytes = ClusterBytes },
        };
        return BackupJob.TryCreate(Loop.Reactor, _disk, _targetDevice, _pool, options, hasView: false, out job);
    }

    /// <summary>Runs a job to its end, with two guest writes in its first moments.</summary>
    public BackupJob Run(BackupSync sync, BitmapMode? mode, DirtyBitmap? bitmap, BitmapMatrixTests.Ending ending)
    {
        OpenRefusal refusal = TryCreate(sync, mode, bitmap, out _job);
        Assert.True(refusal.IsNone, refusal.Sentence);
        Loop.FileIo.Override = command => Answer(command, ending);
        _job!.Start(Loop.Reactor);
        GuestWrite(3);
        GuestWrite(FailingCluster);
        if (ending == BitmapMatrixTests.Ending.Cancelled)
        {
            Loop.RunUntil(() => _pendingGuestWrites == 0);
            if (!_job.Query().IsEnded)
                Assert.True(_job.Cancel().IsNone);
        }
        Loop.RunUntil(() => _job.Query().IsEnded && _pendingGuestWrites == 0);
        Loop.FileIo.Override = null;
        return _job;
    }

    public void AssertCopied(ulong cluster)
    {
        int offset = (int)(cluster * ClusterBytes);
        ReadOnlySpan<byte> copied = _target.Content.AsSpan(offset, (int)ClusterBytes);
        Assert.True(copied.SequenceEqual(_frozen.AsSpan(offset, (int)ClusterBytes)), $"cluster {cluster}");
    }

    public void OnGuestCompleted(ulong userData, Fault fault)
    {
        Assert.Equal(Fault.None, fault);
        _pendingGuestWrites--;
    }

    public void Dispose()
    {
        if (Loop.FileIo.InFlightCount > 0)
            return; // after a failed assertion
        _job?.Dispose();
        _disk.Dispose();
        _sourceDevice.Dispose();
        _targetDevice.Dispose();
        _pool.Dispose();
        _guestBuffer.Dispose();
        Loop.Dispose();
    }

    void GuestWrite(ulong cluster)
    {
        Written.Add(cluster);
        _pendingGuestWrites++;
        GuestRequest request = new()
        {
            Operation = BlockOperation.Write,
            OffsetBytes = cluster * ClusterBytes + 512,
            LengthBytes = 1024,
            Buffer = _guestBuffer.Start,
            Owner = this,
        };
        Assert.True(_disk.Submit(request).IsNone);
    }

    long? Answer(in FileCommand command, BitmapMatrixTests.Ending ending)
    {
        if (command.File.Fd != _target.Handle.Fd)
            return null;
        if (command.Operation == FileOperation.Flush && ending == BitmapMatrixTests.Ending.FlushFails)
            return -Errnos.EIO;
        Extent extent = new(command.OffsetBytes, command.LengthBytes);
        bool isHit = extent.Overlaps(new Extent(FailingCluster * ClusterBytes, ClusterBytes));
        return command.Operation == FileOperation.Write && isHit && ending == BitmapMatrixTests.Ending.TargetFailsMidway
            ? -Errnos.EIO
            : null;
    }
}
