// What our copy may cost apart from time: the bounds of the smoke run and of the summary.
namespace FastBackup.Bench.Throughput;

static class Limits
{
    /// <summary>The runtime compiles the path while it runs for the first time, which touches new pages.</summary>
    public const double FaultsMax = 1000;

    public const double EntersPerChunkMax = 3;

    /// <summary>What core may allocate between a job's start and its end.</summary>
    public const double ManagedBytesMax = 0;
}
