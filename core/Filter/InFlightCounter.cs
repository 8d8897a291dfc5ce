// How many guest writes are under way, counted by many threads and summed by one.
//
// Each thread adds to a shard of its own (a cache line by thread id), so begin and end cost one uncontended
// interlocked add each. A begin and its end may come from different threads: only the sums over all shards mean
// something. Begins and ends are counted apart, because both together also tell how long writes take (WriteMeter).
//
// The difference is exact when it matters: while the gate is closed nothing but ends and begin-then-undo pairs (on
// one shard and one count) happen. Each shard's ends are read before its begins, so the difference can be too high,
// never too low; whoever ends or undoes last sees the closed gate and asks for another look.
using System;
using System.Runtime.InteropServices;
using System.Threading;
using FastBackup.Copy;

namespace FastBackup.Filter;

/// <summary>Threads: Begin, Undo and End any; the rest the reactor's.</summary>
sealed class InFlightCounter : IWriteCounts
{
    const int ShardCount = 64;

    [StructLayout(LayoutKind.Explicit, Size = 128)]
    struct Shard
    {
        [FieldOffset(0)]
        public ulong BegunCount;

        [FieldOffset(8)]
        public ulong EndedCount;
    }

    readonly Shard[] _shards = GC.AllocateArray<Shard>(ShardCount, pinned: true);

    ref Shard Own => ref _shards[Environment.CurrentManagedThreadId & (ShardCount - 1)];

    /// <summary>A full fence: what the caller reads afterwards is read after the count is visible.</summary>
    public void Begin() => Interlocked.Increment(ref Own.BegunCount);

    /// <summary>The begin on this thread did not happen. A full fence.</summary>
    public void Undo() => Interlocked.Decrement(ref Own.BegunCount);

    /// <summary>A full fence.</summary>
    public void End() => Interlocked.Increment(ref Own.EndedCount);

    public long Sum()
    {
        Read(out ulong begunCount, out ulong endedCount);
        return (long)(begunCount - endedCount);
    }

    public void Read(out ulong begunCount, out ulong endedCount)
    {
        Interlocked.MemoryBarrier();
        (begunCount, endedCount) = (0, 0);
        for (int i = 0; i < ShardCount; i++)
        {
            endedCount += Volatile.Read(ref _shards[i].EndedCount);
            begunCount += Volatile.Read(ref _shards[i].BegunCount);
        }
    }
}
