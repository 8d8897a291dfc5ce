// Threads for cold calls that may hang: an open, a close, a look at a path on a file system whose server does not
// answer. Each call gets a thread of its own, that nobody waits for. Only so many at once: what hangs keeps its thread
// until it answers, perhaps for ever.
using System;
using System.Threading;
using FastBackup.Base;

namespace FastBackup.Ports.Linux;

/// <summary>Threads: any.</summary>
/// <param name="atOnceMax">Calls under way at most, 1 at least.</param>
/// <param name="stackBytes">Of a thread: more for libraries of others.</param>
public sealed class PatientThreads(int atOnceMax, int stackBytes = PatientThreads.StackBytesUsual)
{
    const int StackBytesUsual = 256 * 1024;

    int _count;

    /// <summary>Calls under way.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Starts a call. Waits for nothing.</summary>
    /// <param name="name">Of the thread, at most 15 bytes.</param>
    /// <param name="call">Throws nothing.</param>
    /// <returns>False: as many are under way as may be, or the system refuses a thread.</returns>
    public bool TryRun(string name, Action call)
    {
        Check.That(atOnceMax > 0);
        if (Interlocked.Increment(ref _count) <= atOnceMax && TryStart(name, call))
            return true;
        _ = Interlocked.Decrement(ref _count);
        return false;
    }

    bool TryStart(string name, Action call)
    {
        try
        {
            new Thread(() => Run(name, call), stackBytes) { Name = name, IsBackground = true }.Start();
            return true;
        }
        catch (OutOfMemoryException) // pthread_create(3): EAGAIN, a limit on threads
        {
            return false;
        }
    }

    void Run(string name, Action call)
    {
        SystemPort.Current.BeginThread(name);
        try
        {
            call();
        }
        finally
        {
            _ = Interlocked.Decrement(ref _count);
        }
    }
}
