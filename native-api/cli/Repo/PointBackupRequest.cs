// What 'backup SOURCE --repo' is asked to do.
using FastBackup.Devices.Opening;

namespace FastBackup.Cli;

sealed record PointBackupRequest
{
    public required RepositoryPlace Place { get; init; }

    public required string Source { get; init; }

    public required string Host { get; init; }

    public required string Disk { get; init; }

    /// <summary>Path of the source's tracker; null: none.</summary>
    public string? Tracker { get; init; }

    /// <summary>Null: as the last point has it, else the usual one.</summary>
    public ulong? ChunkBytes { get; init; }

    public required int PackBytes { get; init; }

    public required string[] Tags { get; init; }

    public required ulong MemoryBytes { get; init; }

    public ulong? UsualMemoryBytes { get; init; }

    public bool IsLockIgnored { get; init; }

    public FormatRule Format { get; init; }
}
