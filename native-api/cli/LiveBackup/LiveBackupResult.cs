// How a live backup ended.
using System.Collections.Generic;
using System.Linq;

namespace FastBackup.Cli;

/// <param name="Status">Of all disks: they end well together or not at all.</param>
/// <param name="Sentence">For people, unless all went well.</param>
/// <param name="Disks">As far as they were known.</param>
/// <param name="Seconds">From the point in time to the last name.</param>
/// <param name="FrozenSeconds">How long guests were frozen at most; null: they were not.</param>
sealed record LiveBackupResult(
    RunStatus Status,
    string? Sentence,
    IReadOnlyList<LiveDisk> Disks,
    double Seconds,
    double? FrozenSeconds
)
{
    public ulong DoneBytes => Disks.Aggregate(0ul, (sum, disk) => sum + disk.DoneBytes);

    public ulong TotalBytes => Disks.Aggregate(0ul, (sum, disk) => sum + disk.SizeBytes);
}
