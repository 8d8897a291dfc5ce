// What the command line asks of a tracker's points.
using FastBackup.Devices.Opening;

namespace FastBackup.Cli;

enum CheckpointAction
{
    Add,
    List,
    Delete,
}

/// <param name="Action">What to do.</param>
/// <param name="Disk">Path of the disk.</param>
/// <param name="Name">Of the point; empty for a list.</param>
/// <param name="Tracker">Path of its tracker.</param>
/// <param name="IsLockIgnored">Whether --ignore-locks was given.</param>
/// <param name="Format">Raw when --format raw was given.</param>
sealed record CheckpointRequest(
    CheckpointAction Action,
    string Disk,
    string Name,
    string Tracker,
    bool IsLockIgnored,
    FormatRule Format
);
