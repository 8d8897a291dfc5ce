// What the command line asks a backup to do, checked and in numbers.
using FastBackup.Base;
using FastBackup.Copy;
using FastBackup.Jobs;

namespace FastBackup.Cli;

sealed record BackupRequest
{
    public required string Source { get; init; }

    public required string Target { get; init; }

    public BackupSync Sync { get; init; } = BackupSync.Full;

    /// <summary>Who comes first on the source's disk.</summary>
    public GuestPriority GuestPriority { get; init; } = GuestPriority.Balanced;

    /// <summary>Bytes per second, 0 = unlimited.</summary>
    public ulong SpeedBytesPerSecond { get; init; }

    public uint ClusterBytes { get; init; } = (uint)(64 * Units.KiB);

    public ulong MemoryBytes { get; init; } = 64 * Units.MiB;

    /// <summary>May replace a file, replace a left-over partial, overwrite a block device.</summary>
    public bool IsForced { get; init; }
}
