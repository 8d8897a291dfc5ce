// In which state a copy finds its target. The file system's share of the work differs, so each has its table.
namespace FastBackup.Bench.Throughput;

enum TargetState
{
    /// <summary>A new sparse file: every write allocates. What a user's backup does.</summary>
    Fresh,

    /// <summary>A file that was written in full before: nothing is allocated.</summary>
    Overwrite,
}
