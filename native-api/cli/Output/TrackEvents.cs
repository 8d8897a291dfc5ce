// The objects of --json that are about trackers.
namespace FastBackup.Cli;

/// <remarks>
/// Event: "done".
/// Action: "add", "info", "map" or "remove".
/// Reason: "none", or why the tracker cannot tell what has changed.
/// IsExact: To the granule.
/// WasOpen: Nobody has closed it.
/// OpenBytes: What counts as open for writing after a power cut.
/// </remarks>
sealed record TrackDoneEvent(
    string Event,
    string Command,
    string Action,
    string Status,
    int ExitCode,
    string Disk,
    string Tracker,
    string? Reason,
    bool? Exact,
    bool? WasOpen,
    ulong? GranuleBytes,
    ulong? ChangedBytes,
    ulong? TotalBytes,
    ulong? OpenBytes
);

/// <remarks>
/// Event: "tracker", before the copy begins.
/// Mode: "full" or "incremental".
/// Reason: Of a full one: "all" (everything has changed, or no backup was made yet), "new-target", or why the tracker
/// cannot tell.
/// </remarks>
sealed record TrackerEvent(string Event, string Tracker, string Mode, string? Reason, ulong ChangedBytes);
