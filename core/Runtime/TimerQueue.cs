// Timers in a preallocated binary heap. Start and expire cost O(log n), cancel O(1) (the entry stays until
// its time and is then skipped).
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
        public bool IsCancelled;
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
    public ulong NextDeadlineNs
    {
        get
        {
            while (_count > 0 && _timers.Get(_heap[0].Key).IsCancelled)
                _timers.Free(Pop().Key);
            return _count == 0 ? ulong.MaxValue : _heap[0].DeadlineNs;
        }
    }

    public ulong Start(ulong deadlineNs, ILoopTask task, ulong argument)
    {
        Check.That(_timers.TryTake(out ulong key, out Timer timer));
        (timer.Task, timer.Argument, timer.IsCancelled) = (task, argument, false);
        int index = _count++;
        Entry entry = new(deadlineNs, _sequence++, key);
        while (index > 0 && IsBefore(entry, _heap[(index - 1) / 2]))
        {
            _heap[index] = _heap[(index - 1) / 2];
            index = (index - 1) / 2;
        }
        _heap[index] = entry;
        return key;
    }

    public void Cancel(ulong key)
    {
        if (_timers.IsTaken(key))
            _timers.Get(key).IsCancelled = true;
    }

    /// <summary>The next timer that is due, taken off the queue.</summary>
    public bool TryExpire(ulong nowNs, out ILoopTask task, out ulong argument)
    {
        (task, argument) = (null!, 0);
        if (NextDeadlineNs > nowNs || _count == 0)
            return false;
        ulong key = Pop().Key;
        Timer timer = _timers.Get(key);
        (task, argument) = (timer.Task, timer.Argument);
        _timers.Free(key);
        return true;
    }

    Entry Pop()
    {
        Entry first = _heap[0];
        Entry last = _heap[--_count];
        int index = 0;
        while (true)
        {
            int child = index * 2 + 1;
            if (child >= _count)
                break;
            if (child + 1 < _count && IsBefore(_heap[child + 1], _heap[child]))
                child++;
            if (!IsBefore(_heap[child], last))
                break;
            _heap[index] = _heap[child];
            index = child;
        }
        _heap[index] = last;
        return first;
    }

    static bool IsBefore(in Entry left, in Entry right) =>
        left.DeadlineNs != right.DeadlineNs ? left.DeadlineNs < right.DeadlineNs : left.Sequence < right.Sequence;
}
