// FastBackup as a host: the engine with its defaults in this process, the disk in device mode behind our small NBD
// server, the backup a full one with its defaults.
using System;
using System.Diagnostics;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bench.GuestLatency.Nbd;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Runtime;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.GuestLatency;

/// <summary>Threads: one.</summary>
sealed class OurHost : IBackupHost, IJobListener
{
    public const string OurName = "ours";

    static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(30);

    readonly HostPlan _plan;
    readonly Engine _engine;
    readonly ManualResetEventSlim _ended = new();
    FileDevice? _source;
    IBlockDevice? _target;
    Disk? _disk;
    NbdExport? _export;
    BackupJob? _job;
    long _start;
    double _copiedSeconds;

    public OurHost(HostPlan plan)
    {
        _plan = plan;
        Fault fault = Engine.TryOpen(new EngineOptions { OnStopped = _ => _ended.Set() }, out Engine? engine);
        if (fault.IsFault)
            throw new PeerException($"cannot open the engine: {fault}");
        _engine = engine!;
        try
        {
            _source = Open(new FileOpenOptions { Path = plan.SourcePath, IsDirect = plan.IsDirect });
            _engine.Reactor.Invoke(() => _disk = new Disk(_engine.Reactor, _source!, "disk"));
            _export = new NbdExport(_engine.Reactor, _disk!, "disk", plan.SocketPath);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public string Name => OurName;

    public string SocketPath => _plan.SocketPath;

    /// <summary>The job, once it has been started.</summary>
    public BackupJob Job => _job!;

    public void StartBackup(CancellationToken cancel)
    {
        FilterOptions filter = new() { TakesGuestReads = _plan.TakesGuestReads };
        if (_plan.CbwTimeoutMs is { } limitMs)
            filter = filter with { CbwTimeoutMs = limitMs };
        BackupSync sync = _plan.IsCopiesOnly ? BackupSync.None : BackupSync.Full;
        StartBackup(new BackupOptions { Filter = filter, Sync = sync });
    }

    public void StartBackup(BackupOptions options)
    {
        _target = OpenTarget();
        OpenRefusal refusal = default;
        _start = Stopwatch.GetTimestamp();
        _engine.Reactor.Invoke(() =>
        {
            refusal = BackupJob.TryCreate(_engine.Reactor, _disk!, _target!, _engine.Pool, options, false, out _job);
            if (!refusal.IsNone)
                return;
            _job!.Listener = this;
            _job.Start(_engine.Reactor);
        });
        if (!refusal.IsNone)
            throw new PeerException(refusal.Sentence);
    }

    public bool HasCopied()
    {
        if (_copiedSeconds > 0)
            return true;
        JobProgress progress = Query();
        if (_plan.IsCopiesOnly || progress.TotalBytes == 0 || progress.DoneBytes < progress.TotalBytes)
            return false;
        _copiedSeconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        return true;
    }

    public BackupPace Pace()
    {
        bool isWhole = HasCopied();
        double seconds = isWhole ? _copiedSeconds : Stopwatch.GetElapsedTime(_start).TotalSeconds;
        return new BackupPace(Query().DoneBytes, seconds, isWhole);
    }

    /// <summary>Waits for the end of the job, its final flush included.</summary>
    public JobProgress WaitForEnd(CancellationToken cancel)
    {
        _ended.Wait(cancel);
        return Query();
    }

    public CancelTimes Cancel(TimeSpan limit)
    {
        long start = Stopwatch.GetTimestamp();
        double? endSeconds = null;
        double? detachSeconds = null;
        _engine.Reactor.Invoke(() => _job!.Cancel());
        while ((endSeconds == null || detachSeconds == null) && Stopwatch.GetElapsedTime(start) < limit)
        {
            bool isAttached = true;
            _engine.Reactor.Invoke(() => isAttached = _job!.Filter.IsAttached);
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (_ended.IsSet)
                endSeconds ??= seconds;
            if (!isAttached)
                detachSeconds ??= seconds;
            Thread.Sleep(1);
        }
        return new CancelTimes(endSeconds, detachSeconds);
    }

    public void FreezeTarget() => _engine.Reactor.Invoke(() => (_target as LimitedDevice)!.Freeze());

    public void ThawTarget() => _engine.Reactor.Invoke(() => (_target as LimitedDevice)?.Thaw());

    public void OnJobEvent(Job job, in JobEvent jobEvent)
    {
        if (jobEvent.Kind is JobEventKind.Completed or JobEventKind.Failed or JobEventKind.Cancelled)
            _ended.Set();
    }

    public void Dispose()
    {
        _export?.Dispose();
        if (_job != null && !_ended.IsSet)
        {
            _engine.Reactor.Invoke(() => _job.Cancel());
            if (!_ended.Wait(EndLimit))
                throw new PeerException("our backup did not end after it was cancelled");
        }
        WaitForDevices();
        _engine.Reactor.Invoke(() =>
        {
            _job?.Dispose();
            _disk?.Dispose();
            _target?.Dispose();
            _source?.Dispose();
        });
        _engine.Dispose();
        _ended.Dispose();
    }

    /// <summary>A job that was cancelled does not wait for a slow flush, and nor does its end.</summary>
    void WaitForDevices()
    {
        bool isIdle = false;
        for (long start = Stopwatch.GetTimestamp(); !isIdle && Stopwatch.GetElapsedTime(start) < EndLimit; )
        {
            _engine.Reactor.Invoke(() => isIdle = _target is null or { InFlightCount: 0 });
            Thread.Sleep(isIdle ? 0 : 1);
        }
    }

    JobProgress Query()
    {
        if (_engine.Reactor.Failure is { } failure)
            throw new PeerException("the reactor stopped: " + failure);
        JobProgress progress = _job!.Query();
        if (progress.Fault.IsFault && progress.Fault.Kind != FaultKind.Canceled && !_plan.IsFailureExpected)
            throw new PeerException($"our backup failed: {progress.Fault}");
        return progress;
    }

    IBlockDevice OpenTarget()
    {
        if (_plan.LimitBytesPerSecond == 0)
            return Open(
                new FileOpenOptions
                {
                    Path = _plan.TargetPath,
                    CreateBytes = _plan.SizeBytes,
                    IsDirect = _plan.IsDirect,
                }
            );
        IBlockDevice? device = null;
        _engine.Reactor.Invoke(() =>
        {
            MemoryDevice memory = new(_engine.Reactor, "limited", _plan.SizeBytes);
            device = new LimitedDevice(_engine.Reactor, memory, _plan.LimitBytesPerSecond);
        });
        return device!;
    }

    FileDevice Open(FileOpenOptions options)
    {
        FileDevice? device = null;
        OpenRefusal refusal = default;
        _engine.Reactor.Invoke(() => refusal = DeviceOpener.TryOpen(_engine.Reactor, options, out device));
        return refusal.IsNone ? device! : throw new PeerException(refusal.Sentence);
    }
}
