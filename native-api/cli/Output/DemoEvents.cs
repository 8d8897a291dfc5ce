// The objects of demo --json: one start, a live five times a second while the guests write, one done.
using System.Text.Json.Serialization;
using FastBackup.Base;

namespace FastBackup.Cli;

/// <remarks>
/// Event: "start".
/// TargetBytesPerSecond: Of the live half's target; absent when it is not slowed down.
/// </remarks>
sealed record DemoStartEvent(
    string Event,
    string Command,
    string Folder,
    ulong TotalBytes,
    ulong MemoryBytes,
    string GuestPriority,
    string? Scratch,
    ulong? TargetBytesPerSecond
);

/// <summary>The gauges of a job. Scratch fault: why it takes nothing any more; absent while it does.</summary>
sealed record GaugesEvent(
    ulong WindowBytes,
    ulong ChunkBytes,
    string GuestPriority,
    ulong DeviceBytes,
    uint BackgroundChunks,
    uint GuestReads,
    uint CapturedChunks,
    uint SnapshotReads,
    uint WaitingGuests,
    ulong CaptureBytes,
    ulong CapturePeakBytes,
    ulong CaptureLimitBytes,
    ulong ScratchBytes,
    ulong ScratchLimitBytes,
    string? ScratchFault,
    ulong SpilledBytes,
    ulong OfferedBytes
);

/// <remarks>
/// Event: "live".
/// JobStatus: "created" while the guests are alone, then "running" to "concluded".
/// Seconds: Since the guests began.
/// BytesPerSecond: Of the job, over the last five seconds.
/// GuestWaits: Guests' writes that waited for a copy of this job.
/// QuietGuests: All requests of guests while no copy loaded the disk, so far.
/// LoadedGuests: And while one did.
/// </remarks>
sealed record LiveEvent(
    string Event,
    string JobStatus,
    double Seconds,
    ulong Bytes,
    ulong TotalBytes,
    ulong CopyBeforeWriteBytes,
    double BytesPerSecond,
    GaugesEvent Gauges,
    LatencySummary GuestWaits,
    LatencySummary QuietGuests,
    LatencySummary LoadedGuests
);

/// <summary>The first half: a copy of a disk at rest.</summary>
sealed record DemoBackupFigures(
    ulong Bytes,
    ulong WrittenBytes,
    ulong SkippedZeroBytes,
    ulong WrittenZeroBytes,
    double Seconds,
    double CpuSeconds,
    double BytesPerSecond
);

/// <remarks>
/// WithoutBackup: How long guests' writes took, by their own clocks.
/// WithBackup: Those that began while the backup ran.
/// GuestWaits: Of them, those that waited for a copy; sum_ns is the stall time.
/// </remarks>
sealed record DemoLiveFigures(
    ulong Bytes,
    ulong WrittenBytes,
    double Seconds,
    double BytesPerSecond,
    int GuestWritesBefore,
    int GuestWritesDuring,
    ulong CopyBeforeWriteBytes,
    LatencySummary WithoutBackup,
    LatencySummary WithBackup,
    LatencySummary GuestWaits,
    GaugesEvent Gauges
);

/// <remarks>
/// Event: "done", whatever the status.
/// Status: "done", "refused", "failed" or "interrupted".
/// Backup, IsIdentical, Live, ImageEqualsT0, PointsAreEqual (of the repository, restored): As far as the demo came.
/// </remarks>
sealed record DemoDoneEvent(
    string Event,
    string Command,
    string Status,
    int ExitCode,
    ulong TotalBytes,
    DemoBackupFigures? Backup,
    [property: JsonPropertyName("copy_is_identical")] bool? IsIdentical,
    DemoLiveFigures? Live,
    bool? ImageEqualsT0,
    bool? PointsAreEqual
);
