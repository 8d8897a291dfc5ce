// Sizes and rules of one copy engine.
using FastBackup.Base;

namespace FastBackup.Copy;

public sealed record CopyRules
{
    /// <summary>Chunks of the background in flight at once, at least 1.</summary>
    public required uint BackgroundMax { get; init; }

    /// <summary>Chunks for guests that wait, at once: being read, in memory, or being written; at least 1.</summary>
    public required uint CaptureMax { get; init; }

    /// <summary>Captured chunks that are written to the target at once, at least 1.</summary>
    public required uint TargetMax { get; init; }

    /// <summary>
    /// The part of the pool that the background leaves alone: what guests' copies have for certain, as far as other
    /// disks' guests leave it.
    /// </summary>
    public required ulong ReserveBytes { get; init; }

    /// <summary>Memory that guests' copies of this engine may hold, at least one cluster.</summary>
    public ulong CaptureBytesMax { get; init; } = ulong.MaxValue;

    /// <summary>The longest single copy for a guest; one cluster at least is taken.</summary>
    public ulong CaptureChunkBytes { get; init; } = 256 * Units.KiB;

    public required ReleasePoint ReleasePoint { get; init; }

    /// <summary>
    /// What a guest's write is captured in where it overwrites a part of a cluster: a power of two; 0 = whole clusters.
    /// Made larger where the source or the cluster asks for it, and not used with <see cref="ReleasePoint.Done"/>.
    /// </summary>
    public uint BlockBytes { get; init; }

    /// <summary>Where captured data goes when memory is full; null = nowhere.</summary>
    public ScratchSpace? Scratch { get; init; }
}
