// What 'backup SOURCE... --repo' is asked to do.
using System.Collections.Generic;

namespace FastBackup.Cli;

sealed record PointBackupRequest
{
    public required RepositoryPlace Place { get; init; }

    /// <summary>Disks of one point, all at one T0; their names differ.</summary>
    public required IReadOnlyList<PointSourceRequest> Sources { get; init; }

    public required string Host { get; init; }

    /// <summary>Null: as the last point has it, else the usual one.</summary>
    public ulong? ChunkBytes { get; init; }

    public required int PackBytes { get; init; }

    public required string[] Tags { get; init; }

    public required ulong MemoryBytes { get; init; }

    public ulong? UsualMemoryBytes { get; init; }

    /// <summary>Of 1000 PUT requests; null: nobody asks.</summary>
    public double? RequestsPrice { get; init; }

    /// <summary>Of a GiB for a month; null: nobody asks.</summary>
    public double? MonthPrice { get; init; }

    public bool IsLockIgnored { get; init; }

    /// <summary>It is only told what would be done.</summary>
    public bool IsTrial { get; init; }
}
