// What the command line asks a backup to do, checked and in numbers.
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Pacing;

namespace FastBackup.Cli;

sealed record BackupRequest
{
    public required string Source { get; init; }

    public required string Target { get; init; }

    /// <summary>Path of the source's tracker; null: none.</summary>
    public string? Tracker { get; init; }

    /// <summary>The checkpoint whose copy TARGET is; null: it is the last one.</summary>
    public string? Since { get; init; }

    /// <summary>The checkpoint to be made when the copy is whole; null: none.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>The dirty bitmap of the source, an image or a server's, that says what is copied; null: none.</summary>
    public string? Bitmap { get; init; }

    /// <summary>The bitmap of the image that begins anew when the copy is whole; null: none.</summary>
    public string? ClearedBitmap { get; init; }

    /// <summary>Of disks of servers.</summary>
    public RemoteOpenOptions Remote { get; init; } = new();

    /// <summary>Target becomes a qcow2 image; null: it becomes the disk's bytes.</summary>
    public ImageTarget? Image { get; init; }

    public BackupSync Sync { get; init; } = BackupSync.Full;

    /// <summary>Who comes first on the source's disk.</summary>
    public GuestPriority GuestPriority { get; init; } = GuestPriority.Balanced;

    /// <summary>Bytes per second, 0 = unlimited.</summary>
    public ulong SpeedBytesPerSecond { get; init; }

    public uint ClusterBytes { get; init; } = FilterOptions.ClusterBytesDefault;

    public ulong MemoryBytes { get; init; } = 64 * Units.MiB;

    /// <summary>What is taken where there is enough, if nobody asked for an amount.</summary>
    public ulong? UsualMemoryBytes { get; init; }

    /// <summary>May replace a file, replace a left-over partial, overwrite a block device.</summary>
    public bool IsForced { get; init; }

    /// <summary>A left-over partial is gone on with, or a block device that an interrupted run has left.</summary>
    public bool IsResumed { get; init; }

    /// <summary>Where the record of a copy onto a block device is kept; null: there is none.</summary>
    public string? Record { get; init; }

    /// <summary>Raw when --format raw was given: then no content is looked at.</summary>
    public FormatRule Format { get; init; }

    /// <summary>Nobody is asked whether source or target is in use, and nobody told.</summary>
    public bool IsLockIgnored { get; init; }
}
