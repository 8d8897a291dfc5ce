// What a backup job is asked to do.
using FastBackup.Base;

namespace FastBackup.Jobs;

public enum BackupSync
{
    /// <summary>Everything; holes of the source become holes or zeroes on the target.</summary>
    Full,

    /// <summary>What is allocated in the top layer: for raw disks the data extents. The rest of the target is untouched.</summary>
    Top,
}

public sealed record BackupOptions
{
    /// <summary>For people and for lookup; the source device's name by default.</summary>
    public string? Id { get; init; }

    public BackupSync Sync { get; init; } = BackupSync.Full;

    /// <summary>Bytes per second, 0 = unlimited; changeable while running.</summary>
    public ulong SpeedBytesPerSecond { get; init; }

    /// <summary>Granularity of the copy: a power of two, 4 KiB at least, one pool buffer at most.</summary>
    public uint ClusterBytes { get; init; } = (uint)(64 * Units.KiB);
}
