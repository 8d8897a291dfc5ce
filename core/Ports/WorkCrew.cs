// Threads for what computes for long, so that a loop never does: guests wait for the loop. Work goes in from a loop and
// comes back to it by a standing post, which never finds the inbox full. Started at open, because a thread that is
// started allocates; they sleep on a counter of the system (WorkCounter says why).
// Not in a simulator: there work runs on the loop, which changes when it is done and nothing else.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Ports;

/// <summary>Threads: Push a loop's; Close any, once, when all that was pushed has come back.</summary>
public sealed class WorkCrew
{
    /// <summary>That can be pushed and not yet begun.</summary>
    public const uint WaitingMax = 4096;

    const int StackBytes = 256 * 1024;

    readonly record struct Item(ICrewWork Work, IIoLoop Loop, StandingPost Done);

    readonly ConcurrentRing<Item> _items = new(WaitingMax);
    readonly WorkCounter _counter;
    int _count;
    int _liveCount;
    int _isStopping;

    WorkCrew(WorkCounter counter) => _counter = counter;

    /// <param name="name">Of each thread, at most 15 bytes.</param>
    /// <param name="count">Threads, at least 1; fewer where the system refuses more.</param>
    /// <returns>Null where it refuses the first.</returns>
    public static WorkCrew? TryStart(string name, int count)
    {
        if (SystemPort.Current.TryMakeCounter() is not { } counter)
            return null;
        WorkCrew crew = new(counter) { _liveCount = 1 }; // this call: a thread that ends is not the last meanwhile
        while (crew._count < count && crew.TryStartOne(name))
            crew._count++;
        if (crew._count > 0)
            return crew;
        counter.Close();
        return null;
    }

    /// <summary>The work runs on a thread, then the loop is told.</summary>
    /// <param name="work">Not pushed again before that.</param>
    /// <param name="loop">Whose thread this is.</param>
    /// <param name="done">Its task runs when the work has.</param>
    public void Push(ICrewWork work, IIoLoop loop, StandingPost done)
    {
        Check.That(_items.TryPut(new Item(work, loop, done)));
        _counter.Add(1);
    }

    /// <summary>Ends the threads and waits for nothing.</summary>
    public void Close()
    {
        Check.That(Interlocked.Exchange(ref _isStopping, 1) == 0);
        _counter.Add(_count);
        Leave();
    }

    bool TryStartOne(string name)
    {
        _ = Interlocked.Increment(ref _liveCount);
        try
        {
            new Thread(Work, StackBytes) { Name = name, IsBackground = true }.Start();
            return true;
        }
        catch (OutOfMemoryException) // pthread_create(3): EAGAIN, a limit on threads
        {
            _ = Interlocked.Decrement(ref _liveCount);
            return false;
        }
    }

    void Work()
    {
        SystemPort.Current.BeginThread(Thread.CurrentThread.Name!);
        while (TryTake(out Item item))
        {
            item.Work.RunOnCrew();
            item.Loop.Post(item.Done);
        }
        Leave();
    }

    /// <summary>The last closes the counter.</summary>
    void Leave()
    {
        if (Interlocked.Decrement(ref _liveCount) == 0)
            _counter.Close();
    }

    bool TryTake(out Item item)
    {
        _counter.Take();
        item = default;
        if (Volatile.Read(ref _isStopping) != 0)
            return false;
        // The count was signalled after the put; only a put that began earlier and has not ended can be in the way.
        SpinWait spin = default;
        while (!_items.TryTake(out item))
            spin.SpinOnce();
        return true;
    }
}
