// What is to be done with one disk of a point.
using FastBackup.Bitmaps;

namespace FastBackup.Repositories;

sealed record BackupPlan
{
    public required string Disk { get; init; }

    /// <summary>As it was given, for people.</summary>
    public required string Source { get; init; }

    public required ulong ChunkBytes { get; init; }

    /// <summary>From which unchanged chunks are taken; null: all is read.</summary>
    public PointDisk? Parent { get; init; }

    /// <summary>What has changed since the parent; null: nobody knows, so all is read.</summary>
    public HierarchicalBitmap? Changed { get; init; }

    /// <summary>Its word in documents, events and texts.</summary>
    public string Mode => Changed != null ? "incremental" : "full";

    /// <summary>Why all is read; null: it is not.</summary>
    public string? FullReason { get; init; }

    /// <summary>Of the tracker, made at T0, from which the next one can go on.</summary>
    public string? Checkpoint { get; init; }

    public ulong CheckpointNs { get; init; }
}
