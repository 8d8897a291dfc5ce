// How QEMU's backup job was told to work: blockdev-backup's experimental x-perf, one point of its frontier between
// throughput and the guest's latency. Source: QEMU qapi/block-core.json, BackupPerf.
using FastBackup.Base;

namespace FastBackup.Bench.GuestLatency;

/// <param name="WorkerMax">max-workers: chunks at once.</param>
/// <param name="ChunkBytesMax">max-chunk.</param>
readonly record struct QemuTuning(uint WorkerMax, ulong ChunkBytesMax)
{
    /// <summary>64 workers of 1 MiB, which is what QEMU does when it is told nothing.</summary>
    public static readonly QemuTuning Default = new(64, Units.MiB);

    public static readonly QemuTuning[] Frontier =
    [
        Default,
        new(16, Units.MiB),
        new(8, 256 * Units.KiB),
        new(4, 256 * Units.KiB),
        new(2, 128 * Units.KiB),
        new(1, 64 * Units.KiB),
    ];

    public bool IsDefault => this == Default;

    public override string ToString() =>
        ChunkBytesMax >= Units.MiB
            ? $"{WorkerMax} x {ChunkBytesMax / Units.MiB} MiB"
            : $"{WorkerMax} x {ChunkBytesMax / Units.KiB} KiB";
}
