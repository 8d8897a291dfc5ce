// The files that a host works with.
namespace FastBackup.Bench.GuestLatency;

/// <param name="SourcePath">The guest's disk, a raw file without holes.</param>
/// <param name="TargetPath">Where the backup goes.</param>
/// <param name="IsTargetThere">Whether the target exists and is overwritten; else it is made, sparse.</param>
/// <param name="SizeBytes">Of both.</param>
/// <param name="SocketPath">Where the host serves the guest.</param>
/// <param name="IsDirect">Whether the file system takes O_DIRECT.</param>
sealed record HostPlan(
    string SourcePath,
    string TargetPath,
    bool IsTargetThere,
    ulong SizeBytes,
    string SocketPath,
    bool IsDirect
);
