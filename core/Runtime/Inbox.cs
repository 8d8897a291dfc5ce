// Items from any thread to the loop's: a bounded ring of cells, each with a sequence number (Vyukov's
// queue with one consumer).
//
// A producer claims a position by compare-exchange on the tail when the cell's sequence says "free for
// this lap", writes the item, then publishes it with a release store of sequence = position + 1, which
// pairs with the consumer's acquire load. The consumer frees the cell with a release store of
// sequence = position + capacity, which pairs with the next lap's producer. Without the pairs an item
// could be read before it is written, or overwritten before it is read.
// Cost: one compare-exchange; lock-free, and wait-free for a single producer. Allocates nothing.
using System.Numerics;
using System.Threading;
using FastBackup.Base;
using FastBackup.BlockIo;

namespace FastBackup.Runtime;

/// <summary>Threads: TryPost any, TryTake the loop's.</summary>
sealed class Inbox
{
    struct Cell
    {
        public ulong Sequence;
        public ILoopTask Task;
        public ulong Argument;
    }

    readonly Cell[] _cells;
    readonly ulong _mask;
    ulong _tail; // any thread, interlocked
    ulong _head; // the loop's thread

    /// <param name="capacity">Items at once, a power of two.</param>
    public Inbox(uint capacity)
    {
        Check.That(BitOperations.IsPow2(capacity));
        _cells = new Cell[capacity];
        _mask = capacity - 1;
        for (uint i = 0; i < capacity; i++)
            _cells[i].Sequence = i;
    }

    public bool IsEmpty => Volatile.Read(ref _cells[_head & _mask].Sequence) != _head + 1;

    public bool TryPost(ILoopTask task, ulong argument)
    {
        ulong position = Volatile.Read(ref _tail);
        while (true)
        {
            ref Cell cell = ref _cells[position & _mask];
            long lap = (long)(Volatile.Read(ref cell.Sequence) - position);
            if (lap < 0)
                return false; // full: the consumer has not freed this cell's last lap
            if (lap == 0)
            {
                ulong seen = Interlocked.CompareExchange(ref _tail, position + 1, position);
                if (seen == position)
                {
                    cell.Task = task;
                    cell.Argument = argument;
                    Volatile.Write(ref cell.Sequence, position + 1);
                    return true;
                }
                position = seen;
            }
            else
            {
                position = Volatile.Read(ref _tail);
            }
        }
    }

    public bool TryTake(out ILoopTask task, out ulong argument)
    {
        ref Cell cell = ref _cells[_head & _mask];
        if (Volatile.Read(ref cell.Sequence) != _head + 1)
        {
            (task, argument) = (null!, 0);
            return false;
        }
        (task, argument) = (cell.Task, cell.Argument);
        cell.Task = null!;
        Volatile.Write(ref cell.Sequence, _head + (ulong)_cells.Length);
        _head++;
        return true;
    }
}
