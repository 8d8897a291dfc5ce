// What the command line asks the demo to do, checked and in numbers.
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Pacing;

namespace FastBackup.Cli;

sealed record DemoRequest
{
    /// <summary>Unit of copying in both halves.</summary>
    public const uint ClusterBytes = FilterOptions.ClusterBytesDefault;

    public required ulong SizeBytes { get; init; }

    /// <summary>Where its folder lies meanwhile.</summary>
    public required string ParentFolder { get; init; }

    public GuestPriority GuestPriority { get; init; } = GuestPriority.Balanced;

    /// <summary>I/O memory of each half.</summary>
    public ulong MemoryBytes { get; init; } = 64 * Units.MiB;

    /// <summary>What is taken where there is enough, if nobody asked for an amount.</summary>
    public ulong? UsualMemoryBytes { get; init; }

    /// <summary>Where the live half puts old data that memory has no room for; null = nowhere.</summary>
    public string? ScratchPath { get; init; }

    /// <summary>As given; more than the disk is never used.</summary>
    public ulong ScratchLimitBytes { get; init; } = ulong.MaxValue;

    /// <summary>The scratch path may be a block device.</summary>
    public bool IsForced { get; init; }

    /// <summary>Bytes per second that the live half's target takes; 0 = as fast as it can.</summary>
    public ulong TargetBytesPerSecond { get; init; }
}
