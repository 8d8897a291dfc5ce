// One thread's fence for all threads of the process: what lets many threads do without any fence where one thread may
// pay for all of them. The system interrupts every processor that runs one of our threads (membarrier,
// FlushProcessWriteBuffers: 1 to 10 us); a thread that does not run has passed a fence when it was switched away.
using System;
using FastBackup.Base;

namespace FastBackup.Memory;

/// <summary>Threads: any.</summary>
public static class ProcessFence
{
    /// <summary>The system offers it. False: a kernel that is too old, or a filter of system calls.</summary>
    public static bool IsAvailable { get; } = HostMemory.Current.TryPrepareFence();

    [ThreadStatic]
    static ulong _issuedCount;

    /// <summary>Fences that this thread has issued: what tests of those who rely on them look at.</summary>
    internal static ulong IssuedCount => _issuedCount;

    /// <summary>
    /// For every other thread there is a point between begin and end of this call at which it passes a full fence.
    /// </summary>
    public static void Issue()
    {
        Check.That(IsAvailable);
        // Registered, it cannot fail, unless a filter of system calls came later. Then nothing may be built on it.
        Check.That(HostMemory.Current.TryFence());
        _issuedCount++;
    }
}
