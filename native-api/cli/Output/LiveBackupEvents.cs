// The objects of live-backup --json.
using System.Collections.Generic;

namespace FastBackup.Cli;

/// <remarks>
/// Event: "start", once the point in time is taken.
/// FrozenSeconds: How long guests were frozen at most; not there without hooks.
/// </remarks>
sealed record LiveBackupStartEvent(
    string Event,
    string Command,
    IReadOnlyList<LiveBackupDisk> Disks,
    ulong TotalBytes,
    double? FrozenSeconds
);

/// <remarks>
/// Status: "published": the copy has its name. "partial": an unfinished one is kept. "none": there is no copy.
/// Partial: The file that holds the unfinished copy.
/// Error: Why its job failed.
/// </remarks>
sealed record LiveBackupDisk(
    string Disk,
    string Target,
    ulong TotalBytes,
    ulong Bytes,
    string Status,
    string? Partial,
    string? Error
);

/// <remarks>
/// Event: "done", whatever the status.
/// Status: "done", "refused", "failed" or "interrupted".
/// </remarks>
sealed record LiveBackupDoneEvent(
    string Event,
    string Command,
    string Status,
    int ExitCode,
    IReadOnlyList<LiveBackupDisk> Disks,
    ulong Bytes,
    ulong TotalBytes,
    double Seconds,
    double? FrozenSeconds
);
