// What a backup of a disk into a repository is to do.
using System;
using FastBackup.Bitmaps;

namespace FastBackup.Repositories;

sealed record BackupPlan
{
    public required string Host { get; init; }

    public required string Disk { get; init; }

    /// <summary>As it was given, for people.</summary>
    public required string Source { get; init; }

    /// <summary>T0.</summary>
    public required DateTime Time { get; init; }

    public required ulong ChunkBytes { get; init; }

    public int PackBytes { get; init; } = PackBytesUsual;

    /// <summary>From which unchanged chunks are taken; null: all is read.</summary>
    public PointDisk? Parent { get; init; }

    /// <summary>What has changed since the parent; null: nobody knows, so all is read.</summary>
    public HierarchicalBitmap? Changed { get; init; }

    /// <summary>Why all is read; null: it is not.</summary>
    public string? FullReason { get; init; }

    /// <summary>Of the tracker, made at T0, from which the next one can go on.</summary>
    public string? Checkpoint { get; init; }

    public ulong CheckpointNs { get; init; }

    public string[] Tags { get; init; } = [];

    public const int PackBytesUsual = 64 << 20;
    public const int PackBytesMin = 16 << 20;
    public const int PackBytesMax = 128 << 20;
}
