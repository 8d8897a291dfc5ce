// How one point in time behaves when something goes wrong.
using FastBackup.Base;
using FastBackup.Copy;

namespace FastBackup.Filter;

/// <summary>Who suffers when the old data under a guest write cannot be saved.</summary>
public enum CbwErrorPolicy : byte
{
    /// <summary>
    /// The snapshot: the guest goes on, the snapshot is lost for good, its job fails with the root cause.
    /// </summary>
    BreakSnapshot,

    /// <summary>The guest: its write fails, the disk is unchanged there, the snapshot stays valid.</summary>
    BreakGuestWrite,
}

public sealed record FilterOptions
{
    public const uint CbwTimeoutMsDefault = 30_000;
    public const uint ClusterBytesDefault = (uint)(64 * Units.KiB);
    public const uint BlockBytesDefault = (uint)(4 * Units.KiB);
    public const uint TaskMaxDefault = 64;

    /// <summary>
    /// Source: QEMU's default is break-guest-write; a backup that stops guests is what its users complain of.
    /// </summary>
    public CbwErrorPolicy OnCbwError { get; init; } = CbwErrorPolicy.BreakSnapshot;

    /// <summary>Longest wait of a guest write for a copy; 0 = no limit.</summary>
    public uint CbwTimeoutMs { get; init; } = CbwTimeoutMsDefault;

    /// <summary>Granularity of the copy: a power of two.</summary>
    public uint ClusterBytes { get; init; } = ClusterBytesDefault;

    /// <summary>
    /// A guest's write that overwrites a part of a cluster captures blocks of this size, or of the device's if that is
    /// larger; 0 = always whole clusters, as with BreakGuestWrite, where it waits for the target anyway.
    /// </summary>
    public uint BlockBytes { get; init; } = BlockBytesDefault;

    /// <summary>Chunks of the background in flight at once; guests' copies are limited by memory only.</summary>
    public uint TaskMax { get; init; } = TaskMaxDefault;

    /// <summary>
    /// Memory that guests' copies of this point in time may hold until the target has them: at least one cluster, at
    /// most what the engine's pool has. Beyond it scratch space takes over, then guests wait.
    /// </summary>
    public ulong CaptureBytesMax { get; init; } = ulong.MaxValue;

    /// <summary>
    /// Guests' reads of whole clusters are copied from the guest's memory instead of being read again. Costs a copy in
    /// memory; see CONTRIBUTING.md for when it pays.
    /// </summary>
    public bool TakesGuestReads { get; init; }

    /// <summary>
    /// Where old data goes when memory is full, or null; of the same cluster size, used by nobody else. Whoever made it
    /// disposes of it after the job.
    /// </summary>
    public ScratchSpace? Scratch { get; init; }
}
