// What the live half of the demo shows while it runs: for people a row a second below one head, as vmstat does, on a
// terminal and in a file alike; for programs an object five times a second; nothing with --quiet.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Jobs;
using FastBackup.Pacing;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class LiveView(Output output)
{
    const string Head = "  done         rate  p99 ms   alone     window   captured      limit    scratch";

    readonly RateMeter _sinceStart = new();
    RateMeter _rate = new();
    bool _hasHead;

    /// <summary>How often to call Show; Timeout.Infinite = never.</summary>
    public int IntervalMs =>
        output.IsQuiet ? Timeout.Infinite
        : output.IsJson ? 200
        : 1000;

    /// <summary>The backup begins now: its rate counts from here.</summary>
    public void BeginBackup() => _rate = new RateMeter();

    /// <param name="job">Created or later.</param>
    /// <param name="isLast">People have the final table; programs get the job's end as well.</param>
    public void Show(BackupJob job, bool isLast = false)
    {
        if (output.IsQuiet || (isLast && !output.IsJson))
            return;
        JobProgress progress = job.Query();
        JobStatistics statistics = job.QueryStatistics();
        _rate.Add(progress.DoneBytes);
        if (output.IsJson)
            WriteEvent(progress, statistics);
        else if (progress.Status != JobStatus.Created)
            WriteRow(progress, statistics);
    }

    /// <summary>The gauges as an object of --json.</summary>
    public static GaugesEvent Gauges(in JobGauges gauges) =>
        new(
            gauges.WindowBytes,
            gauges.ChunkBytes,
            GuestPriorityWords.Table.Of(gauges.Priority),
            gauges.DeviceBytes,
            gauges.BackgroundChunks,
            gauges.GuestReads,
            gauges.CapturedChunks,
            gauges.SnapshotReads,
            gauges.WaitingGuests,
            gauges.CaptureBytes,
            gauges.CapturePeakBytes,
            gauges.CaptureLimitBytes,
            gauges.ScratchBytes,
            gauges.ScratchLimitBytes,
            gauges.ScratchFault.IsFault ? gauges.ScratchFault.ToString() : null,
            gauges.SpilledBytes,
            gauges.OfferedBytes
        );

    void WriteEvent(in JobProgress progress, in JobStatistics statistics) =>
        output.Event(
            new LiveEvent(
                "live",
                Word(progress.Status),
                Math.Round(_sinceStart.Seconds, 3),
                progress.DoneBytes,
                progress.TotalBytes,
                progress.CopyBeforeWriteBytes,
                Math.Round(_rate.BytesPerSecond),
                Gauges(statistics.Gauges),
                statistics.GuestWaits,
                statistics.QuietGuests,
                statistics.LoadedGuests
            ),
            JsonEvents.Readable.LiveEvent
        );

    void WriteRow(in JobProgress progress, in JobStatistics statistics)
    {
        if (!_hasHead)
            output.Line(Head);
        _hasHead = true;
        JobGauges gauges = statistics.Gauges;
        double percent = progress.TotalBytes == 0 ? 100 : 100.0 * progress.DoneBytes / progress.TotalBytes;
        string scratch = gauges.ScratchLimitBytes == 0 ? "-" : ByteSize.Format(gauges.ScratchBytes);
        output.Line(
            Phrases.Text($"{percent, 4:0} %{Phrases.Rate(_rate.BytesPerSecond), 13}")
                + $"{P99(statistics.LoadedGuests), 8}{P99(statistics.QuietGuests), 8}"
                + $"{ByteSize.Format(gauges.WindowBytes), 11}{ByteSize.Format(gauges.CaptureBytes), 11}"
                + $"{ByteSize.Format(gauges.CaptureLimitBytes), 11}{scratch, 11}"
        );
    }

    static string P99(in LatencySummary times) => times.Count == 0 ? "-" : Phrases.Text($"{times.P99Ns / 1e6:0.00}");

    /// <summary>One that dismissed itself has ended like the others.</summary>
    static string Word(JobStatus status) => JobStatusWord.Of(status == JobStatus.Null ? JobStatus.Concluded : status);
}
