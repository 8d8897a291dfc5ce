// The objects of --json that are about repositories and points in time.
using System.Collections.Generic;

namespace FastBackup.Cli;

/// <remarks>
/// Event: "point", before the work begins.
/// Mode: "full" or "incremental".
/// Reason: Why full: "first" (no point of this disk yet), "no-tracker", "checkpoint" (the tracker lacks the parent's),
/// "parent-damaged", "chunk-size", or why the tracker cannot tell: "resized", "inconsistent" ...
/// Parent: The point that is gone on from.
/// ChangedBytes: Since the parent, where that is known.
/// Estimate: Of an S3 store: what it is asked for at most, and what that costs at the prices that were given.
/// Plan: Of --dry-run: what would be done.
/// </remarks>
sealed record PointStartEvent(
    string Event,
    string Repository,
    string Source,
    string Disk,
    string Mode,
    string? Reason,
    string? Parent,
    ulong TotalBytes,
    ulong? ChangedBytes,
    EstimateEntry? Estimate,
    PlanEntry? Plan
);

/// <remarks>
/// StoredBytesMax: As if nothing of it were zero, known or compressible.
/// StoredBytesLikely: If what has changed is like what the last backup has read.
/// </remarks>
sealed record PlanEntry(
    ulong ReadBytes,
    ulong SameBytes,
    ulong HoleBytes,
    ulong StoredBytesMax,
    ulong? StoredBytesLikely
);

sealed record EstimateEntry(ulong PutRequests, ulong SentBytes, double? RequestsCost, double? MonthCost);

/// <remarks>
/// Event: "start", once clients can come.
/// Uri: For clients on this machine.
/// </remarks>
sealed record MountStartEvent(
    string Event,
    string Command,
    string Point,
    string Disk,
    string Uri,
    ulong TotalBytes,
    bool ReadOnly
);

/// <remarks>
/// Id: Of the snapshot.
/// Disks: HOST/DISK, or the paths that others have backed up.
/// </remarks>
sealed record PointEntry(
    string Id,
    string Time,
    string? Host,
    IReadOnlyList<string> Disks,
    IReadOnlyList<string>? Tags
);

/// <remarks>
/// Mode, Reason, Checkpoint: As the point's disk.json says; null where others have made it.
/// </remarks>
sealed record PointDiskEntry(
    string Disk,
    ulong SizeBytes,
    string? Source,
    string? Mode,
    string? Reason,
    string? Parent,
    string? Checkpoint,
    ulong? ChunkBytes,
    ulong? ReadBytes,
    ulong? StoredBytes
);

/// <remarks>
/// IsCurrent: The password that was given opens this one.
/// </remarks>
sealed record KeyEntry(string Id, string? Created, string? Username, string? Hostname, bool IsCurrent);

/// <remarks>
/// Get: Looks at what is there, too.
/// Retries: Operations that were tried again.
/// </remarks>
sealed record RequestCounts(
    long Put,
    long Get,
    long List,
    long Delete,
    long Retries,
    long SentBytes,
    long ReceivedBytes
);

/// <remarks>
/// Status: "done" or "failed".
/// Error: A sentence.
/// StoredBytes: Its new chunks and lists.
/// </remarks>
sealed record DiskDoneEntry(string Disk, string Source, string Status)
{
    public string? Error { get; init; }

    public string? Mode { get; init; }

    public string? Reason { get; init; }

    public ulong? Bytes { get; init; }

    public ulong? ReadBytes { get; init; }

    public ulong? ZeroBytes { get; init; }

    public ulong? SameBytes { get; init; }

    public ulong? StoredBytes { get; init; }

    public double? Seconds { get; init; }
}

/// <remarks>
/// Event: "done", whatever the status.
/// Command: "backup" or "repo".
/// Action: What repo was asked to do.
/// Error: "wrong-password", "locked", "damaged", "not-found", "foreign", "no-space", "unreachable", "forbidden" ...
/// DryRun: True: nothing was done, the numbers are what would be.
/// Point: That was made, restored or looked at.
/// ReadBytes: Of the disk, or of the repository.
/// StoredBytes: New in the repository.
/// SameBytes: Taken from the parent, or right already on the target.
/// Backups: Each disk, where a point has several.
/// Problems: What verify has found.
/// Requests: To a repository behind a network.
/// FirstDifference: Of verify --against: the offset of the first chunk that differs.
/// </remarks>
sealed record RepositoryDoneEvent(string Event, string Command, string? Action)
{
    public string Status { get; init; } = "";

    public int ExitCode { get; init; }

    public string Repository { get; init; } = "";

    public string? Error { get; init; }

    public bool? DryRun { get; init; }

    public string? Point { get; init; }

    public string? Target { get; init; }

    public string? Mode { get; init; }

    public string? Reason { get; init; }

    public ulong? Bytes { get; init; }

    public ulong? ReadBytes { get; init; }

    public ulong? WrittenBytes { get; init; }

    public ulong? ZeroBytes { get; init; }

    public ulong? SameBytes { get; init; }

    public ulong? StoredBytes { get; init; }

    public ulong? NewBlobs { get; init; }

    public IReadOnlyList<DiskDoneEntry>? Backups { get; init; }

    public IReadOnlyList<PointEntry>? Points { get; init; }

    public IReadOnlyList<PointDiskEntry>? Disks { get; init; }

    public IReadOnlyList<KeyEntry>? Keys { get; init; }

    public IReadOnlyList<string>? Problems { get; init; }

    public ulong? FirstDifference { get; init; }

    public RequestCounts? Requests { get; init; }

    public double Seconds { get; init; }

    public double? CpuSeconds { get; init; }
}
