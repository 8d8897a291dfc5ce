// What live-backup is to do.

using FastBackup.Devices.Opening;

namespace FastBackup.Cli;

sealed record LiveBackupRequest
{
    /// <summary>Path of the monitor's socket.</summary>
    public required string Socket { get; init; }

    /// <summary>Each DISK=PATH, or one folder for all disks, or one path when there is one disk.</summary>
    public required string[] Targets { get; init; }

    public bool IsForced { get; init; }

    /// <summary>Of the targets that are replaced.</summary>
    public bool IsLockIgnored { get; init; }

    /// <summary>Of the targets that are replaced.</summary>
    public FormatRule Format { get; init; }

    /// <summary>0 = no limit.</summary>
    public ulong SpeedBytesPerSecond { get; init; }

    /// <summary>A new dirty bitmap of this name on each disk, from the same instant on; null: none.</summary>
    public string? Bitmap { get; init; }

    /// <summary>
    /// How long the host looks at guests' writes before the instant, 0 = not at all; null: as it chooses. Where it is
    /// given, the host must be one that knows it.
    /// </summary>
    public uint? WarmMs { get; init; }

    /// <summary>Commands for the shell; both or neither.</summary>
    public string? Freeze { get; init; }

    public string? Thaw { get; init; }
}
