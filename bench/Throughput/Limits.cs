// What our copy may cost apart from time: the bounds of the smoke run and of the summary.
namespace FastBackup.Bench.Throughput;

static class Limits
{
    /// <summary>The runtime compiles the path while it runs for the first time, which touches new pages.</summary>
    public const double FaultsMax = 1000;

    public const double EntersPerChunkMax = 3;

    /// <summary>
    /// What core may allocate during a process's first job. Not zero, for ThreadedFileIo starts its threads at
    /// the first command they get, which for the ring's map thread is the job's first look at the allocation
    /// map: Thread.Start allocates 32 bytes on the thread that calls it. Measured alone: a Map request before
    /// the job allocates those 32 bytes and the job then none, as does every further job.
    /// </summary>
    /// <param name="portName">One thread beside the ring, all workers without it.</param>
    public static double ManagedBytesMax(string portName) => portName == "io_uring" ? 32 : 32 * 16;
}
