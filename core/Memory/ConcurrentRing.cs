// A bounded first-in first-out ring that any thread may put into and take from (Vyukov's queue): the loop's
// inbox, and free lists that guest threads take from.
//
// Each cell has a sequence number. A producer claims a position by compare-exchange on the tail when the
// cell's sequence says "free for this lap", writes the item, then publishes it with a release store of
// sequence = position + 1, which pairs with the consumer's acquire load. A consumer claims by compare-exchange
// on the head, takes the item and frees the cell with a release store of sequence = position + capacity, which
// pairs with the next lap's producer. Without the pairs an item could be read before it is written, or
// overwritten before it is read.
// Cost: one compare-exchange per call; lock-free, and wait-free while nobody contends. Allocates only at
// construction. A producer that is descheduled between claim and publish hides the items behind it until then.
using System.Numerics;
using System.Runtime.InteropServices;
using System.Threading;
using FastBackup.Base;

namespace FastBackup.Memory;

/// <summary>Threads: any.</summary>
public sealed class ConcurrentRing<T>
{
    struct Cell
    {
        public ulong Sequence;
        public T Item;
    }

    readonly Cell[] _cells;
    readonly ulong _mask;
    ConcurrentRingEnds _ends;

    /// <param name="capacity">Items at once, a power of two, 2 at least.</param>
    public ConcurrentRing(uint capacity)
    {
        Check.That(capacity >= 2);
        Check.That(BitOperations.IsPow2(capacity));
        _cells = new Cell[capacity];
        _mask = capacity - 1;
        for (uint i = 0; i < capacity; i++)
            _cells[i].Sequence = i;
    }

    public uint Capacity => (uint)_cells.Length;

    /// <summary>False when the next item is there to be taken; a hint beside other consumers.</summary>
    public bool IsEmpty
    {
        get
        {
            ulong head = Volatile.Read(ref _ends.Head);
            return Volatile.Read(ref _cells[head & _mask].Sequence) != head + 1;
        }
    }

    /// <returns>False when full; nothing was put.</returns>
    public bool TryPut(in T item)
    {
        ulong position = Volatile.Read(ref _ends.Tail);
        while (true)
        {
            ref Cell cell = ref _cells[position & _mask];
            long lap = (long)(Volatile.Read(ref cell.Sequence) - position);
            if (lap < 0)
                return false; // full: the consumers have not freed this cell's last lap
            if (lap > 0)
            {
                position = Volatile.Read(ref _ends.Tail);
                continue;
            }
            ulong seen = Interlocked.CompareExchange(ref _ends.Tail, position + 1, position);
            if (seen == position)
            {
                cell.Item = item;
                Volatile.Write(ref cell.Sequence, position + 1);
                return true;
            }
            position = seen;
        }
    }

    /// <summary>
    /// Puts an item that there is room for by the owner's own count: a free list, say. The ring can look full all the
    /// same while a consumer that was descheduled in the middle of a take still has its cell: then this waits for it.
    /// </summary>
    public void Put(in T item)
    {
        SpinWait spin = default;
        while (!TryPut(item))
            spin.SpinOnce(sleep1Threshold: -1);
    }

    /// <returns>False when empty.</returns>
    public bool TryTake(out T item)
    {
        ulong position = Volatile.Read(ref _ends.Head);
        while (true)
        {
            ref Cell cell = ref _cells[position & _mask];
            long lap = (long)(Volatile.Read(ref cell.Sequence) - (position + 1));
            if (lap < 0)
            {
                item = default!;
                return false;
            }
            if (lap > 0)
            {
                position = Volatile.Read(ref _ends.Head);
                continue;
            }
            ulong seen = Interlocked.CompareExchange(ref _ends.Head, position + 1, position);
            if (seen == position)
            {
                item = cell.Item;
                cell.Item = default!;
                Volatile.Write(ref cell.Sequence, position + (ulong)_cells.Length);
                return true;
            }
            position = seen;
        }
    }
}

/// <summary>The two ends on cache lines of their own: producers and consumers do not slow each other down.</summary>
[StructLayout(LayoutKind.Explicit, Size = 192)]
struct ConcurrentRingEnds
{
    [FieldOffset(0)]
    public ulong Tail;

    [FieldOffset(128)]
    public ulong Head;
}
