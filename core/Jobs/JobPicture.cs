// What others see of a backup: a picture that the job draws anew after each step, and that any thread may copy without
// a lock, and without holding the job up. An odd sequence number says that it is being drawn.
// Cost: some 200 bytes written; a reader begins again while they are.
using System.Threading;
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Filter;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's draws, any reads.</summary>
/// <param name="disk">Whose guests count.</param>
/// <param name="filter">Of the job.</param>
/// <param name="view">Of the job, or null.</param>
/// <param name="pacer">Of the job.</param>
sealed class JobPicture(Disk disk, CopyBeforeWriteFilter filter, SnapshotView? view, BackupPacer pacer)
{
    uint _sequence;
    JobProgress _progress;
    JobGauges _gauges;
    ulong _drawnTurn;

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

    /// <summary>
    /// Time to draw it: once a turn, which may bring hundreds of completions, and always when none is in flight.
    /// </summary>
    public bool IsOld => _drawnTurn != disk.Loop.TurnCount || filter.Engine.InFlightBytes == 0;

    /// <summary>Draws it as things are now.</summary>
    /// <param name="job">Its state and its faults.</param>
    /// <param name="totalBytes">What there is to do; null = what is done, and in flight.</param>
    /// <param name="doneBytes">What of it is done.</param>
    /// <param name="stoppedBy">Why the error policy has paused it.</param>
    public void Draw(Job job, ulong? totalBytes, ulong doneBytes, Fault stoppedBy)
    {
        CopyEngine engine = filter.Engine;
        ref readonly CopyCounters counters = ref engine.Counters;
        _drawnTurn = disk.Loop.TurnCount;
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
