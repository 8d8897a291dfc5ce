// Timers: start, cancel and expire cost O(log n), and a cancelled timer leaves at once, so that many short waits beside
// one long one never fill the table. Made with the room that is usually needed; it doubles when more timers run at a
// time than ever before, since how many disks and jobs there are is the host's to say. Nothing that a guest or a client
// counts has a timer each: those of a kind share one.
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Runtime;

/// <summary>Threads: one at a time.</summary>
/// <param name="capacity">Timers that run at once without another allocation.</param>
sealed class TimerQueue(uint capacity)
{
    sealed class Timer : DeadlineEntry
    {
        public ulong Key;
        public ILoopTask Task = null!;
        public ulong Argument;
    }

    readonly SlotTable<Timer> _timers = new(capacity);
    readonly DeadlineHeap<Timer> _heap = new(capacity);

    /// <summary>Deadline of the next timer, or ulong.MaxValue.</summary>
    public ulong NextDeadlineNs => _heap.First is { } first ? first.DeadlineNs : ulong.MaxValue;

    public ulong Start(ulong deadlineNs, ILoopTask task, ulong argument)
    {
        if (_timers.TakenCount == _timers.Capacity)
            _timers.Grow();
        Check.That(_timers.TryTake(out ulong key, out Timer timer));
        (timer.Key, timer.Task, timer.Argument) = (key, task, argument);
        _heap.Add(timer, deadlineNs);
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
        if (_heap.First is not { } first || first.DeadlineNs > nowNs)
            return false;
        (task, argument) = (first.Task, first.Argument);
        Remove(first);
        return true;
    }

    void Remove(Timer timer)
    {
        _heap.Remove(timer);
        timer.Task = null!;
        _timers.Free(timer.Key);
    }
}
