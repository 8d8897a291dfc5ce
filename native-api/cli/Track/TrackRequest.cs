// What the command line asks of a tracker.
using FastBackup.Devices.Opening;

namespace FastBackup.Cli;

enum TrackAction
{
    Add,
    Info,
    Map,
    Grow,
    Remove,
}

/// <param name="Action">What to do.</param>
/// <param name="Disk">Path of the disk.</param>
/// <param name="Tracker">Path of its tracker.</param>
/// <param name="GranuleBytes">Add: a power of two; 0: the usual.</param>
/// <param name="SizeBytes">Grow: of the disk from now on.</param>
/// <param name="IsLockIgnored">Whether --ignore-locks was given.</param>
/// <param name="Format">Raw when --format raw was given.</param>
sealed record TrackRequest(
    TrackAction Action,
    string Disk,
    string Tracker,
    ulong GranuleBytes,
    ulong SizeBytes,
    bool IsLockIgnored,
    FormatRule Format
)
{
    /// <summary>Where a tracker is when nobody says where.</summary>
    public static string DefaultPath(string disk) => disk + ".track";
}
