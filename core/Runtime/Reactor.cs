// The one place that waits. A reactor owns a port, a clock, timers and an inbox, and everything behind the
// fast path (devices, copy engine, jobs) belongs to exactly one reactor and therefore has no locks.
//
// One turn: take the inbox, run deferred tasks, run due timers, then poll the port, which submits all I/O
// asked for since the last turn in one system call and waits there if there was nothing else to do; what was put off
// to the turn's end comes last.
// It is driven by its own thread (Start), by a host (Reactor.Driven.cs), a test (Turn), or by the simulator (Turn, with
// a simulated port and clock).
//
// No wake-up is lost: the loop sets _isSleeping, then (full fence) looks at the inbox once more, then
// waits; a poster publishes its item, then (full fence) looks at _isSleeping and wakes. Whichever fence
// comes second sees the other's store.
//
// An exception in a turn is a bug of ours. It stops this reactor, never the process: no device is touched any more,
// every member (disks, jobs) is told once, so that guests pass and waiters wake, and from then on the thread only
// answers what is posted with Abandon. A failed invariant inside Invoke stops the reactor in the same way.
using System;
using System.Collections.Generic;
using System.Threading;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Runtime;

/// <summary>Sizes of everything that a reactor preallocates.</summary>
/// <param name="InboxCapacity">Items from other threads at once, a power of two.</param>
/// <param name="DeferredCapacity">Deferred tasks at once, before it must allocate.</param>
/// <param name="TimerCapacity">Timers at once, before it must allocate.</param>
public readonly record struct ReactorLimits(uint InboxCapacity, uint DeferredCapacity, uint TimerCapacity)
{
    public static ReactorLimits Default => new(1024, 4096, 4096);
}

/// <summary>Makes the streams of a loop and lets its port wait for them. Threads: the loop's.</summary>
public delegate Fault StreamFactory(IIoLoop loop, out IStreamIo? streams);

/// <summary>Threads: one drives; TryPost, RequestStop and Fault any.</summary>
public sealed partial class Reactor : IIoLoop, IDisposable
{
    const uint InboxItemsPerTurn = 256;
    const int AnswerIntervalMs = 1;

    readonly record struct Deferred(ILoopTask Task, ulong Argument);

    // --- fixed at construction
    readonly ConcurrentRing<Deferred> _inbox;
    readonly BoundedQueue<Deferred> _deferred;
    readonly BoundedQueue<Deferred> _roomWaiters;
    readonly BoundedQueue<Deferred> _turnEnds;
    readonly TimerQueue _timers;

    // --- the driving thread
    readonly List<ILoopMember> _members = [];
    IStreamIo? _streams;

    // --- any thread
    int _isSleeping;
    int _isStopRequested;
    Exception? _failure;
    StandingPost? _standing; // the newest of those that are posted

    // --- the driving thread, or the one that starts it
    Thread? _thread;

    public Reactor(IFileIo fileIo, IClock clock, ReactorLimits limits)
    {
        FileIo = fileIo;
        Clock = clock;
        _inbox = new ConcurrentRing<Deferred>(limits.InboxCapacity);
        _deferred = new BoundedQueue<Deferred>(limits.DeferredCapacity);
        _roomWaiters = new BoundedQueue<Deferred>(limits.DeferredCapacity);
        _turnEnds = new BoundedQueue<Deferred>(limits.DeferredCapacity);
        _timers = new TimerQueue(limits.TimerCapacity);
    }

    public IClock Clock { get; }

    public IFileIo FileIo { get; }

    /// <summary>Makes the streams of this reactor, on its thread. Set before Start.</summary>
    public StreamFactory? StreamFactory { get; init; }

    /// <inheritdoc/>
    public Fault TryGetStreams(out IStreamIo? streams)
    {
        Fault fault = Fault.None;
        if (_streams == null)
            fault = StreamFactory?.Invoke(this, out _streams) ?? new Fault(FaultKind.Unsupported);
        streams = _streams;
        return fault;
    }

    /// <inheritdoc/>
    /// <remarks>Set before Start, or on the reactor's thread.</remarks>
    public ITraceSink? Trace { get; set; }

    /// <summary>The exception that stopped this reactor, or null. Threads: any.</summary>
    public Exception? Failure => Volatile.Read(ref _failure);

    /// <summary>Runs once on the reactor's thread if an exception stops it. Set before Start.</summary>
    public Action<Exception>? OnStopped { get; set; }

    public bool HasFailed => Failure != null;

