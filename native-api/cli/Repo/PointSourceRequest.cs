// A disk of which a point is to be made.
using FastBackup.Devices.Opening;

namespace FastBackup.Cli;

/// <param name="Path">File, block device or NBD URI.</param>
/// <param name="Disk">What it is called in the repository.</param>
/// <param name="Tracker">Path of its tracker; null: none.</param>
/// <param name="Format">Raw when that was said.</param>
sealed record PointSourceRequest(string Path, string Disk, string? Tracker, FormatRule Format);
