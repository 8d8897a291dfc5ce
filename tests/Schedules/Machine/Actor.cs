// One thread of a scenario. It is a real thread, kept from run to run, that goes only when it is told to.
using System;
using System.Collections.Generic;
using System.Threading;

namespace FastBackup.Tests.Schedules.Machine;

#pragma warning disable CA1001 // it lives as long as the process
sealed class Actor
#pragma warning restore CA1001
{
    readonly AutoResetEvent _turn = new(false); // which does not spin: the other one may need the processor
    Run? _run;
    Action? _work;

    public Actor(int index)
    {
        Index = index;
        new System.Threading.Thread(Live, 1 << 20) { Name = "actor " + index, IsBackground = true }.Start();
    }

    public int Index { get; }

    /// <summary>What it waits for; null while it could go on.</summary>
    public Func<bool>? Wanted { get; set; }

    /// <summary>Its wait has an end of its own.</summary>
    public bool IsTimed { get; set; }

    public bool IsDone { get; private set; }

    public Exception? Failure { get; private set; }

    /// <summary>Oldest first; all of them in memory while it runs, none otherwise.</summary>
    public List<Store> Stores { get; } = [];

    /// <summary>Polls that found something since somebody else ran.</summary>
    public int ReadyPollCount { get; set; }

    /// <summary>It gave way, and not all others that could go have had their turn since.</summary>
    public bool HasGivenWay { get; set; }

    /// <summary>Exchanges since it left a lock: tells who calls a poke.</summary>
    public int ExchangeCount { get; set; }

    public bool CanGo => !IsDone && (Wanted == null || Wanted());

    public void Prepare(Run run, Action work)
    {
        (_run, _work, Wanted, IsTimed, IsDone, Failure) = (run, work, null, false, false, null);
        (ReadyPollCount, ExchangeCount, HasGivenWay) = (0, 0, false);
        Stores.Clear();
    }

    /// <summary>Its stores appear, and it goes on.</summary>
    public void Go()
    {
        foreach (Store store in Stores)
            store.Swap();
        _turn.Set();
    }

    /// <summary>Its stores are hidden: another one is about to go.</summary>
    public void Hide()
    {
        for (int i = Stores.Count - 1; i >= 0; i--)
            Stores[i].Swap();
    }

    public void AwaitTurn() => _turn.WaitOne();

    void Live()
    {
        while (true)
        {
            _turn.WaitOne();
            try
            {
                Run.Enter(_run!, this);
                _work!();
            }
            catch (RunIsOver) { }
#pragma warning disable CA1031 // reported by the explorer with the way that led to it
            catch (Exception exception)
#pragma warning restore CA1031
            {
                Failure = exception;
            }
            IsDone = true;
            Run.Leave();
            _run!.OnDone(this);
        }
    }
}

/// <summary>Unwinds an actor that nobody will let go on.</summary>
sealed class RunIsOver : Exception;