    public bool IsOnThread =>
        _driver != null ? _driver.IsHeldByCurrentThread : _thread == null || Thread.CurrentThread == _thread;

    public bool MustNotWait =>
        _driver != null ? _driver.IsHeldByCurrentThread : _thread != null && Thread.CurrentThread == _thread;

    public void Defer(ILoopTask task, ulong argument) => Enqueue(_deferred, new Deferred(task, argument));

    public void DeferUntilRoom(ILoopTask task, ulong argument) => Enqueue(_roomWaiters, new Deferred(task, argument));

    public void AtTurnEnd(ILoopTask task, ulong argument) => Enqueue(_turnEnds, new Deferred(task, argument));

    /// <summary>Devices, disks and jobs are in a queue a few times at most; how many they are, the host says.</summary>
    static void Enqueue(BoundedQueue<Deferred> queue, in Deferred item)
    {
        if (queue.IsFull)
            queue.Grow();
        queue.Enqueue(item);
    }

    public ulong StartTimer(ulong deadlineNs, ILoopTask task, ulong argument) =>
        _timers.Start(deadlineNs, task, argument);

    public void CancelTimer(ulong timerKey) => _timers.Cancel(timerKey);

    public bool TryPost(ILoopTask task, ulong argument)
    {
        if (!_inbox.TryPut(new Deferred(task, argument)))
            return false;
        WakeIfSleeping();
        return true;
    }

    public void Post(StandingPost post)
    {
        if (!post.TryBegin())
            return;
        StandingPost? newest = Volatile.Read(ref _standing);
        while (true)
        {
            post.Next = newest;
            StandingPost? seen = Interlocked.CompareExchange(ref _standing, post, newest);
            if (ReferenceEquals(seen, newest))
                break;
            newest = seen;
        }
        WakeIfSleeping();
    }

    /// <summary>One turn of the loop.</summary>
    /// <param name="waitNs">How long it may wait when there is nothing to do; ulong.MaxValue = for ever.</param>
    /// <param name="waitsAfterWork">
    /// It may wait, too, when tasks have run and left nothing to do: for who has nothing to look at between turns.
    /// Saves a call of the port a guest's request.
    /// </param>
    /// <returns>True when something was done.</returns>
    public bool Turn(ulong waitNs, bool waitsAfterWork = false)
    {
        bool didWork = false;
        // Bounded, so that busy posters cannot keep the loop from its devices.
        for (uint i = 0; i < InboxItemsPerTurn && _inbox.TryTake(out Deferred item); i++)
        {
            didWork = true;
            item.Task.Run(item.Argument);
        }
        didWork |= RunStanding();
        for (uint count = _deferred.Count; count > 0 && _deferred.TryDequeue(out Deferred item); count--)
        {
            didWork = true;
            item.Task.Run(item.Argument);
        }
        while (_timers.TryExpire(Clock.NowNs, out ILoopTask task, out ulong argument))
        {
            didWork = true;
            task.Run(argument);
        }
        bool isIdle = !didWork || (waitsAfterWork && _turnEnds.Count == 0);
        bool mayWait = waitNs > 0 && isIdle && _deferred.Count == 0 && _streams is not { HasWork: true };
        uint delivered = FileIo.Poll(mayWait ? WaitNs(waitNs) : 0);
        if (mayWait)
            Volatile.Write(ref _isSleeping, 0);
        delivered += _streams?.Poll() ?? 0;
        while (delivered > 0 && _roomWaiters.TryDequeue(out Deferred waiter))
            Enqueue(_deferred, waiter);
        EndTurn();
        return delivered > 0 || didWork;
    }

    void EndTurn()
    {
        while (_turnEnds.TryDequeue(out Deferred item))
            item.Task.Run(item.Argument);
    }

    /// <summary>
    /// Runs an action on the reactor's thread and waits for it: for opening, closing and other cold calls.
    /// </summary>
    /// <remarks>Threads: any. Allocates. Runs at once on the reactor's own thread, or when it has none or has
    /// ended.</remarks>
    public void Invoke(Action action)
    {
        if (IsOnThread || _thread is { IsAlive: false })
        {
            action();
            return;
        }
        if (_driver != null)
        {
            InvokeDriven(action);
            return;
        }
        using Invocation invocation = new(this, action);
        while (!TryPost(invocation, 0) && _thread!.IsAlive)
            Thread.Yield();
        while (!invocation.Wait(50))
            if (!_thread!.IsAlive && !invocation.Wait(0))
                throw new InvalidOperationException("the reactor has stopped", Failure);
        invocation.ThrowIfFailed();
    }

