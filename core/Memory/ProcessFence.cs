// One thread's fence for all threads of the process: what lets many threads do without any fence where one thread may
// pay for all of them. The kernel interrupts every processor that runs one of our threads (membarrier, 1 to 10 us); a
// thread that does not run has passed a fence when it was switched away.
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Memory;

/// <summary>Threads: any.</summary>
public static class ProcessFence
{
    /// <summary>The kernel offers it. False: older than Linux 4.14, or forbidden by a filter of system calls.</summary>
    public static bool IsAvailable { get; } = Membarrier.Call(Membarrier.CMD_REGISTER_PRIVATE_EXPEDITED) == 0;

    /// <summary>
    /// For every other thread there is a point between begin and end of this call at which it passes a full fence.
    /// </summary>
    public static void Issue()
    {
        Check.That(IsAvailable);
        // Registered, it cannot fail, unless a filter of system calls came later. Then nothing may be built on it.
        Check.That(Membarrier.Call(Membarrier.CMD_PRIVATE_EXPEDITED) == 0);
    }
}
