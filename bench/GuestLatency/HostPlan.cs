// The files that a host works with.
namespace FastBackup.Bench.GuestLatency;

/// <param name="SourcePath">The guest's disk, a raw file without holes.</param>
/// <param name="TargetPath">Where the backup goes: made, sparse.</param>
/// <param name="SizeBytes">Of both.</param>
/// <param name="SocketPath">Where the host serves the guest.</param>
/// <param name="IsDirect">Whether the file system takes O_DIRECT.</param>
sealed record HostPlan(string SourcePath, string TargetPath, ulong SizeBytes, string SocketPath, bool IsDirect)
{
    /// <summary>The target is in memory and takes so many bytes a second; 0 = it is the file named above.</summary>
    public ulong LimitBytesPerSecond { get; init; }

    /// <summary>
    /// Ours: how long a guest's write may wait for a copy; null takes the default. QEMU 7.2's backup has no such limit.
    /// </summary>
    public uint? CbwTimeoutMs { get; init; }

    /// <summary>Ours: what guests read is backed up from their memory.</summary>
    public bool TakesGuestReads { get; init; }

    /// <summary>Ours: only what guests overwrite is copied, nothing in the background.</summary>
    public bool IsCopiesOnly { get; init; }

    /// <summary>Ours: the backup copies what a bitmap marks, so many hundredths of the disk; 0 = all of it.</summary>
    public uint DirtyPercent { get; init; }

    /// <summary>Ours: memory for writes that are answered before they land; 0 = none are.</summary>
    public ulong AbsorbBytes { get; init; }

    /// <summary>Ours: how long guests' writes are looked at before the point in time; null = as it chooses.</summary>
    public uint? WarmMs { get; init; }

    /// <summary>The backup is meant to fail.</summary>
    public bool IsFailureExpected { get; init; }
}
