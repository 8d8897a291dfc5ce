// What a configuration file says: which disks, into which repository, what is kept, and what is run around it.
using System;
using System.Collections.Generic;

namespace FastBackup.Cli;

sealed record RunConfig
{
    public required RepositoryPlace Place { get; init; }

    public required string Host { get; init; }

    /// <summary>One at least; their names differ.</summary>
    public required IReadOnlyList<PointSourceRequest> Disks { get; init; }

    public required string[] Tags { get; init; }

    public ulong? ChunkBytes { get; init; }

    public int? PackBytes { get; init; }

    public ulong? MemoryBytes { get; init; }

    /// <summary>Null: nothing is forgotten.</summary>
    public ForgetRequest? Keep { get; init; }

    /// <summary>Programs with their arguments; null: none.</summary>
    public string[]? Before { get; init; }

    public string[]? Freeze { get; init; }

    public string[]? Snapshot { get; init; }

    public string[]? Thaw { get; init; }

    public string[]? After { get; init; }

    /// <summary>Of before and after.</summary>
    public TimeSpan HookLimit { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>A file for the node exporter of Prometheus; null: none.</summary>
    public string? Prometheus { get; init; }
}
