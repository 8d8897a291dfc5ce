// A reactor without a thread: the host drives it, a few turns at a time, from whichever thread comes; one at a time,
// which a lock sees to. Being on the reactor's thread means to hold that lock. Cold calls (Invoke) take it and act at
// once.
//
// No wake-up is lost: as in Reactor.cs, with the waiter's poke in place of the port's wake, and one step more. Whoever
// is woken by a poke may find the lock held and go away again: the holder may have looked at the inbox already, and
// would leave with nobody left to look. So the holder looks once more when it has left, after a full fence: who came
// too early came before that, and so did the post that it was woken for. What is left to do is poked for after the
// leave, too: a poke before it could be used up by the same early comer.
// The port itself must be watched by the host (Engine.ReadyFd): a turn is idle only when the port has submitted and
// armed all that its descriptor tells of.
using System;
using System.Threading;

namespace FastBackup.Runtime;

public sealed partial class Reactor
{
    Lock? _driver;
    IHostWaiter? _waiter;

    /// <summary>The host drives it.</summary>
    public bool IsHostDriven => _driver != null;

    /// <summary>In place of Start: there will be no thread. Once, before anything else.</summary>
    public void BeDriven()
    {
        _driver = new Lock();
        _isSleeping = 1; // the first post pokes
    }

    /// <summary>Who is poked. Once, before anything is posted.</summary>
    public void SetWaiter(IHostWaiter waiter) => _waiter = waiter;

    /// <summary>Some turns, on the calling thread; none when another thread is at it, or this one further up.</summary>
    public void TryDrive(uint turnsMax)
    {
        if (_driver!.IsHeldByCurrentThread || !_driver.TryEnter())
            return;
        bool isIdle = false;
        try
        {
            Volatile.Write(ref _isSleeping, 0);
            for (uint i = 0; i < turnsMax && !isIdle; i++)
                isIdle = !TurnOrFail();
            Volatile.Write(ref _isSleeping, 1);
            if (isIdle)
                _waiter!.SleepUntil(_timers.NextDeadlineNs);
        }
        finally
        {
            _driver.Exit();
        }
        Interlocked.MemoryBarrier(); // see the head comment
        if (!isIdle || HasPosts)
            _waiter!.Poke();
    }

    bool TurnOrFail()
    {
        if (Failure != null)
        {
            while (_inbox.TryTake(out Deferred item))
                Answer(item);
            _ = RunStanding();
            return false;
        }
        try
        {
            return Turn(0) || _deferred.Count > 0 || _streams is { HasWork: true } || FileIo.NeedsPoll;
        }
#pragma warning disable CA1031 // the boundary: whatever it is, it must not end the host process
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Fail(exception);
            return true;
        }
    }

    /// <summary>As Invoke, for threads that are none of the host's: waits until the host drives.</summary>
    /// <remarks>The host's devices are called in turns, and a host with one thread expects them on that.</remarks>
    public void InvokeInTurn(Action action)
    {
        using Invocation invocation = new(this, action);
        while (!TryPost(invocation, 0))
            Thread.Yield();
        while (!invocation.Wait(50)) { }
        invocation.ThrowIfFailed();
    }

    void InvokeDriven(Action action)
    {
        using Invocation invocation = new(this, action);
        lock (_driver!)
        {
            invocation.Run(0);
            EndTurn();
        }
        _waiter?.Poke(); // what it began goes on in the host's next turn
        invocation.ThrowIfFailed();
    }
}
