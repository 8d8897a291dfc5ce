// Jobs and what happens to them, as QMP writes it.
// Source: QEMU 7.2 qapi/job.json, qapi/block-core.json. Members that begin with x- are ours.
using System;
using FastBackup.Base;
using FastBackup.Jobs;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Json;
using FastBackup.Native.Objects;
using FastBackup.Pacing;

namespace FastBackup.Native.Monitor.Jobs;

/// <summary>Threads: any, but for the events, which are the reactor's.</summary>
static class JobJson
{
    static readonly JsonValue s_type = JsonValue.Of("backup");

    /// <summary>JobInfo.</summary>
    public static JsonValue Job(JobObject job)
    {
        JobProgress progress = job.Core.Query();
        return JsonValue.Object(
            ("id", JsonValue.Of(job.Core.Id)),
            ("type", s_type),
            ("status", StatusOf(progress.Status)),
            ("current-progress", JsonValue.Of(progress.DoneBytes)),
            ("total-progress", JsonValue.Of(progress.TotalBytes)),
            ("error", ErrorOf(progress.Fault))
        );
    }

    /// <summary>BlockJobInfo.</summary>
    public static JsonValue BlockJob(JobObject job)
    {
        JobProgress progress = job.Core.Query();
        return JsonValue.Object(
            ("device", JsonValue.Of(job.Core.Id)),
            ("type", s_type),
            ("len", JsonValue.Of(progress.TotalBytes)),
            ("offset", JsonValue.Of(progress.DoneBytes)),
            ("busy", JsonValue.Of(progress.InFlightBytes > 0)),
            ("paused", JsonValue.Of(progress.Status == JobStatus.Paused)),
            ("speed", JsonValue.Of(job.Core.SpeedBytesPerSecond)),
            ("io-status", JsonValue.Of(IoStatus(progress.StoppedBy))),
            ("ready", JsonValue.Of(false)),
            ("status", StatusOf(progress.Status)),
            ("auto-finalize", JsonValue.Of(job.Core.AutoFinalize)),
            ("auto-dismiss", JsonValue.Of(job.Core.AutoDismiss)),
            ("error", ErrorOf(progress.Fault))
        );
    }

    /// <summary>What fb_job_query, fb_job_latency and fb_job_statistics tell.</summary>
    public static JsonValue Statistics(JobObject job)
    {
        JobProgress progress = job.Core.Query();
        JobStatistics statistics = job.Core.QueryStatistics();
        return JsonValue.Object(
            ("id", JsonValue.Of(job.Core.Id)),
            ("disk", JsonValue.Of(job.Core.Disk.Name)),
            ("status", StatusOf(progress.Status)),
            ("sync", JsonValue.Of(BackupWords.Sync.Of(job.Core.Sync))),
            ("speed", JsonValue.Of(job.Core.SpeedBytesPerSecond)),
            ("error", ErrorOf(progress.Fault)),
            ("progress", Progress(progress)),
            ("gauges", Gauges(statistics.Gauges)),
            ("guest-waits", Latency(statistics.GuestWaits)),
            ("guest-waits-histogram", Histogram(job.Core.GuestWaits)),
            ("quiet-guests", Latency(statistics.QuietGuests)),
            ("loaded-guests", Latency(statistics.LoadedGuests))
        );
    }

    /// <summary>JOB_STATUS_CHANGE.</summary>
    public static JsonValue StatusChange(Job job, JobStatus status) =>
        QmpEvent.Of("JOB_STATUS_CHANGE", JsonValue.Object(("status", StatusOf(status)), ("id", JsonValue.Of(job.Id))));

    /// <summary>BLOCK_JOB_ERROR.</summary>
    public static JsonValue DeviceError(Job job, in JobEvent happened) =>
        QmpEvent.Of(
            "BLOCK_JOB_ERROR",
            JsonValue.Object(
                ("device", JsonValue.Of(job.Id)),
                ("operation", JsonValue.Of(happened.IsSourceFault ? "read" : "write")),
                (
                    "action",
                    JsonValue.Of(
                        happened.Action switch
                        {
                            ErrorPolicy.Ignore => "ignore",
                            ErrorPolicy.Stop => "stop",
                            _ => "report",
                        }
                    )
                )
            )
        );

    /// <summary>BLOCK_JOB_PENDING.</summary>
    public static JsonValue Pending(Job job) =>
        QmpEvent.Of("BLOCK_JOB_PENDING", JsonValue.Object(("type", s_type), ("id", JsonValue.Of(job.Id))));

