// What a piece of work allocates, told apart from what the runtime allocates on the same thread once in a while (a
// table of casts that grows, a method that is compiled anew).
using System;

namespace FastBackup.Tests;

public static class Allocations
{
    const int RunsMax = 4;

    /// <summary>Bytes of the cheapest run of a few: work that allocates does so in each of them.</summary>
    /// <param name="work">Warmed up; may be run again.</param>
    public static long LeastBytes(Action work)
    {
        long leastBytes = long.MaxValue;
        for (int run = 0; run < RunsMax && leastBytes > 0; run++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            work();
            leastBytes = Math.Min(leastBytes, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        return leastBytes;
    }
}
