// What a run of the benchmark was asked to do.
namespace FastBackup.Bench.GuestLatency;

/// <param name="Folder">Where the disks are made; null chooses one that is not in memory.</param>
/// <param name="SizeBytes">Of the guest's disk, a multiple of 1 MiB.</param>
/// <param name="RoundCount">How often each row is measured.</param>
/// <param name="Seconds">How long a guest is watched at most; a backup that ends before ends the row.</param>
/// <param name="HasFrontier">Whether QEMU is also measured with its hand-tuned settings.</param>
/// <param name="HasSlow">Whether a slow target is measured.</param>
/// <param name="HasHung">Whether a target that stops answering is measured.</param>
/// <param name="HasReads">Whether a guest that reads is measured, with and without its reads taken over.</param>
/// <param name="HasCopiesOnly">Whether the guests are also measured with copy-before-write alone.</param>
/// <param name="HasAbsorb">Whether ours is also measured with writes answered from memory.</param>
/// <param name="HasHardware">Whether fio does the same work itself, beside a copy of the speed that ours had.</param>
/// <param name="HasIncremental">Whether ours is also measured with an incremental of a tenth of the disk.</param>
/// <param name="IsOursOnly">Leaves QEMU out, for work on our side.</param>
/// <param name="LoadName">The only load to measure; null = all.</param>
/// <param name="WarmMs">How long ours looks at guests' writes before the point in time; null = as it chooses.</param>
/// <param name="IsPlugin">Ours is nbdkit with our plugin, not the engine in this process.</param>
sealed record LatencySettings(
    string? Folder,
    ulong SizeBytes,
    int RoundCount,
    double Seconds,
    bool HasFrontier,
    bool HasSlow,
    bool HasHung,
    bool HasReads,
    bool HasCopiesOnly,
    bool HasAbsorb,
    bool HasHardware = false,
    bool HasIncremental = false,
    bool IsOursOnly = false,
    string? LoadName = null,
    uint? WarmMs = null,
    bool IsPlugin = false
);
