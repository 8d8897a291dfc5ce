// What closed handles leave behind: memory and descriptors that a call on another thread may still be using. Their
// finalizers give them back once no call does; this asks for that soon, since otherwise hardly anything is allocated
// and no collection would come by itself.
using System;

namespace FastBackup.Native.Handles;

static class Retirement
{
    /// <summary>Cost: 0.3 to 1 ms, the heap being small; the finalizers run on their own thread afterwards.</summary>
    public static void Collect() => GC.Collect();
}
