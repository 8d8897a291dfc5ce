// A collection of the runtime's heap stops every thread that comes into the library, guests' hooks and the reactor
// among them. Young objects that still live are moved meanwhile: 1 to 2 ms a MiB, so what a large command makes (2,500
// bitmaps are 3 MiB) would hold guests for that long, at a time that nobody chooses. Engines at work make no objects;
// monitors do, and while one is open:
//
//   young objects   are collected by the monitor's thread, a step at a time, before there are many: 0.2 to 0.7 ms each
//   old objects     are looked through beside everything else, by a thread of the runtime: 0.1 to 0.5 ms, twice
//
// Without a monitor there is no such thread: it comes with a collection and goes after 20 s, and a host that drives its
// engines may have forbidden new threads by then.
using System;
using System.Runtime;
using System.Threading;

namespace FastBackup.Native.Handles;

/// <summary>Threads: any; but see <see cref="Step"/>.</summary>
static class ShortPauses
{
    const long StepBytes = 256 << 10;

    static readonly Lock s_lock = new();
    static int s_count;
    static long s_steppedAtBytes;

#pragma warning disable CA2255 // of a library that is a process's own runtime: nobody else sets this mode
    [System.Runtime.CompilerServices.ModuleInitializer]
#pragma warning restore CA2255
    internal static void StartWithout() => GCSettings.LatencyMode = GCLatencyMode.Batch;

    /// <summary>A monitor begins: what others have made is old from now on. Cost: some ms, for once.</summary>
    public static void Begin()
    {
        lock (s_lock)
            if (s_count++ == 0)
                GCSettings.LatencyMode = GCLatencyMode.Interactive;
        GC.Collect(); // young objects are not so young then,
        GC.Collect(); // and old after the second
    }

    public static void End()
    {
        lock (s_lock)
            if (--s_count == 0)
                GCSettings.LatencyMode = GCLatencyMode.Batch;
    }

    /// <summary>
    /// To be called between parts of what makes many objects. Not on a thread that guests wait for. Without a monitor
    /// it does nothing.
    /// </summary>
    /// <remarks>Threads: monitors', and those of cold calls. Cost: 10 ns, or that of a step.</remarks>
    public static void Step()
    {
        if (Volatile.Read(ref s_count) == 0)
            return;
        long bytes = GC.GetTotalAllocatedBytes(precise: false);
        if (bytes - Volatile.Read(ref s_steppedAtBytes) < StepBytes)
            return;
        Volatile.Write(ref s_steppedAtBytes, bytes);
        GC.Collect(1);
    }
}
