// What the child process that runs our copy tells its parent, as one line of JSON.
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Throughput;

/// <param name="WallSeconds">From the job's start to its end, final flush included.</param>
/// <param name="Job">Used by the process in that time.</param>
/// <param name="PeakResidentBytes">VmHWM at the end.</param>
/// <param name="PoolBytes">I/O memory of the engine.</param>
/// <param name="WrittenBytes">Read and written by the job.</param>
/// <param name="LoopManagedBytes">Allocated by the reactor's thread, which runs all of core, in that time.</param>
/// <param name="ManagedBytes">Allocated by all threads in that time.</param>
/// <param name="ReadCount">Chunks that were read.</param>
/// <param name="WriteCount">Requests to the target that carried content.</param>
/// <param name="EnterCount">Calls of io_uring_enter(2) in that time; 0 without io_uring.</param>
/// <param name="PortName">What carried out the I/O.</param>
/// <param name="WindowBytes">What the copy window allowed at the end.</param>
/// <param name="OpenSeconds">Opening engine and devices.</param>
/// <param name="Warnings">The engine's.</param>
sealed record CopyReport(
    double WallSeconds,
    ProcessUse Job,
    ulong PeakResidentBytes,
    ulong PoolBytes,
    ulong WrittenBytes,
    long LoopManagedBytes,
    long ManagedBytes,
    ulong ReadCount,
    ulong WriteCount,
    ulong EnterCount,
    string PortName,
    ulong WindowBytes,
    double OpenSeconds,
    string[] Warnings
);