    /// <summary>BLOCK_JOB_COMPLETED, also of a failure, and BLOCK_JOB_CANCELLED.</summary>
    public static JsonValue End(BackupJob job, JobEventKind kind)
    {
        JobProgress progress = job.Query();
        return QmpEvent.Of(
            kind == JobEventKind.Cancelled ? "BLOCK_JOB_CANCELLED" : "BLOCK_JOB_COMPLETED",
            JsonValue.Object(
                ("device", JsonValue.Of(job.Id)),
                ("len", JsonValue.Of(progress.TotalBytes)),
                ("offset", JsonValue.Of(progress.DoneBytes)),
                ("speed", JsonValue.Of(job.SpeedBytesPerSecond)),
                ("type", s_type),
                ("error", kind == JobEventKind.Failed ? ErrorOf(progress.Fault) : null)
            )
        );
    }

    static JsonValue StatusOf(JobStatus status) => JsonValue.Of(JobStatusWord.Of(status));

    static JsonValue? ErrorOf(Fault fault) =>
        fault.IsNone ? null
        : fault.Kind == FaultKind.Canceled ? JsonValue.Of("Operation canceled")
        : JsonValue.Of(QmpError.Describe(fault));

    static string IoStatus(Fault stoppedBy) =>
        stoppedBy.IsNone ? "ok"
        : stoppedBy.Kind == FaultKind.NoSpace ? "nospace"
        : "failed";

    static JsonValue Progress(in JobProgress progress) =>
        JsonValue.Object(
            ("total-bytes", JsonValue.Of(progress.TotalBytes)),
            ("done-bytes", JsonValue.Of(progress.DoneBytes)),
            ("written-bytes", JsonValue.Of(progress.WrittenBytes)),
            ("skipped-zero-bytes", JsonValue.Of(progress.SkippedZeroBytes)),
            ("written-zero-bytes", JsonValue.Of(progress.WrittenZeroBytes)),
            ("cbw-bytes", JsonValue.Of(progress.CopyBeforeWriteBytes)),
            ("in-flight-bytes", JsonValue.Of(progress.InFlightBytes))
        );

    static JsonValue Gauges(in JobGauges gauges) =>
        JsonValue.Object(
            ("window-bytes", JsonValue.Of(gauges.WindowBytes)),
            ("chunk-bytes", JsonValue.Of(gauges.ChunkBytes)),
            ("device-bytes", JsonValue.Of(gauges.DeviceBytes)),
            ("capture-bytes", JsonValue.Of(gauges.CaptureBytes)),
            ("capture-peak-bytes", JsonValue.Of(gauges.CapturePeakBytes)),
            ("capture-limit-bytes", JsonValue.Of(gauges.CaptureLimitBytes)),
            ("scratch-bytes", JsonValue.Of(gauges.ScratchBytes)),
            ("scratch-limit-bytes", JsonValue.Of(gauges.ScratchLimitBytes)),
            ("spilled-bytes", JsonValue.Of(gauges.SpilledBytes)),
            ("offered-bytes", JsonValue.Of(gauges.OfferedBytes)),
            ("background-chunks", JsonValue.Of((long)gauges.BackgroundChunks)),
            ("guest-reads", JsonValue.Of((long)gauges.GuestReads)),
            ("captured-chunks", JsonValue.Of((long)gauges.CapturedChunks)),
            ("snapshot-reads", JsonValue.Of((long)gauges.SnapshotReads)),
            ("waiting-guests", JsonValue.Of((long)gauges.WaitingGuests)),
            ("guest-priority", PriorityOf(gauges.Priority)),
            ("scratch-error", ErrorOf(gauges.ScratchFault))
        );

    static JsonValue PriorityOf(GuestPriority priority) => JsonValue.Of(GuestPriorityWords.Table.Of(priority));

    static JsonValue Latency(in LatencySummary summary) =>
        JsonValue.Object(
            ("count", JsonValue.Of(summary.Count)),
            ("sum-ns", JsonValue.Of(summary.SumNs)),
            ("p50-ns", JsonValue.Of(summary.P50Ns)),
            ("p99-ns", JsonValue.Of(summary.P99Ns)),
            ("max-ns", JsonValue.Of(summary.MaxNs))
        );

    /// <summary>By powers of two: how many waits were shorter than each, and not in a bin before it.</summary>
    static JsonValue Histogram(LatencyHistogram waits) =>
        JsonValue.Of(
            [
                .. Array.ConvertAll(
                    waits.Bins(),
                    bin => JsonValue.Object(("below-ns", JsonValue.Of(bin.BelowNs)), ("count", JsonValue.Of(bin.Count)))
                ),
            ]
        );
}