    /// <summary>Starts the thread that drives this reactor.</summary>
    /// <param name="name">Shown by the system's tools; at most 15 bytes.</param>
    public void Start(string name)
    {
        Check.That(_thread == null);
        Check.That(_driver == null);
        _thread = new Thread(Run, 512 * 1024) { Name = name, IsBackground = true };
        _thread.Start();
    }

    public void Join(ILoopMember member)
    {
        _members.Add(member);
        if (Failure != null)
            member.OnLoopFailed();
    }

    public void Leave(ILoopMember member) => _members.Remove(member);

    /// <summary>Asks the thread to end after its current turn. Threads: any.</summary>
    public void RequestStop()
    {
        Volatile.Write(ref _isStopRequested, 1);
        Interlocked.MemoryBarrier();
        FileIo.Wake();
    }

    /// <summary>Stops and joins the thread if there is one. The port is disposed by whoever opened it.</summary>
    public void Dispose()
    {
        RequestStop();
        if (_thread != null && Thread.CurrentThread != _thread)
            _thread.Join();
        _streams?.Dispose();
        _streams = null;
    }

    /// <summary>Stops for a bug: see the head comment. On the reactor's thread.</summary>
    internal void Fail(Exception exception)
    {
        if (Failure != null)
            return;
        Volatile.Write(ref _failure, exception);
        // Allocates nothing: what failed may be an allocation. A member that is told may take itself off the list.
        for (int i = _members.Count - 1; i >= 0; i--)
            if (i < _members.Count)
                Tell(_members[i]);
        Tell(exception);
    }

    void Run()
    {
        SystemPort.Current.BeginThread(_thread!.Name!);
        while (Volatile.Read(ref _isStopRequested) == 0)
        {
            if (Failure != null)
            {
                AnswerPosts();
                continue;
            }
            try
            {
                Turn(ulong.MaxValue, waitsAfterWork: true);
            }
#pragma warning disable CA1031 // the boundary: whatever it is, it must not end the host process
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Fail(exception);
            }
        }
    }

    /// <summary>After a failure: what is posted is given back, nothing else happens here.</summary>
    void AnswerPosts()
    {
        while (_inbox.TryTake(out Deferred item))
            Answer(item);
        _ = RunStanding();
#pragma warning disable RS0030 // the port cannot be waited on any more, and nothing here is urgent
        Thread.Sleep(AnswerIntervalMs);
#pragma warning restore RS0030
    }

    // A handler that fails as well must not end the host process either; the first failure is the one that is kept.
#pragma warning disable CA1031
    static void Tell(ILoopMember member)
    {
        try
        {
            member.OnLoopFailed();
        }
        catch (Exception) { }
    }

    void Tell(Exception exception)
    {
        try
        {
            OnStopped?.Invoke(exception);
        }
        catch (Exception) { }
    }

    static void Answer(in Deferred item)
    {
        try
        {
            item.Task.Abandon(item.Argument);
        }
        catch (Exception) { }
    }
#pragma warning restore CA1031

    bool HasPosts => !_inbox.IsEmpty || Volatile.Read(ref _standing) != null;

    /// <summary>All that were posted so far, the newest first.</summary>
    bool RunStanding()
    {
        StandingPost? post = Volatile.Read(ref _standing) == null ? null : Interlocked.Exchange(ref _standing, null);
        bool isAny = post != null;
        while (post != null)
        {
            StandingPost? next = post.Next;
            post.End(); // from here on it may be posted again, and have another next
            if (Failure == null)
                post.Task.Run(0);
            else
                Answer(new Deferred(post.Task, 0));
            post = next;
        }
        return isAny;
    }

    ulong WaitNs(ulong waitNs)
    {
        Interlocked.Exchange(ref _isSleeping, 1); // a full fence: see the head comment
        if (HasPosts || Volatile.Read(ref _isStopRequested) != 0)
            return 0;
        ulong deadlineNs = _timers.NextDeadlineNs;
        if (deadlineNs == ulong.MaxValue)
            return waitNs;
        ulong nowNs = Clock.NowNs;
        return deadlineNs <= nowNs ? 0 : Math.Min(waitNs, deadlineNs - nowNs);
    }

    void WakeIfSleeping()
    {
        // The item was published by a plain release store: without this fence it could still be on its way
        // when _isSleeping is read, and both sides would see the past.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _isSleeping) == 0 || Interlocked.Exchange(ref _isSleeping, 0) == 0)
            return;
        if (_driver != null)
            _waiter?.Poke();
        else
            FileIo.Wake();
    }
}
