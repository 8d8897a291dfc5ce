// A reactor without a thread: the host drives it, a few turns at a time, from whichever thread comes; one at a time,
// which a lock sees to. Being on the reactor's thread means to hold that lock. Cold calls (Invoke) take it and act at
// once.
//
// No wake-up is lost: as in Reactor.cs, with the waiter's poke in place of the port's wake. The port itself must be
// watched by the host: see Engine.ReadyFd.
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
        try
        {
            Volatile.Write(ref _isSleeping, 0);
            bool isIdle = false;
            for (uint i = 0; i < turnsMax && !isIdle; i++)
                isIdle = !TurnOrFail();
            Interlocked.Exchange(ref _isSleeping, 1); // a full fence: see the head comment of Reactor.cs
            if (!isIdle || !_inbox.IsEmpty)
                _waiter!.Poke();
            else
                _waiter!.SleepUntil(_timers.NextDeadlineNs);
        }
        finally
        {
            _driver.Exit();
        }
    }

    bool TurnOrFail()
    {
        if (Failure != null)
        {
            while (_inbox.TryTake(out Deferred item))
                Answer(item);
            return false;
        }
        try
        {
            return Turn(0) || _deferred.Count > 0;
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
            invocation.Run(0);
        _waiter?.Poke(); // what it began goes on in the host's next turn
        invocation.ThrowIfFailed();
    }
}
