// What the command line asks of a tracker.
using FastBackup.Devices.Opening;
using FastBackup.Tracking.Format;

namespace FastBackup.Cli;

enum TrackAction
{
    Add,
    Info,
    Map,
    Grow,
    Remove,
    Expect,
    Export,
    Import,
}

/// <param name="Action">What to do.</param>
/// <param name="Disk">Path of the disk.</param>
/// <param name="Tracker">Path of its tracker.</param>
/// <param name="GranuleBytes">Add: a power of two; 0: the usual.</param>
/// <param name="SizeBytes">Grow: of the disk from now on.</param>
/// <param name="Move">Export and import: of what.</param>
/// <param name="Picture">Map: a file for the picture, too; null: none.</param>
/// <param name="IsLockIgnored">Whether --ignore-locks was given.</param>
/// <param name="Format">Raw when --format raw was given.</param>
sealed record TrackRequest(
    TrackAction Action,
    string Disk,
    string Tracker,
    ulong GranuleBytes,
    ulong SizeBytes,
    MoveRequest? Move,
    string? Picture,
    bool IsLockIgnored,
    FormatRule Format
)
{
    /// <summary>Where a tracker is when nobody says where.</summary>
    public static string DefaultPath(string disk) => disk + ".track";
}

/// <param name="Token">Path of the token.</param>
/// <param name="Word">Export: of the host that waits.</param>
/// <param name="IsShared">Export: that host has the same disk.</param>
sealed record MoveRequest(string Token, MoveWord Word, bool IsShared);
