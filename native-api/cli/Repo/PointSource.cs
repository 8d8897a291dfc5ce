// One disk that becomes a part of a point: the last point of it, its device, its tracker, and what is to be read.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Repositories;
using FastBackup.Runtime;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
/// <param name="wanted">Which disk.</param>
/// <param name="repository">With its index.</param>
/// <param name="output">For warnings.</param>
sealed class PointSource(PointSourceRequest wanted, OpenedRepository repository, Output output)
{
    IBlockDevice? _device;
    PointTracker? _tracker;
    PointDisk? _parent;
    string? _fullReason;
    ulong? _chunkBytes; // given, or the last point's

    public PointSourceRequest Wanted => wanted;

    public IBlockDevice Device => _device!;

    /// <summary>Of a chunk; until Begin what it may be at most.</summary>
    public ulong ChunkBytes { get; private set; } = DiskLayout.ChunkBytesUsualMost;

    /// <summary>Null until Begin.</summary>
    public BackupPlan? Plan { get; private set; }

    /// <summary>Why it is no part of the point; null: nothing is wrong.</summary>
    public RepositoryException? Failure { get; set; }

    public PointDisk? Parent => _parent;

    /// <summary>Looks for the last point of this disk, if all its lists can be read; that has the chunk size.</summary>
    /// <param name="points">Oldest first.</param>
    /// <param name="host">Whose disk.</param>
    /// <param name="chunkBytes">Null: as the last point has it, else by the disk's size.</param>
    public void FindParent(List<StoredPoint> points, string host, ulong? chunkBytes)
    {
        if (PointChoice.Newest(points, host, wanted.Disk) is not { } newest)
            _fullReason = "first";
        else
            try
            {
                PointDisk parent = PointDisk.Find(repository, newest, host + "/" + wanted.Disk);
                for (int part = 0; part < parent.PartCount; part++)
                    _ = parent.Load(part);
                _parent = parent;
            }
            catch (RepositoryException exception)
                when (exception.Error is RepositoryError.Damaged or RepositoryError.NotFound or RepositoryError.Refused)
            {
                _fullReason = "parent-damaged";
                output.Doubt($"the last point of this disk cannot be gone on from: {exception.Message}");
            }
        _chunkBytes =
            chunkBytes ?? (_parent?.Document is { } last && IsChunk(last.ChunkBytes) ? last.ChunkBytes : null);
        ChunkBytes = _chunkBytes ?? ChunkBytes;
    }

    /// <summary>Opens the disk; what is in use is locked from here on.</summary>
    public OpenRefusal TryOpen(Engine engine, bool isLockIgnored) =>
        SourceDisk.TryOpen(engine.Reactor, wanted.Path, "source", isLockIgnored, wanted.Format, out _device);

    /// <summary>What has changed until now is what is read; what changes from now on is the next point's.</summary>
    /// <param name="engine">Drives it.</param>
    /// <param name="isTrial">The tracker is only looked at.</param>
    /// <exception cref="RepositoryException">The tracker cannot be used.</exception>
    public void Begin(Engine engine, bool isTrial)
    {
        DiskDocument? parent = _parent?.Document;
        ChunkBytes = _chunkBytes ?? DiskLayout.UsualChunkOf(_device!.Limits.CapacityBytes);
        if (_parent != null)
            _fullReason = ParentChunks.Refuse(_parent, ChunkBytes);
        if (wanted.Tracker == null)
            _fullReason ??= "no-tracker";
        else
        {
            OpenRefusal refusal = PointTracker.TryOpen(engine, wanted.Tracker, _device!, repository, out _tracker);
            if (!refusal.IsNone)
                throw new RepositoryException(RepositoryError.Refused, refusal.Sentence);
            if (isTrial)
                _tracker!.Look(_fullReason == null ? parent : null);
            else
                _tracker!.Begin(_fullReason == null ? parent : null);
            _fullReason ??= _tracker.FullReason;
        }
        Plan = new BackupPlan
        {
            Disk = wanted.Disk,
            Source = wanted.Path,
            ChunkBytes = ChunkBytes,
            Parent = _parent,
            Changed = _fullReason == null ? _tracker!.Changed : null,
            FullReason = _fullReason,
            Checkpoint = _tracker?.Checkpoint is { Length: > 0 } made ? made : null,
            CheckpointNs = _tracker?.CheckpointNs ?? 0,
        };
    }

    /// <summary>The point is durable.</summary>
    public void Commit()
    {
        if (wanted.Tracker == null)
            return;
        _tracker!.Commit(_parent?.Document);
        if (Plan!.Checkpoint == null)
            output.Warning($"tracker '{wanted.Tracker}' took no checkpoint: the next backup will be a full one");
    }

    /// <summary>When nothing reads it any more.</summary>
    public void Close(Engine engine)
    {
        _tracker?.Dispose();
        engine.Reactor.Invoke(() => _device?.Dispose());
    }

    static bool IsChunk(ulong bytes) =>
        bytes is >= DiskLayout.ChunkBytesMin and <= DiskLayout.ChunkBytesMax && Units.IsPowerOfTwo(bytes);
}
