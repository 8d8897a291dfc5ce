// One backup of a disk into a repository, from the request to the durable point.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Repositories;
using FastBackup.Runtime;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class PointBackupRun(PointBackupRequest request, RepositoryWork work)
{
    readonly Output _output = work.Output;
    IBlockDevice? _source;
    PointTracker? _tracker;
    PointDisk? _parent;
    string? _fullReason;

    /// <summary>That was made.</summary>
    public string? Point { get; private set; }

    public int Execute() => work.Run(new RepositoryDoneEvent("done", "backup", null), Run);

    RepositoryDoneEvent Run(RepositoryDoneEvent done)
    {
        OpenedRepository repository = work.Open();
        RepositoryLock held = work.TakeLock(isExclusive: false);
        List<StoredPoint> points = repository.LoadSnapshots(); // before the index: what they need is in it then
        repository.LoadIndex();
        work.Warn();
        FindParent(repository, points);
        ulong chunkBytes =
            request.ChunkBytes
            ?? (_parent?.Document is { } last && IsChunk(last.ChunkBytes) ? last.ChunkBytes : (ulong?)null)
            ?? DiskLayout.ChunkBytesUsual;
        string? sentence = WorkEngine.TryOpen(
            request.MemoryBytes,
            (uint)chunkBytes,
            request.UsualMemoryBytes,
            out Engine? engine
        );
        if (sentence != null)
            throw new RepositoryException(RepositoryError.Refused, sentence);
        try
        {
            return Run(done, repository, held, engine!, chunkBytes);
        }
        finally
        {
            if (engine!.Reactor.Failure == null)
            {
                _tracker?.Dispose();
                engine.Reactor.Invoke(() => _source?.Dispose());
                engine.Dispose();
            }
        }
    }

    static bool IsChunk(ulong bytes) =>
        bytes is >= DiskLayout.ChunkBytesMin and <= DiskLayout.ChunkBytesMax && Units.IsPowerOfTwo(bytes);

    /// <summary>The last point of this disk, if all its lists can be read.</summary>
    void FindParent(OpenedRepository repository, List<StoredPoint> points)
    {
        if (PointChoice.Newest(points, request.Host, request.Disk) is not { } newest)
        {
            _fullReason = "first";
            return;
        }
        try
        {
            PointDisk parent = PointDisk.Find(repository, newest, request.Host + "/" + request.Disk);
            for (int part = 0; part < parent.PartCount; part++)
                _ = parent.Load(part);
            _parent = parent;
        }
        catch (RepositoryException exception)
            when (exception.Error is RepositoryError.Damaged or RepositoryError.NotFound or RepositoryError.Refused)
        {
            _fullReason = "parent-damaged";
            _output.Doubt($"the last point of this disk cannot be gone on from: {exception.Message}");
        }
    }

    RepositoryDoneEvent Run(
        RepositoryDoneEvent done,
        OpenedRepository repository,
        RepositoryLock held,
        Engine engine,
        ulong chunkBytes
    )
    {
        Throw(
            SourceDisk.TryOpen(
                engine.Reactor,
                request.Source,
                "source",
                request.IsLockIgnored,
                request.Format,
                out _source
            )
        );
        if (engine.Pool.SizeBytes < 2 * engine.Pool.BufferBytes)
            throw new RepositoryException(
                RepositoryError.Refused,
                $"--memory of {ByteSize.Format(request.MemoryBytes)} is below two chunks of "
                    + $"{ByteSize.Format(chunkBytes)}; give more memory or a smaller --chunk"
            );
        DateTime time = DateTime.UtcNow;
        DiskDocument? parent = _parent?.Document;
        if (_parent != null)
            _fullReason = ParentChunks.Refuse(_parent, chunkBytes);
        if (request.Tracker == null)
            _fullReason ??= "no-tracker";
        else
        {
            Throw(PointTracker.TryOpen(engine, request.Tracker, _source!, repository, out _tracker));
            _tracker!.Begin(_fullReason == null ? parent : null);
            _fullReason ??= _tracker.FullReason;
        }
        BackupPlan plan = new()
        {
            Host = request.Host,
            Disk = request.Disk,
            Source = request.Source,
            Time = time,
            ChunkBytes = chunkBytes,
            PackBytes = request.PackBytes,
            Parent = _parent,
            Changed = _fullReason == null ? _tracker!.Changed : null,
            FullReason = _fullReason,
            Checkpoint = _tracker?.Checkpoint is { Length: > 0 } made ? made : null,
            CheckpointNs = _tracker?.CheckpointNs ?? 0,
            Tags = request.Tags,
        };
        Tell(engine, plan);
        return BackUp(done, repository, held, engine, plan);
    }

    RepositoryDoneEvent BackUp(
        RepositoryDoneEvent done,
        OpenedRepository repository,
        RepositoryLock held,
        Engine engine,
        BackupPlan plan
    )
    {
        using DiskBackup backup = new(repository, held, engine, _source!, plan, work.Cancel);
        DiskProgress progress = backup.Progress;
        BackupOutcome? outcome = null;
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        TimeSpan cpuStart = Environment.CpuUsage.TotalTime;
        work.Show(
            "backup",
            progress.TotalBytes,
            () => new WorkProgress(progress.DoneBytes, progress.TotalBytes, progress.ZeroBytes),
            () => outcome = backup.Execute()
        );
        Point = outcome!.Point.ToString();
        if (request.Tracker != null)
            _tracker!.Commit(_parent?.Document);
        if (request.Tracker != null && plan.Checkpoint == null)
            _output.Warning($"tracker '{request.Tracker}' took no checkpoint: the next backup will be a full one");
        double seconds = System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds;
        double cpu = (Environment.CpuUsage.TotalTime - cpuStart).TotalSeconds;
        string mode = plan.Changed != null ? "incremental" : "full";
        _output.Line(
            $"point {outcome.Point.Short} of {plan.Host}/{plan.Disk} made, {mode}: "
                + $"{ByteSize.Format(progress.TotalBytes)} in {Phrases.Duration(seconds)} "
                + $"({Phrases.Rate(progress.TotalBytes / Math.Max(seconds, 1e-9))}), "
                + Phrases.Text($"{cpu:0.00} s of CPU\n")
                + $"  {ByteSize.Format(progress.ReadBytes)} read, "
                + $"{ByteSize.Format(progress.SameBytes)} as in the parent, "
                + $"{ByteSize.Format(progress.ZeroBytes)} zero; {ByteSize.Format(outcome.StoredBytes)} stored in "
                + $"'{repository.Store.Name}'"
        );
        return done with
        {
            Point = outcome.Point.ToString(),
            Mode = mode,
            Reason = plan.FullReason,
            Bytes = progress.TotalBytes,
            ReadBytes = progress.ReadBytes,
            ZeroBytes = progress.ZeroBytes,
            SameBytes = progress.SameBytes,
            StoredBytes = outcome.StoredBytes,
            NewBlobs = outcome.NewBlobCount,
            CpuSeconds = Math.Round(cpu, 6),
        };
    }

    void Tell(Engine engine, BackupPlan plan)
    {
        WorkEngine.Warn(engine, _output);
        SourceDisk.WarnOfUse(_source!, "source", _output);
        if (SourceDisk.IsUnfinished(_source!))
            _output.Warning(
                $"source '{request.Source}' is marked: a backup onto it has not ended, it may hold no disk"
            );
        if (plan.Changed != null)
            _output.Line(
                $"going on from point {plan.Parent!.Snapshot.Id.Short}: "
                    + $"{ByteSize.Format(plan.Changed.CountBytes())} may have changed"
            );
        else if (plan.Parent != null || request.Tracker != null)
            _output.Line($"reading all of it ({plan.FullReason})");
        _output.Event(
            new PointStartEvent(
                "point",
                request.Place.Address,
                request.Source,
                plan.Host + "/" + plan.Disk,
                plan.Changed != null ? "incremental" : "full",
                plan.FullReason,
                plan.Parent?.Snapshot.Id.ToString(),
                _source!.Limits.CapacityBytes,
                plan.Changed?.CountBytes()
            ),
            JsonEvents.Readable.PointStartEvent
        );
    }

    static void Throw(OpenRefusal refusal)
    {
        if (!refusal.IsNone)
            throw new RepositoryException(RepositoryError.Refused, refusal.Sentence);
    }
}
