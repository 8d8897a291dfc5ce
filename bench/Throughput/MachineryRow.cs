// One row of the table about the cost of the machinery.
namespace FastBackup.Bench.Throughput;

/// <param name="Name">What was copied to what.</param>
/// <param name="BufferBytes">Longest chunk.</param>
/// <param name="ChunkCount">Chunks copied.</param>
/// <param name="NsPerChunk">Wall time of the fastest pass, by chunk.</param>
/// <param name="GiBPerSecond">The same, by byte.</param>
/// <param name="LoopManagedBytes">Allocated by core in that pass.</param>
sealed record MachineryRow(
    string Name,
    ulong BufferBytes,
    ulong ChunkCount,
    double NsPerChunk,
    double GiBPerSecond,
    long LoopManagedBytes
);
