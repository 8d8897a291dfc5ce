// What closed handles leave behind: memory and descriptors that a call on another thread may still be using. Their
// finalizers give them back once no call does; this asks for that soon, since otherwise hardly anything is allocated
// and no collection would come by itself.
using System;
using System.Threading;

namespace FastBackup.Native.Handles;

/// <summary>Threads: any.</summary>
static class Retirement
{
    /// <summary>So many small bitmaps, or one large one, may be closed and still mapped.</summary>
    const long WeightMax = 1 << 20;
    const long WeightOfAny = WeightMax / 64;

    static long s_weight;

    /// <summary>Something was closed that only memory hangs on.</summary>
    /// <param name="granules">Of the bitmap.</param>
    public static void Retire(ulong granules)
    {
        if (Weigh(granules))
            Collect();
    }

    /// <summary>The same, for many at once.</summary>
    /// <returns>True when it is time to collect, once all are weighed.</returns>
    public static bool Weigh(ulong granules)
    {
        long weight = WeightOfAny + (long)Math.Min(granules, WeightMax);
        if (Interlocked.Add(ref s_weight, weight) < WeightMax)
            return false;
        Interlocked.Exchange(ref s_weight, 0);
        return true;
    }

    /// <summary>
    /// Cost: 0.3 to 1 ms, the heap being small; while a monitor is open, which may make it larger, another thread does
    /// most of it. The finalizers run on their own thread afterwards.
    /// </summary>
    public static void Collect() => GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false);
}
