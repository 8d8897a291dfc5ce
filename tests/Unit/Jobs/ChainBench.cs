// A disk with a target that equals it but for what a bitmap names, one job over them that ends in any way at any step,
// and the next job of the chain: what the first one spoilt, the bitmap must know.
// The target of the tests leaves garbage in all of a request that fails.
using System;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Memory;
using FastBackup.Pacing;
using FastBackup.Ports;
using FastBackup.Tests.Simulated;
using Xunit;

namespace FastBackup.Tests.Unit.Jobs;

sealed class ChainBench : IGuestOwner, IDisposable
{
    public const uint ClusterBytes = 65_536;
    public const uint GranularityBytes = 4096;
    const ulong CapacityBytes = 6 * ClusterBytes;

    readonly SimulatedDisk _source;
    readonly SimulatedDisk _target;
    readonly FileDevice _sourceDevice;
    readonly FileDevice _targetDevice;
    readonly BufferPool _pool;

    /// <param name="isChain">False: the target has nothing of the disk, and the bitmap nothing of the target.</param>
    public ChainBench(bool isChain)
    {
        _sourceDevice = Loop.OpenFile(CapacityBytes, out _source, 512);
        _targetDevice = Loop.OpenFile(CapacityBytes, out _target, 512);
        Assert.True(BufferPool.TryCreate(ClusterBytes, 4, out BufferPool? pool).IsNone);
        _pool = pool!;
        byte[] bytes = new byte[CapacityBytes];
        new Prng(7).Fill(bytes);
        _source.Write(0, bytes);
        _source.Punch(3 * ClusterBytes, ClusterBytes);
        _source.Zero(ClusterBytes + 8192, 4 * GranularityBytes);
        _source.Content.CopyTo(_target.Content, 0);
        Subject = new Disk(Loop.Reactor, _sourceDevice, "disk", slotCount: 16);
        Assert.True(DirtyBitmap.TryCreate("daily", CapacityBytes, GranularityBytes, out DirtyBitmap? bitmap).IsNone);
        Bitmap = bitmap!;
        Disk.Quiesce(Loop.Reactor, [Subject], () => Subject.Add(Bitmap));
        if (!isChain)
            _target.Content.AsSpan().Fill(0xEE);
        else
            foreach (ulong granule in new ulong[] { 1, 33, 50, 95 })
                Dirty(granule);
    }

    public SimulatedLoop Loop { get; } = new(3);

    public Disk Subject { get; }

    public DirtyBitmap Bitmap { get; }

    public bool IsSettled => !Bitmap.IsBusy;

    /// <summary>Granules that are dirty.</summary>
    public ulong DirtyCount => Bitmap.Bits.CountBits();

    public bool IsSame => _source.Content.AsSpan().SequenceEqual(_target.Content);

    public BackupJob Create(
        BackupSync sync,
        BitmapMode? mode,
        uint clusterBytes = ClusterBytes,
        bool hasView = false,
        string id = "job"
    )
    {
        BackupOptions options = new()
        {
            Id = id,
            Sync = sync,
            BitmapMode = mode,
            GuestPriority = GuestPriority.Off, // a few turns, not a governor's many looks at the clock
            Bitmap = sync == BackupSync.None ? null : Bitmap,
            Filter = new FilterOptions { ClusterBytes = clusterBytes },
        };
        OpenRefusal refusal = BackupJob.TryCreate(
            Loop.Reactor,
            Subject,
            _targetDevice,
            _pool,
            options,
            hasView,
            out BackupJob? job
        );
        Assert.True(refusal.IsNone, refusal.Sentence);
        return job!;
    }

    /// <summary>A guest's write of the other content of a granule, from leave to landing.</summary>
    public void Dirty(ulong granule)
    {
        Assert.Equal(Grant.Granted, Begin(granule));
        End(granule);
    }

    public Grant Begin(ulong granule) =>
        Subject.BeginWrite(granule * GranularityBytes, GranularityBytes, this, granule, out _);

    public void End(ulong granule)
    {
        byte[] bytes = _source.Content.AsSpan((int)(granule * GranularityBytes), (int)GranularityBytes).ToArray();
        foreach (ref byte one in bytes.AsSpan())
            one ^= 0x55;
        _source.Write(granule * GranularityBytes, bytes);
        Subject.EndWrite();
    }

    /// <summary>The operation of this number and kind on the target fails and leaves garbage.</summary>
    public void FailAt(FileOperation operation, ulong number)
    {
        ulong seen = 0;
        Loop.FileIo.Override = command =>
        {
            bool isTarget = command.File == _target.Handle || command.File == _target.BufferedHandle;
            if (!isTarget || command.Operation != operation || seen++ != number)
                return null;
            if (operation != FileOperation.Flush)
                _target.Content.AsSpan((int)command.OffsetBytes, (int)command.LengthBytes).Fill(0x5A);
            return -Errnos.EIO;
        };
    }

    /// <summary>Turns until the job has ended.</summary>
    public void RunToEnd(BackupJob job) => Loop.RunUntil(() => job.Query().IsEnded);

    /// <summary>The next job of the chain, with clusters as small as granules: the target is the disk.</summary>
    public void AssertNextJobMendsAll(string what)
    {
        Loop.FileIo.Override = null;
        Loop.FileIo.ReleaseHeld();
        Loop.RunUntil(() => _targetDevice.InFlightCount + _sourceDevice.InFlightCount == 0);
        Assert.True(IsSettled, what);
        BackupJob next = Create(BackupSync.Incremental, null, GranularityBytes, id: "next");
        next.Start(Loop.Reactor);
        RunToEnd(next);
        Assert.True(next.Query().IsSuccess, what);
        next.Dispose();
        Assert.True(IsSame, what);
    }

    /// <summary>A hook-mode write that waited may land.</summary>
    public void OnGuestCompleted(ulong userData, Fault fault)
    {
        Assert.Equal(Fault.None, fault);
        End(userData);
    }

    public void Dispose()
    {
        // After a failed assertion things are still in flight; only a clean end is checked by the disposals.
        if (Loop.FileIo.InFlightCount > 0 || Bitmap.IsBusy || Subject.WritesInFlight > 0)
            return;
        Subject.Dispose();
        _sourceDevice.Dispose();
        _targetDevice.Dispose();
        _pool.Dispose();
        Loop.Dispose();
    }
}
