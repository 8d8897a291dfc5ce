// One backup of disks into a repository, from the request to the durable point. All disks are opened and their trackers
// asked before the first is read: that is T0. Then they are read one after the other, each as fast as it goes. A disk
// that fails is left out of the point and told; the others are worth having.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Repositories;
using FastBackup.Runtime;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class PointBackupRun(PointBackupRequest request, RepositoryWork work)
{
    readonly Output _output = work.Output;
    readonly PointTelling _telling = new(request, work.Output);
    readonly List<DiskDoneEntry> _done = [];

    /// <summary>Each disk that has ended, well or not.</summary>
    public IReadOnlyList<DiskDoneEntry> Disks => _done;

    /// <summary>That was made.</summary>
    public string? Point { get; private set; }

    public int Execute() => work.Run(new RepositoryDoneEvent("done", "backup", null), Run);

    /// <summary>As a part of a larger run, which tells the end itself.</summary>
    /// <returns>What the last object would have been.</returns>
    public RepositoryDoneEvent ExecutePart() => work.RunPart(new RepositoryDoneEvent("done", "backup", null), Run);

    RepositoryDoneEvent Run(RepositoryDoneEvent done)
    {
        OpenedRepository repository = work.Open();
        RepositoryLock? held = request.IsTrial ? null : work.TakeLock(isExclusive: false);
        List<StoredPoint> points = repository.LoadSnapshots(); // before the index: what they need is in it then
        repository.LoadIndex();
        work.Warn();
        PointSource[] sources = [.. request.Sources.Select(one => new PointSource(one, repository, _output))];
        foreach (PointSource source in sources)
            source.FindParent(points, request.Host, request.ChunkBytes);
        ulong chunkBytes = sources.Max(source => source.ChunkBytes);
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
            if (engine!.Pool.SizeBytes < 2 * engine.Pool.BufferBytes)
                throw new RepositoryException(
                    RepositoryError.Refused,
                    $"--memory of {ByteSize.Format(request.MemoryBytes)} is below two chunks of "
                        + $"{ByteSize.Format(chunkBytes)}; give more memory or a smaller --chunk"
                );
            Open(engine, sources);
            return held == null
                ? new PointTrial(_telling, work).Run(done, engine, sources)
                : BackUp(done, repository, held, engine, sources);
        }
        finally
        {
            if (engine!.Reactor.Failure == null)
            {
                foreach (PointSource source in sources)
                    source.Close(engine);
                engine.Dispose();
            }
        }
    }

    /// <summary>All of them, and only then their trackers: nobody writes to any from the first to the last.</summary>
    void Open(Engine engine, PointSource[] sources)
    {
        foreach (PointSource source in sources)
        {
            OpenRefusal refusal = source.TryOpen(engine, request.IsLockIgnored);
            if (!refusal.IsNone)
                Fail(source, new RepositoryException(RepositoryError.Refused, refusal.Sentence));
        }
        foreach (PointSource source in sources.Where(one => one.Failure == null))
        {
            try
            {
                source.Begin(engine, request.IsTrial);
            }
            catch (RepositoryException exception) when (exception.Error == RepositoryError.Refused)
            {
                Fail(source, exception);
            }
        }
    }

    /// <summary>Of several the others go on; of one there is nothing left to do.</summary>
    void Fail(PointSource source, RepositoryException exception)
    {
        source.Failure = exception;
        _done.Add(
            new DiskDoneEntry(source.Wanted.Disk, source.Wanted.Path, RunStatus.Failed.Word())
            {
                Error = exception.Message,
            }
        );
        if (request.Sources.Count == 1)
            throw new RepositoryException(exception.Error, exception.Message, exception);
        _output.Error($"disk '{source.Wanted.Disk}' is left out of the point: {exception.Message}");
    }

    RepositoryDoneEvent BackUp(
        RepositoryDoneEvent done,
        OpenedRepository repository,
        RepositoryLock held,
        Engine engine,
        PointSource[] sources
    )
    {
        long start = Stopwatch.GetTimestamp();
        TimeSpan cpuStart = Environment.CpuUsage.TotalTime;
        PointHead head = new(request.Host, DateTime.UtcNow, request.Tags) { PackBytes = request.PackBytes };
        using PointDraft draft = new(repository, held, head, work.Cancel);
        WorkEngine.Warn(engine, _output);
        foreach (PointSource source in sources.Where(one => one.Failure == null))
        {
            _telling.Tell(source);
            try
            {
                BackUp(repository, draft, engine, source);
            }
            catch (RepositoryException exception)
                when (exception.Error is RepositoryError.Disk or RepositoryError.Damaged)
            {
                Fail(source, exception);
            }
        }
        PointSource[] whole = [.. sources.Where(source => source.Failure == null)];
        if (whole.Length == 0)
            throw new RepositoryException(
                RepositoryError.Disk,
                Phrases.Text($"none of {sources.Length} disks could be read; no point was made")
            );
        BlobId point = draft.Finish(whole.FirstOrDefault(one => one.Parent != null)?.Parent!.Snapshot.Id);
        Point = point.ToString();
        foreach (PointSource source in whole)
            source.Commit();
        double cpu = (Environment.CpuUsage.TotalTime - cpuStart).TotalSeconds;
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        Conclude(point, draft, whole, seconds, cpu);
        return Sum(done, draft, sources, cpu);
    }

    void BackUp(OpenedRepository repository, PointDraft draft, Engine engine, PointSource source)
    {
        using DiskBackup backup = new(repository, draft, engine, source.Device, source.Plan!, work.Cancel);
        DiskProgress progress = backup.Progress;
        BackupOutcome? outcome = null;
        long start = Stopwatch.GetTimestamp();
        work.Show(
            request.Sources.Count == 1 ? "backup" : source.Wanted.Disk,
            progress.TotalBytes,
            () => new WorkProgress(progress.DoneBytes, progress.TotalBytes, progress.ZeroBytes),
            () => outcome = backup.Execute()
        );
        _done.Add(
            new DiskDoneEntry(source.Wanted.Disk, source.Wanted.Path, RunStatus.Done.Word())
            {
                Mode = source.Plan!.Mode,
                Reason = source.Plan.FullReason,
                Bytes = progress.TotalBytes,
                ReadBytes = progress.ReadBytes,
                ZeroBytes = progress.ZeroBytes,
                SameBytes = progress.SameBytes,
                StoredBytes = outcome!.StoredBytes,
                Seconds = Math.Round(Stopwatch.GetElapsedTime(start).TotalSeconds, 6),
            }
        );
    }

    void Conclude(BlobId point, PointDraft draft, PointSource[] whole, double seconds, double cpu)
    {
        DiskDoneEntry[] done = [.. _done.Where(one => one.Error == null)];
        ulong bytes = Sum(done, one => one.Bytes);
        string what =
            whole.Length == 1
                ? $"{request.Host}/{whole[0].Wanted.Disk} made, {done[0].Mode}"
                : Phrases.Text($"{whole.Length} disks of {request.Host} made");
        _output.Line(
            $"point {point.Short} of {what}: "
                + $"{ByteSize.Format(bytes)} in {Phrases.Duration(seconds)} "
                + $"({Phrases.Rate(bytes / Math.Max(seconds, 1e-9))}), "
                + Phrases.Text($"{cpu:0.00} s of CPU\n")
                + $"  {ByteSize.Format(Sum(done, one => one.ReadBytes))} read, "
                + $"{ByteSize.Format(Sum(done, one => one.SameBytes))} as in the parent, "
                + $"{ByteSize.Format(Sum(done, one => one.ZeroBytes))} zero; "
                + $"{ByteSize.Format(draft.Sink.StoredBytes)} stored in '{work.Repository!.Store.Name}'"
        );
    }

    RepositoryDoneEvent Sum(RepositoryDoneEvent done, PointDraft draft, PointSource[] sources, double cpu)
    {
        bool isOne = sources.Length == 1;
        bool isWhole = sources.All(source => source.Failure == null);
        return done with
        {
            Status = isWhole ? "" : RunStatus.Failed.Word(),
            Error = isWhole ? null : "disk",
            Point = Point,
            Mode = isOne ? _done[0].Mode : null,
            Reason = isOne ? _done[0].Reason : null,
            Bytes = Sum(_done, one => one.Bytes),
            ReadBytes = Sum(_done, one => one.ReadBytes),
            ZeroBytes = Sum(_done, one => one.ZeroBytes),
            SameBytes = Sum(_done, one => one.SameBytes),
            StoredBytes = draft.Sink.StoredBytes,
            NewBlobs = draft.Sink.BlobCount,
            CpuSeconds = Math.Round(cpu, 6),
            Backups = isOne ? null : _done,
        };
    }

    static ulong Sum(IReadOnlyList<DiskDoneEntry> entries, Func<DiskDoneEntry, ulong?> of) =>
        entries.Aggregate(0ul, (sum, one) => sum + (of(one) ?? 0));
}
