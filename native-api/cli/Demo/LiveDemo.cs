// The live half of the demo: guests write through the copy-before-write filter, first without and then with a full
// backup, and the backup must be the disk as it was at the instant the backup began. What that was is known from
// the copy made before and from the guests' own record: their writes up to that instant, applied to it.
using System;
using System.Diagnostics;
using System.IO;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Pacing;
using FastBackup.Runtime;
using Microsoft.Win32.SafeHandles;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class LiveDemo(
    DemoRequest request,
    string diskPath,
    string basePath,
    string targetPath,
    Output output,
    Interruption interruption
) : IJobListener, ITraceSink, IDisposable
{
    const int GuestCount = 4;
    const int QuietMs = 1000;

    readonly ManualResetEvent _concluded = new(false);
    readonly LiveWrites _writes = new();
    readonly LiveView _view = new(output);
    FileDevice? _source;
    FileDevice? _target;
    SlowDevice? _slowTarget;
    DemoScratch? _scratch;
    Disk? _disk;
    BackupJob? _job;
    Reactor? _traced;
    int _writesBefore;

    /// <returns>Null, or why it failed.</returns>
    public string? Run(out LiveResult? result)
    {
        result = null;
        uint chunkBytes = WorkEngine.ChunkBytes(request.MemoryBytes, DemoRequest.ClusterBytes);
        string? sentence = WorkEngine.TryOpen(
            request.MemoryBytes,
            chunkBytes,
            request.UsualMemoryBytes,
            out Engine? engine
        );
        if (sentence != null)
            return sentence;
        if (output.IsJson)
            WorkEngine.Warn(engine!, output); // people have heard them in the first half
        try
        {
            sentence = TryOpen(engine!);
            return sentence ?? RunGuests(engine!, out result);
        }
        finally
        {
            if (engine!.Reactor.Failure == null)
            {
                engine.Reactor.Invoke(CloseAll);
                engine.Dispose();
            }
        }
    }

    /// <summary>
    /// Brings the old copy to the point in time by the guests' own record; then it must equal the backup.
    /// </summary>
    public void ApplyWritesBefore()
    {
        using SafeFileHandle file = File.OpenHandle(basePath, FileMode.Open, FileAccess.Write);
        _writes.Replay(_writesBefore, (offset, bytes) => RandomAccess.Write(file, bytes.Span, (long)offset));
    }

    public void OnJobEvent(Job job, in JobEvent jobEvent)
    {
        if (jobEvent.Kind is JobEventKind.Completed or JobEventKind.Failed or JobEventKind.Cancelled)
            _concluded.Set();
    }

    void ITraceSink.OnTrace(in TraceEvent traceEvent)
    {
        if (traceEvent.Point != TracePoint.PointInTime)
            return;
        _traced!.Trace = null;
        _writesBefore = _writes.Count;
    }

    public void Dispose() => _concluded.Dispose();

    string? TryOpen(Engine engine)
    {
        OpenRefusal refusal = DeviceOpener.TryOpen(engine.Reactor, new() { Path = diskPath }, out _source);
        if (refusal.IsNone)
        {
            FileOpenOptions create = new() { Path = targetPath, CreateBytes = _source!.Limits.CapacityBytes };
            refusal = DeviceOpener.TryOpen(engine.Reactor, create, out _target);
        }
        if (refusal.IsNone && request.ScratchPath != null)
            refusal = DemoScratch.TryOpen(engine.Reactor, request, out _scratch);
        if (refusal.IsNone)
            engine.Reactor.Invoke(() => refusal = TryCreateJob(engine));
        return refusal.IsNone ? null : refusal.Sentence;
    }

    OpenRefusal TryCreateJob(Engine engine)
    {
        _disk = new Disk(engine.Reactor, _source!, "disk");
        if (request.TargetBytesPerSecond > 0)
            _slowTarget = new SlowDevice(engine.Reactor, _target!, request.TargetBytesPerSecond);
        BackupOptions options = new()
        {
            GuestPriority = request.GuestPriority,
            Filter = new FilterOptions { ClusterBytes = DemoRequest.ClusterBytes, Scratch = _scratch?.Space },
        };
        IBlockDevice target = _slowTarget ?? (IBlockDevice)_target!;
        return BackupJob.TryCreate(engine.Reactor, _disk, target, engine.Pool, options, hasView: false, out _job);
    }

    string? RunGuests(Engine engine, out LiveResult? result)
    {
        result = null;
        LiveGuest[] guests = new LiveGuest[GuestCount];
        for (int i = 0; i < GuestCount; i++)
            guests[i] = new LiveGuest(_disk!, _writes, (ulong)i + 1);
        foreach (LiveGuest guest in guests)
            guest.Start();
        WaitWithoutBackup();
        double seconds = 0;
        if (!interruption.IsRequested)
            seconds = RunJob(engine, guests);
        foreach (LiveGuest guest in guests)
            guest.Stop();
        if (interruption.IsRequested)
            return "interrupted";
        if (engine.Reactor.Failure is { } bug)
            return $"an internal error: {bug.Message}";
        JobProgress progress = _job!.Query();
        if (!progress.IsSuccess)
            return $"the backup beside the guests failed: {progress.Fault}";
        foreach (LiveGuest guest in guests)
            if (guest.Fault.IsFault)
                return $"a guest's write failed: {guest.Fault}";
        result = new LiveResult(
            LiveGuest.Summarize(guests, guest => guest.QuietMs),
            LiveGuest.Summarize(guests, guest => guest.BackupMs),
            progress,
            _job.QueryStatistics(),
            seconds,
            _writesBefore,
            _writes.Count - _writesBefore
        );
        foreach (LiveGuest guest in guests)
            guest.Dispose();
        return null;
    }

    void WaitWithoutBackup()
    {
        long start = Stopwatch.GetTimestamp();
        int leftMs = QuietMs;
        while (leftMs > 0)
        {
            int intervalMs = _view.IntervalMs == Timeout.Infinite ? QuietMs : _view.IntervalMs;
            if (interruption.Event.WaitOne(Math.Min(leftMs, intervalMs)))
                return;
            _view.Show(_job!);
            leftMs = QuietMs - (int)Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }
    }

    /// <summary>Takes the point in time and runs the job to its end; returns its seconds.</summary>
    double RunJob(Engine engine, LiveGuest[] guests)
    {
        foreach (LiveGuest guest in guests)
            guest.SetUnderBackup(true);
        long start = Stopwatch.GetTimestamp();
        BackupJob job = _job!;
        job.Listener = this;
        engine.Reactor.Invoke(() =>
        {
            _traced = engine.Reactor;
            _traced.Trace = this; // tells of the job's own quiesced moment, in which no write is half done
            job.Start(engine.Reactor);
        });
        _view.BeginBackup();
        WorkEngine.Wait(
            engine,
            _concluded,
            interruption,
            () =>
            {
                job.Cancel();
                _slowTarget?.Release(); // what it holds back would only delay the end
            },
            _view.IntervalMs,
            () => _view.Show(job)
        );
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        _view.Show(job, isLast: true);
        foreach (LiveGuest guest in guests)
            guest.SetUnderBackup(false);
        return seconds;
    }

    void CloseAll()
    {
        _job?.Dispose();
        _disk?.Dispose();
        _scratch?.Close();
        // A job that failed may have left requests behind.
        _slowTarget?.Release();
        _slowTarget?.Dispose();
        _target?.DisposeWhenIdle();
        _source?.DisposeWhenIdle();
    }
}
