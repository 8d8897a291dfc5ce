// One backup from the request to the renamed file: open source, plan and open target, run the job, publish.
// Whatever the end, devices and memory are given back on the reactor's thread, in the order job, disks,
// engine. A copy that has begun and did not end well stays under its partial name.
using System;
using System.Diagnostics;
using System.IO;
using System.Threading;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Runtime;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class BackupRun(BackupRequest request, Output output, Interruption interruption) : IJobListener, IDisposable
{
    readonly ManualResetEvent _concluded = new(false);
    FileDevice? _source;
    FileDevice? _target;
    BackupTarget? _place;
    Disk? _disk;
    BackupJob? _job;

    public BackupResult Execute()
    {
        uint chunkBytes = WorkEngine.ChunkBytes(request.MemoryBytes, request.ClusterBytes);
        string? sentence = WorkEngine.TryOpen(request.MemoryBytes, chunkBytes, out Engine? engine);
        if (sentence != null)
            return BackupResult.Refused(sentence, new Fault(FaultKind.NoMemory));
        try
        {
            OpenRefusal refusal = TryPrepare(engine!);
            return refusal.IsNone ? RunJob(engine!) : BackupResult.Refused(refusal.Sentence, refusal.Fault);
        }
        finally
        {
            // After a bug the kernel may still own buffers: then memory ends with the process.
            if (engine!.Reactor.Failure == null)
            {
                engine.Reactor.Invoke(CloseAll);
                engine.Dispose();
            }
        }
    }

    OpenRefusal TryPrepare(Engine engine)
    {
        OpenRefusal refusal = SourceDisk.TryOpen(engine.Reactor, request.Source, "source", out _source);
        if (!refusal.IsNone)
            return refusal;
        string? sentence = CopyBitmapRule.Check(
            _source!.Limits.CapacityBytes,
            request.ClusterBytes,
            MachineMemory.AvailableBytes()
        );
        if (sentence != null)
            return new OpenRefusal(new Fault(FaultKind.NoMemory), sentence);
        refusal = BackupTarget.TryPlan(_source, request.Target, request.IsForced, out _place);
        if (refusal.IsNone)
            refusal = _place!.TryOpen(engine.Reactor, _source, out _target);
        if (!refusal.IsNone)
            return refusal;
        BackupOptions options = new()
        {
            Sync = request.Sync,
            MayTargetBeLarger = true, // a block device that is larger: its rest is left alone
            Filter = new FilterOptions { ClusterBytes = request.ClusterBytes },
            SpeedBytesPerSecond = request.SpeedBytesPerSecond,
            GuestPriority = request.GuestPriority,
        };
        engine.Reactor.Invoke(() => refusal = TryCreateJob(engine, options));
        if (!refusal.IsNone)
            _place!.Undo();
        return refusal;
    }

    OpenRefusal TryCreateJob(Engine engine, BackupOptions options)
    {
        _disk = new Disk(engine.Reactor, _source!, request.Source);
        return BackupJob.TryCreate(engine.Reactor, _disk, _target!, engine.Pool, options, hasView: false, out _job);
    }

    BackupResult RunJob(Engine engine)
    {
        BackupJob job = _job!;
        WriteStart(engine);
        WorkEngine.Warn(engine, output);
        if (_source!.IsBlockDevice && SourceDisk.IsInUse(request.Source))
            output.Warning(
                $"source '{request.Source}' is mounted or in use: what is written to it meanwhile may be half copied"
            );
        job.Listener = this;
        long start = Stopwatch.GetTimestamp();
        TimeSpan cpuStart = Environment.CpuUsage.TotalTime;
        IProgressView view = output.CreateView();
        view.Run(
            "backup",
            _source.Limits.CapacityBytes,
            show =>
            {
                engine.Reactor.Invoke(() => job.Start(engine.Reactor));
                WorkEngine.Wait(
                    engine,
                    _concluded,
                    interruption,
                    () => job.Cancel(),
                    view.IntervalMs,
                    () => show(Picture(job.Query()))
                );
            }
        );
        JobProgress progress = job.Query();
        bool isWhole = progress.IsSuccess && engine.Reactor.Failure == null;
        string? publishSentence = isWhole ? _place!.TryPublish() : null;
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double cpuSeconds = (Environment.CpuUsage.TotalTime - cpuStart).TotalSeconds;
        BackupResult result = new(RunStatus.Done, null, default, null, progress, seconds, cpuSeconds);
        if (isWhole && publishSentence == null)
            return result;
        bool isInterrupted = progress.Fault.Kind == FaultKind.Canceled && engine.Reactor.Failure == null;
        return result with
        {
            Status = isInterrupted ? RunStatus.Interrupted : RunStatus.Failed,
            Sentence = publishSentence ?? Explain(progress, engine.Reactor.Failure),
            Fault = isInterrupted ? default : progress.Fault,
            PartialPath = File.Exists(_place!.PartialPath) ? _place.PartialPath : null,
        };
    }

    string Explain(in JobProgress progress, Exception? bug)
    {
        string kept = _place!.PartialPath is { } partial
            ? $"the unfinished copy is kept in '{partial}'; remove it, or run again with --force to start anew"
            : $"'{request.Target}' holds an unfinished copy: run again to start anew";
        string done =
            $"after {ByteSize.Format(progress.DoneBytes)} of {ByteSize.Format(progress.TotalBytes)} "
            + Phrases.Text(
                $"({(progress.TotalBytes == 0 ? 0 : 100.0 * progress.DoneBytes / progress.TotalBytes):0} %)"
            );
        if (progress.InFlightBytes > 0)
            kept +=
                $"; {ByteSize.Format(progress.InFlightBytes)} are still held by a device that does not answer: "
                + "this process ends when the kernel gives them back";
        if (bug != null)
            return $"backup stopped {done} by an internal error ({bug.Message}); {kept}";
        if (progress.Fault.Kind == FaultKind.Canceled)
            return $"interrupted {done}; {kept}";
        string where = progress.IsSourceFault
            ? $"cannot read source '{request.Source}'"
            : $"cannot write target '{_place.PartialPath ?? request.Target}'";
        return $"{where}: {progress.Fault}, {done}; {kept}";
    }

    void WriteStart(Engine engine) =>
        output.Event(
            new StartEvent(
                "start",
                "backup",
                request.Source,
                request.Target,
                _source!.Limits.CapacityBytes,
                engine.Reactor.FileIo.Name,
                _source.IsDirect,
                _target!.IsDirect
            ),
            JsonEvents.Readable.StartEvent
        );

    void IJobListener.OnJobEvent(Job job, in JobEvent jobEvent)
    {
        if (jobEvent.Kind is JobEventKind.Completed or JobEventKind.Failed or JobEventKind.Cancelled)
            _concluded.Set();
    }

    public void Dispose() => _concluded.Dispose();

    void CloseAll()
    {
        _job?.Dispose();
        _disk?.Dispose();
        // A device that does not answer keeps its last requests: it is closed when they have ended.
        _target?.DisposeWhenIdle();
        _source?.DisposeWhenIdle();
    }

    static WorkProgress Picture(in JobProgress progress) =>
        new(progress.DoneBytes, progress.TotalBytes, progress.SkippedZeroBytes + progress.WrittenZeroBytes);
}
