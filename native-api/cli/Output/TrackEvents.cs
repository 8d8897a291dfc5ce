// The objects of --json that are about trackers.
using System.Collections.Generic;

namespace FastBackup.Cli;

/// <remarks>
/// Event: "resume": an interrupted copy is gone on with.
/// LeftBytes: To be copied.
/// ChangedBytes: Of them, copied before and written to since.
/// </remarks>
sealed record ResumeEvent(string Event, string Partial, ulong LeftBytes, ulong ChangedBytes, ulong TotalBytes);

/// <remarks>
/// Event: "bitmap", before the copy begins.
/// Bitmap: Of the source's server.
/// MarkedBytes: What is copied.
/// </remarks>
sealed record BitmapEvent(string Event, string Bitmap, ulong MarkedBytes, ulong TotalBytes);

/// <remarks>
/// Event: "done".
/// Action: "add", "info", "map", "grow", "remove", "expect", "export" or "import".
/// Reason: "none", or why the tracker cannot tell what has changed.
/// IsExact: To the granule.
/// WasOpen: Nobody has closed it.
/// OpenBytes: What counts as open for writing after a power cut.
/// Word: Of expect: for the export on the other host.
/// Token: Of export and import.
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
    ulong? OpenBytes,
    string? Word,
    string? Token
);

/// <remarks>
/// Event: "tracker", before the copy begins.
/// Mode: "full", "incremental", or "refused": a full one is needed, and cannot be made like this.
/// Reason: Why a full one is needed: "new" (everything counts as changed, no backup was made yet), "new-target",
/// "epoch" (there is no such checkpoint), or why the tracker cannot tell: "resized", "inconsistent", "foreign-writes",
/// "foreign-disk" ...
/// ChangedBytes: What is to be copied.
/// Since: The checkpoint that was asked for.
/// Checkpoint: The one that is made when the copy is whole.
/// </remarks>
sealed record TrackerEvent(
    string Event,
    string Tracker,
    string Mode,
    string? Reason,
    ulong ChangedBytes,
    string? Since,
    string? Checkpoint
);

/// <remarks>
/// Created: As 2026-01-31T23:59:59Z; empty: not known.
/// ChangedBytes: Since then.
/// </remarks>
sealed record CheckpointEntry(string Name, string Created, ulong ChangedBytes);

/// <remarks>
/// Event: "done".
/// Action: "add", "list" or "delete".
/// Name: Of the checkpoint that was added or deleted.
/// Reason: "none", or why the tracker cannot tell what has changed.
/// Checkpoints: All there are now, oldest first.
/// </remarks>
sealed record CheckpointDoneEvent(
    string Event,
    string Command,
    string Action,
    string Status,
    int ExitCode,
    string Disk,
    string Tracker,
    string? Name,
    string? Reason,
    List<CheckpointEntry>? Checkpoints
);
