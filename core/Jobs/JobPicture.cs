// What others see of a backup: a picture that any thread may copy without a lock, and without holding the job up. An
// odd sequence number says that it is being drawn.
//
// A turn may bring hundreds of steps: what changed is owed, and drawn once, at the turn's end. Before a guest is told
// of anything, what is owed is drawn first: who has been told finds in the picture what was done for that.
// Cost: some 200 bytes written; a reader begins again while they are.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Filter;
using FastBackup.Ports;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's draws, any reads.</summary>
/// <param name="disk">Whose guests count.</param>
/// <param name="filter">Of the job.</param>
/// <param name="view">Of the job, or null.</param>
/// <param name="pacer">Of the job.</param>
/// <param name="draw">Has the job call <see cref="Draw"/>.</param>
sealed class JobPicture(Disk disk, CopyBeforeWriteFilter filter, SnapshotView? view, BackupPacer pacer, Action draw)
    : ILoopTask
{
    uint _sequence;
    JobProgress _progress;
    JobGauges _gauges;
    bool _isOwed;

    /// <summary>A consistent picture. Threads: any. Cost: O(1), repeated while the reactor draws it.</summary>
    public JobProgress Read(out JobGauges gauges)
    {
        while (true)
        {
            uint before = Volatile.Read(ref _sequence);
            JobProgress progress = _progress;
            gauges = _gauges;
            Interlocked.MemoryBarrier(); // the reads above may not slip below the second look
            if ((before & 1) == 0 && Volatile.Read(ref _sequence) == before)
                return progress;
            Thread.Yield();
        }
    }

    /// <summary>The gauges, and how guests fare. Threads: any. Cost: walks over three histograms.</summary>
    public JobStatistics ReadStatistics()
    {
        _ = Read(out JobGauges gauges);
        return new JobStatistics(
            gauges,
            filter.GuestWaits.Summarize(),
            disk.Pulse.QuietLatency.Summarize(),
            disk.Pulse.LoadedLatency.Summarize()
        );
    }

    /// <summary>Something has changed: it is drawn at the end of the turn at the latest.</summary>
    public void Owe()
    {
        if (_isOwed)
            return;
        _isOwed = true;
        disk.Loop.AtTurnEnd(this, 0);
    }

    /// <summary>Somebody is about to be told of what has changed.</summary>
    public void DrawIfOwed()
    {
        if (_isOwed)
            draw();
    }

    /// <summary>Nothing is owed any more.</summary>
    public void Leave() => _isOwed = false;

    void ILoopTask.Run(ulong argument) => DrawIfOwed();

    /// <summary>Draws it as things are now.</summary>
    /// <param name="job">Its state and its faults.</param>
    /// <param name="totalBytes">What there is to do; null = what is done, and in flight.</param>
    /// <param name="doneBytes">What of it is done.</param>
    /// <param name="stoppedBy">Why the error policy has paused it.</param>
    public void Draw(Job job, ulong? totalBytes, ulong doneBytes, Fault stoppedBy)
    {
        CopyEngine engine = filter.Engine;
        ref readonly CopyCounters counters = ref engine.Counters;
        _isOwed = false;
        Volatile.Write(ref _sequence, _sequence + 1);
        Interlocked.MemoryBarrier(); // odd before the fields change ...
        _progress = new JobProgress(
            job.Status,
            totalBytes ?? doneBytes + engine.InFlightBytes,
            doneBytes,
            counters.WrittenBytes,
            counters.SkippedZeroBytes,
            counters.WrittenZeroBytes,
            counters.CopyBeforeWriteBytes,
            engine.InFlightBytes,
            job.Fault,
            job.IsSourceFault,
            stoppedBy
        );
        _gauges = Gauges(engine);
        Volatile.Write(ref _sequence, _sequence + 1); // ... and even only after all of them
    }

    JobGauges Gauges(CopyEngine engine)
    {
        ref readonly CopyCounters counters = ref engine.Counters;
        return new JobGauges(
            pacer.WindowBytes,
            pacer.ChunkBytes,
            pacer.Priority,
            engine.DeviceBytes,
            engine.BackgroundCount,
            engine.GuestReadCount,
            engine.CapturedCount,
            view?.InFlightCount ?? 0,
            disk.WaitingCount,
            engine.CaptureBytes,
            engine.CapturePeakBytes,
            engine.CaptureLimitBytes,
            engine.ScratchBytes,
            engine.ScratchLimitBytes,
            engine.ScratchFault,
            counters.SpilledBytes,
            counters.OfferedBytes
        );
    }
}
