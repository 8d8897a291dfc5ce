// Timers in a preallocated binary heap that knows where each timer is: start, cancel and expire cost O(log n),
// and a cancelled timer leaves at once, so that many short waits beside one long one never fill the table.
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Memory;

namespace FastBackup.Runtime;

/// <summary>Threads: one at a time.</summary>
sealed class TimerQueue
{
    sealed class Timer
    {
        public ulong Key;
        public ulong DeadlineNs;
        public ulong Sequence; // equal deadlines expire in the order in which they were started
        public ILoopTask Task = null!;
        public ulong Argument;
        public int HeapIndex;
    }

    readonly SlotTable<Timer> _timers;
    readonly Timer[] _heap;
    int _count;
    ulong _sequence;

    /// <param name="capacity">Timers at once; one more is an invariant failure.</param>
    public TimerQueue(uint capacity)
    {
        _timers = new SlotTable<Timer>(capacity);
        _heap = new Timer[capacity];
    }

    /// <summary>Deadline of the next timer, or ulong.MaxValue.</summary>
    public ulong NextDeadlineNs => _count == 0 ? ulong.MaxValue : _heap[0].DeadlineNs;

    public ulong Start(ulong deadlineNs, ILoopTask task, ulong argument)
    {
        Check.That(_timers.TryTake(out ulong key, out Timer timer));
        (timer.Key, timer.DeadlineNs, timer.Sequence) = (key, deadlineNs, _sequence++);
        (timer.Task, timer.Argument) = (task, argument);
        SiftUp(timer, _count++);
        return key;
    }

    /// <summary>A key that has expired or was cancelled is ignored.</summary>
    public void Cancel(ulong key)
    {
        if (_timers.IsTaken(key))
            Remove(_timers.Get(key));
    }

    /// <summary>The next timer that is due, taken off the queue.</summary>
    public bool TryExpire(ulong nowNs, out ILoopTask task, out ulong argument)
    {
        (task, argument) = (null!, 0);
        if (_count == 0 || _heap[0].DeadlineNs > nowNs)
            return false;
        Timer first = _heap[0];
        (task, argument) = (first.Task, first.Argument);
        Remove(first);
        return true;
    }

    void Remove(Timer timer)
    {
        Timer last = _heap[--_count];
        if (!ReferenceEquals(last, timer))
        {
            int index = timer.HeapIndex;
            if (index > 0 && IsBefore(last, _heap[(index - 1) / 2]))
                SiftUp(last, index);
            else
                SiftDown(last, index);
        }
        _heap[_count] = null!;
        timer.Task = null!;
        _timers.Free(timer.Key);
    }

    void SiftUp(Timer timer, int index)
    {
        while (index > 0 && IsBefore(timer, _heap[(index - 1) / 2]))
        {
            Place(_heap[(index - 1) / 2], index);
            index = (index - 1) / 2;
        }
        Place(timer, index);
    }

    void SiftDown(Timer timer, int index)
    {
        while (true)
        {
            int child = index * 2 + 1;
            if (child >= _count)
                break;
            if (child + 1 < _count && IsBefore(_heap[child + 1], _heap[child]))
                child++;
            if (!IsBefore(_heap[child], timer))
                break;
            Place(_heap[child], index);
            index = child;
        }
        Place(timer, index);
    }

    void Place(Timer timer, int index)
    {
        _heap[index] = timer;
        timer.HeapIndex = index;
    }

    static bool IsBefore(Timer left, Timer right) =>
        left.DeadlineNs != right.DeadlineNs ? left.DeadlineNs < right.DeadlineNs : left.Sequence < right.Sequence;
}
