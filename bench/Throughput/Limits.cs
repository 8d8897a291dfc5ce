// What our copy may cost apart from time: the bounds of the smoke run and of the summary.
namespace FastBackup.Bench.Throughput;

static class Limits
{
    /// <summary>The runtime compiles the path while it runs for the first time, which touches new pages.</summary>
    public const double FaultsMax = 1000;

    public const double EntersPerChunkMax = 3;

    /// <summary>What core may allocate between a job's start and its end.</summary>
    public const double ManagedBytesMax = 0;

    // The runtime remembers the outcome of type casts in one table per process. When two casts collide in it, it makes
    // a table of twice the size, on the thread that happened to cast: 256 entries of 24 bytes, one for the table
    // itself, and the array's head. It is not the engine's, happens at most once here, and has this very size. Source:
    // dotnet/runtime, System.Runtime.CompilerServices.CastCache.
    const ulong CastTableBytes = 257 * 24 + 24;

    /// <summary>The bytes of a process's first job that are the engine's own.</summary>
    public static ulong EngineBytes(ulong loopBytes) => loopBytes == CastTableBytes ? 0 : loopBytes;
}
