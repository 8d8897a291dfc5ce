// One backup job with the counters read on the reactor's thread, at its start and inside its end, so that
// nothing of the harness lies in between but reading them. The readers run once before, because their first
// call binds to the C library, which allocates.
using System;
using System.Diagnostics;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Ports;
using FastBackup.Ports.Linux.Ring;
using FastBackup.Runtime;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Throughput;

/// <summary>Threads: one, which waits while the reactor works.</summary>
sealed class MeasuredJob : ILoopTask, IJobListener, IDisposable
{
    readonly record struct Reading(long Timestamp, ProcessUse Use, long LoopBytes, long AllBytes, ulong EnterCount);

    readonly Engine _engine;
    readonly Disk _disk;
    readonly BackupJob _job;
    readonly Transaction _transaction;
    readonly CountingDevice _source;
    readonly CountingDevice _target;
    readonly ManualResetEventSlim _ended = new();
    Reading _start;
    Reading _end;

    public MeasuredJob(Engine engine, IBlockDevice source, IBlockDevice target, BackupOptions options)
    {
        _engine = engine;
        (_source, _target) = (new CountingDevice(source), new CountingDevice(target));
        Disk? disk = null;
        BackupJob? job = null;
        OpenRefusal refusal = default;
        engine.Reactor.Invoke(() =>
        {
            disk = new Disk(engine.Reactor, _source, "source");
            if (options.Bitmap is { } bitmap) // nothing is in flight: the moment is now
                new QuiescedChange(engine.Reactor, [disk], () => disk.Add(bitmap)).Begin();
            refusal = BackupJob.TryCreate(engine.Reactor, disk, _target, engine.Pool, options, hasView: false, out job);
        });
        if (!refusal.IsNone)
            throw new PeerException(refusal.Sentence);
        (_disk, _job) = (disk!, job!);
        _job.Listener = this;
        _transaction = new Transaction(engine.Reactor, [_job]);
        engine.Reactor.OnStopped = _ => _ended.Set();
    }

    public double WallSeconds => Stopwatch.GetElapsedTime(_start.Timestamp, _end.Timestamp).TotalSeconds;

    public ulong ReadCount => _source.ReadCount;

    /// <summary>Runs the job to its end.</summary>
    /// <exception cref="PeerException">It did not succeed.</exception>
    public void Run()
    {
        _engine.Reactor.Invoke(() => _end = Read(isStart: false));
        Check.That(_engine.Reactor.TryPost(this, 0)); // not Invoke, whose own end would lie in the measured time
        _ended.Wait();
        if (_engine.Reactor.Failure is { } failure)
            throw new PeerException("the reactor stopped: " + failure);
        JobProgress progress = _job.Query();
        if (!progress.IsSuccess)
            throw new PeerException("our backup failed: " + progress.Fault);
    }

    public CopyReport Report(double openSeconds) =>
        new(
            WallSeconds,
            _end.Use - _start.Use,
            ProcessUse.PeakResidentBytes("self"),
            _engine.Pool.Region.LengthBytes,
            _job.Query().WrittenBytes,
            _end.LoopBytes - _start.LoopBytes,
            _end.AllBytes - _start.AllBytes,
            _source.ReadCount,
            _target.WriteCount,
            _end.EnterCount - _start.EnterCount,
            _engine.Reactor.FileIo.Name,
            _job.WindowBytes,
            openSeconds,
            [.. _engine.Warnings]
        );

    public void Dispose()
    {
        _engine.Reactor.Invoke(() =>
        {
            _job.Dispose();
            _disk.Dispose();
        });
        _ended.Dispose();
    }

    void ILoopTask.Run(ulong argument)
    {
        _start = Read(isStart: true);
        _transaction.Start();
    }

    void IJobListener.OnJobEvent(Job job, in JobEvent jobEvent)
    {
        if (jobEvent.Kind is not (JobEventKind.Completed or JobEventKind.Failed or JobEventKind.Cancelled))
            return;
        _end = Read(isStart: false);
        _ended.Set();
    }

    /// <summary>
    /// The precise count of all threads stops the others for a moment: outside the other figures. This thread's count
    /// comes last at the start and first at the end, so that the readers' own allocations stay out of it.
    /// </summary>
    Reading Read(bool isStart)
    {
        long loopBytes = GC.GetAllocatedBytesForCurrentThread();
        long timestamp = Stopwatch.GetTimestamp();
        ProcessUse use = ProcessUse.Self();
        ulong enterCount = _engine.Reactor.FileIo is RingFileIo ring ? ring.EnterCount : 0;
        long allBytes = GC.GetTotalAllocatedBytes(precise: true);
        if (isStart)
            loopBytes = GC.GetAllocatedBytesForCurrentThread();
        return new Reading(timestamp, use, loopBytes, allBytes, enterCount);
    }
}
