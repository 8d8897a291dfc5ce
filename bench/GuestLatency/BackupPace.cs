// How fast a backup went, until now or until the last byte had been copied (a flush that follows is not in it).
using FastBackup.Base;

namespace FastBackup.Bench.GuestLatency;

/// <param name="DoneBytes">Of the disk.</param>
/// <param name="Seconds">Since the backup was asked for.</param>
/// <param name="IsWhole">Whether that was all of the disk.</param>
readonly record struct BackupPace(ulong DoneBytes, double Seconds, bool IsWhole)
{
    public double MiBPerSecond => Seconds > 0 ? DoneBytes / Seconds / Units.MiB : 0;
}
