// What a run of the benchmark was asked to do.
namespace FastBackup.Bench.Throughput;

/// <param name="Folder">Where the disks are made; null chooses one that is not in memory.</param>
/// <param name="SizeBytes">Of the source, a multiple of 1 MiB.</param>
/// <param name="RoundCount">How often everybody copies in each state of the target.</param>
/// <param name="IsThorough">Whether the ceiling is searched over many block sizes and depths.</param>
/// <param name="IsKept">Whether the source stays for the next run.</param>
/// <param name="IsTmpfs">Whether the folder is in memory, where other goals hold.</param>
/// <param name="CommandPath">The command as people have it, whose whole process is measured; null: none.</param>
/// <param name="IsSmoke">Whether time does not matter.</param>
sealed record BenchSettings(
    string? Folder,
    ulong SizeBytes,
    int RoundCount,
    bool IsThorough,
    bool IsKept,
    bool IsTmpfs,
    string? CommandPath = null,
    bool IsSmoke = false
);
