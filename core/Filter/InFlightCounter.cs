// How many guest writes are under way, counted by many threads and summed by one.
//
// Each thread adds to a shard of its own (a cache line by thread id), so begin and end cost one uncontended
// interlocked add each. A begin and its end may come from different threads: a shard may go negative, only the
// sum means something. The sum is exact when it matters: while the gate is closed nothing but ends and
// begin-then-undo pairs (on one shard) happen, so a sum read shard by shard can be too high, never too low;
// whoever ends or undoes last sees the closed gate and asks for another look.
using System;
using System.Runtime.InteropServices;
using System.Threading;

namespace FastBackup.Filter;

/// <summary>Threads: Add any; Sum the reactor's.</summary>
sealed class InFlightCounter
{
    const int ShardCount = 64;

    [StructLayout(LayoutKind.Explicit, Size = 128)]
    struct Shard
    {
        [FieldOffset(0)]
        public long Count;
    }

    readonly Shard[] _shards = GC.AllocateArray<Shard>(ShardCount, pinned: true);

    /// <summary>A full fence: what the caller reads afterwards is read after the count is visible.</summary>
    public void Add(long delta) =>
        Interlocked.Add(ref _shards[Environment.CurrentManagedThreadId & (ShardCount - 1)].Count, delta);

    public long Sum()
    {
        Interlocked.MemoryBarrier();
        long sum = 0;
        for (int i = 0; i < ShardCount; i++)
            sum += Volatile.Read(ref _shards[i].Count);
        return sum;
    }
}
