// The objects of --json, one a line. Names are stable; members may be added. The last line is always "done".
// The demo's are in DemoEvents.cs, those of top and ctl in MonitorEvents.cs, live-backup's in LiveBackupEvents.cs,
// serve's in ServeEvents.cs, those of trackers in TrackEvents.cs, those of repositories in
// RepositoryEvents.cs, those about images in ImageEvents.cs.
using System.Collections.Generic;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FastBackup.Cli;

/// <remarks>
/// Event: "start".
/// Engine: "io_uring" or "threads".
/// IsSourceDirect: Whether the page cache is bypassed.
/// IsTargetDirect: The same for the target, or the second disk of a compare.
/// </remarks>
sealed record StartEvent(
    string Event,
    string Command,
    string Source,
    string Target,
    ulong TotalBytes,
    string Engine,
    [property: JsonPropertyName("source_direct")] bool IsSourceDirect,
    [property: JsonPropertyName("target_direct")] bool IsTargetDirect
);

/// <remarks>
/// Event: "progress".
/// </remarks>
sealed record ProgressEvent(
    string Event,
    ulong Bytes,
    ulong TotalBytes,
    ulong? SkippedZeroBytes,
    double Seconds,
    double BytesPerSecond,
    double? SecondsLeft
);

/// <remarks>
/// Event: "error" or "warning".
/// Errno: The kernel's error number, where there was one.
/// OffsetBytes: Where on the disk, where that is known.
/// </remarks>
sealed record MessageEvent(string Event, string Message, int? Errno, ulong? OffsetBytes);

/// <remarks>
/// Event: "done", whatever the status.
/// Status: "done", "refused", "failed" or "interrupted".
/// Partial: The file that holds an unfinished copy, if one was left.
/// </remarks>
sealed record BackupDoneEvent(
    string Event,
    string Command,
    string Status,
    int ExitCode,
    string Source,
    string Target,
    string? Partial,
    ulong Bytes,
    ulong TotalBytes,
    ulong WrittenBytes,
    ulong SkippedZeroBytes,
    ulong WrittenZeroBytes,
    double Seconds,
    double CpuSeconds,
    double BytesPerSecond
);

/// <remarks>
/// Event: "done", whatever the status.
/// Status: "identical", "different", "refused", "failed" or "interrupted".
/// FirstDifference: Offset of the first byte that differs, or the smaller size.
/// </remarks>
sealed record CompareDoneEvent(
    string Event,
    string Command,
    string Status,
    int ExitCode,
    string Source,
    string Target,
    ulong SourceBytes,
    ulong TargetBytes,
    ulong? FirstDifference,
    ulong Bytes,
    ulong SkippedZeroBytes,
    double Seconds,
    double CpuSeconds,
    double BytesPerSecond
);

/// <remarks>
/// Findings: each has subject, found and, for a shortfall, advice; advice_count of them have.
/// </remarks>
sealed record DoctorDoneEvent(
    string Event,
    string Command,
    string Status,
    int ExitCode,
    IReadOnlyList<Finding> Findings,
    int AdviceCount
);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(StartEvent))]
[JsonSerializable(typeof(ProgressEvent))]
[JsonSerializable(typeof(MessageEvent))]
[JsonSerializable(typeof(BackupDoneEvent))]
[JsonSerializable(typeof(CompareDoneEvent))]
[JsonSerializable(typeof(DoctorDoneEvent))]
[JsonSerializable(typeof(DemoStartEvent))]
[JsonSerializable(typeof(LiveEvent))]
[JsonSerializable(typeof(DemoDoneEvent))]
[JsonSerializable(typeof(LiveBackupStartEvent))]
[JsonSerializable(typeof(LiveBackupDoneEvent))]
[JsonSerializable(typeof(ServeStartEvent))]
[JsonSerializable(typeof(ServeDoneEvent))]
[JsonSerializable(typeof(TopEvent))]
[JsonSerializable(typeof(TopDoneEvent))]
[JsonSerializable(typeof(CtlReturnEvent))]
[JsonSerializable(typeof(CtlJobEvent))]
[JsonSerializable(typeof(CtlMonitorEvent))]
[JsonSerializable(typeof(CtlDoneEvent))]
[JsonSerializable(typeof(TrackDoneEvent))]
[JsonSerializable(typeof(TrackerEvent))]
[JsonSerializable(typeof(BitmapEvent))]
[JsonSerializable(typeof(ResumeEvent))]
[JsonSerializable(typeof(CheckpointDoneEvent))]
[JsonSerializable(typeof(PointStartEvent))]
[JsonSerializable(typeof(MountStartEvent))]
[JsonSerializable(typeof(RepositoryDoneEvent))]
[JsonSerializable(typeof(RunDoneEvent))]
[JsonSerializable(typeof(ImageEvent))]
[JsonSerializable(typeof(ExtentEvent))]
[JsonSerializable(typeof(FindingEvent))]
[JsonSerializable(typeof(ImageDoneEvent))]
sealed partial class JsonEvents : JsonSerializerContext
{
    // Not an initialiser: those of the generated half may run after this half's.
    static JsonEvents? _readable;

    /// <summary>As Default, with quotes and letters of all languages readable: this is no web page.</summary>
    public static JsonEvents Readable =>
        _readable ??= new(
            new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }
        );
}
