// Timers in a preallocated binary heap. Start, expire and cancel cost O(log n). A cancelled timer leaves at once:
// nearly every timer of a guest's wait is cancelled long before its 30 s are over, and entries that stayed until
// then would fill any table.
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Memory;

namespace FastBackup.Runtime;

/// <summary>Threads: one at a time.</summary>
sealed class TimerQueue
{
    sealed class Timer
    {
        public ILoopTask Task = null!;
        public ulong Argument;
        public int HeapIndex;
    }

    readonly record struct Entry(ulong DeadlineNs, ulong Sequence, ulong Key);

    readonly SlotTable<Timer> _timers;
    readonly Entry[] _heap;
    int _count;
    ulong _sequence; // equal deadlines expire in the order in which they were started

    /// <param name="capacity">Timers at once; one more is an invariant failure.</param>
    public TimerQueue(uint capacity)
    {
        _timers = new SlotTable<Timer>(capacity);
        _heap = new Entry[capacity];
    }

    /// <summary>Deadline of the next timer, or ulong.MaxValue.</summary>
    public ulong NextDeadlineNs => _count == 0 ? ulong.MaxValue : _heap[0].DeadlineNs;

    public ulong Start(ulong deadlineNs, ILoopTask task, ulong argument)
    {
        Check.That(_timers.TryTake(out ulong key, out Timer timer));
        (timer.Task, timer.Argument) = (task, argument);
        SiftUp(_count++, new Entry(deadlineNs, _sequence++, key));
        return key;
    }

    public void Cancel(ulong key)
    {
        if (_timers.IsTaken(key))
            Remove(_timers.Get(key).HeapIndex);
    }

    /// <summary>The next timer that is due, taken off the queue.</summary>
    public bool TryExpire(ulong nowNs, out ILoopTask task, out ulong argument)
    {
        (task, argument) = (null!, 0);
        if (_count == 0 || _heap[0].DeadlineNs > nowNs)
            return false;
        Timer timer = _timers.Get(_heap[0].Key);
        (task, argument) = (timer.Task, timer.Argument);
        Remove(0);
        return true;
    }

    /// <summary>Takes an entry out: the last one takes its place and finds its own.</summary>
    void Remove(int index)
    {
        Check.That(index < _count);
        _timers.Free(_heap[index].Key);
        Entry last = _heap[--_count];
        if (index == _count)
            return;
        if (index > 0 && IsBefore(last, _heap[(index - 1) / 2]))
            SiftUp(index, last);
        else
            SiftDown(index, last);
    }

    void SiftUp(int index, in Entry entry)
    {
        for (int parent; index > 0 && IsBefore(entry, _heap[parent = (index - 1) / 2]); index = parent)
            Place(index, _heap[parent]);
        Place(index, entry);
    }

    void SiftDown(int index, in Entry entry)
    {
        while (true)
        {
            int child = index * 2 + 1;
            if (child >= _count)
                break;
            if (child + 1 < _count && IsBefore(_heap[child + 1], _heap[child]))
                child++;
            if (!IsBefore(_heap[child], entry))
                break;
            Place(index, _heap[child]);
            index = child;
        }
        Place(index, entry);
    }

    void Place(int index, in Entry entry)
    {
        _heap[index] = entry;
        _timers.Get(entry.Key).HeapIndex = index;
    }

    static bool IsBefore(in Entry left, in Entry right) =>
        left.DeadlineNs != right.DeadlineNs ? left.DeadlineNs < right.DeadlineNs : left.Sequence < right.Sequence;
}
