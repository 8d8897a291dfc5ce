// The live half of the demo: guests write through the copy-before-write filter, first without and then with a full
// backup, and the backup must be the disk as it was at the instant the backup began. What that was is known from
// the copy made before and from the guests' own record: their writes up to that instant, applied to it.
using System;
using System.Collections.Generic;
using System.IO;
using System.Threading;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Copy;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Runtime;
using Microsoft.Win32.SafeHandles;

namespace FastBackup.Cli;

/// <param name="Quiet">Latencies of guest writes without a backup.</param>
/// <param name="UnderBackup">And with one.</param>
/// <param name="Progress">The job's end.</param>
/// <param name="Seconds">From the job's start to its end.</param>
/// <param name="WritesBefore">Guest writes up to the point in time.</param>
/// <param name="WritesAfter">And after it, while the backup ran.</param>
sealed record LiveResult(
    Percentiles Quiet,
    Percentiles UnderBackup,
    JobProgress Progress,
    double Seconds,
    int WritesBefore,
    int WritesAfter
);

/// <summary>Threads: one.</summary>
sealed class LiveDemo(
    string diskPath,
    string basePath,
    string targetPath,
    GuestPriority guestPriority,
    Interruption interruption
) : IJobListener, IDisposable
{
    const int GuestCount = 4;
    const int QuietMs = 1000;
    const ulong MemoryBytes = 64 * Units.MiB;

    readonly ManualResetEvent _concluded = new(false);
    readonly LiveWrites _writes = new();
    FileDevice? _source;
    FileDevice? _target;
    Disk? _disk;
    BackupJob? _job;
    int _writesBefore;

    /// <returns>Null, or why it failed.</returns>
    public string? Run(out LiveResult? result)
    {
        result = null;
        string? sentence = WorkEngine.TryOpen(MemoryBytes, (uint)Units.MiB, out Engine? engine);
        if (sentence != null)
            return sentence;
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

    public void Dispose() => _concluded.Dispose();

    string? TryOpen(Engine engine)
    {
        OpenRefusal refusal = FileDevice.TryOpen(engine.Reactor, new() { Path = diskPath }, out _source);
        if (refusal.IsNone)
        {
            FileOpenOptions create = new() { Path = targetPath, CreateBytes = _source!.Limits.CapacityBytes };
            refusal = FileDevice.TryOpen(engine.Reactor, create, out _target);
        }
        if (refusal.IsNone)
            engine.Reactor.Invoke(() =>
            {
                _disk = new Disk(engine.Reactor, _source!, "disk");
                BackupOptions options = new() { GuestPriority = guestPriority };
                refusal = BackupJob.TryCreate(
                    engine.Reactor,
                    _disk,
                    _target!,
                    engine.Pool,
                    options,
                    hasView: false,
                    out _job
                );
            });
        return refusal.IsNone ? null : refusal.Sentence;
    }

    string? RunGuests(Engine engine, out LiveResult? result)
    {
        result = null;
        LiveGuest[] guests = new LiveGuest[GuestCount];
        for (int i = 0; i < GuestCount; i++)
            guests[i] = new LiveGuest(_disk!, _writes, (ulong)i + 1);
        foreach (LiveGuest guest in guests)
            guest.Start();
        interruption.Event.WaitOne(QuietMs);
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
            Percentiles.Of(guests, guest => guest.QuietMs),
            Percentiles.Of(guests, guest => guest.BackupMs),
            progress,
            seconds,
            _writesBefore,
            _writes.Count - _writesBefore
        );
        foreach (LiveGuest guest in guests)
            guest.Dispose();
        return null;
    }

    /// <summary>Takes the point in time and runs the job to its end; returns its seconds.</summary>
    double RunJob(Engine engine, LiveGuest[] guests)
    {
        foreach (LiveGuest guest in guests)
            guest.SetUnderBackup(true);
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        BackupJob job = _job!;
        job.Listener = this;
        engine.Reactor.Invoke(() =>
            Disk.Quiesce(
                engine.Reactor,
                [_disk!],
                () =>
                {
                    _writesBefore = _writes.Count; // the same quiesced moment as the job's own: no write is half done
                    job.Start(engine.Reactor);
                }
            )
        );
        WorkEngine.Wait(engine, _concluded, interruption, () => job.Cancel(), Timeout.Infinite, () => { });
        double seconds = System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds;
        foreach (LiveGuest guest in guests)
            guest.SetUnderBackup(false);
        return seconds;
    }

    void CloseAll()
    {
        _job?.Dispose();
        _disk?.Dispose();
        _target?.Dispose();
        _source?.Dispose();
    }
}

/// <summary>Milliseconds.</summary>
readonly record struct Percentiles(int Count, double P50, double P99, double Max)
{
    public static Percentiles Of(LiveGuest[] guests, Func<LiveGuest, List<double>> times)
    {
        List<double> all = [];
        foreach (LiveGuest guest in guests)
            all.AddRange(times(guest));
        all.Sort();
        return all.Count == 0
            ? default
            : new Percentiles(all.Count, all[all.Count / 2], all[(int)(all.Count * 0.99)], all[^1]);
    }
}
