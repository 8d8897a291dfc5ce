// The plans of a monitor that wait for their moments, so that none waits for ever.
using System.Collections.Generic;
using System.Threading;
using FastBackup.Native.Errors;
using FastBackup.Native.Monitor.Commands;

namespace FastBackup.Native.Monitor.Plans;

/// <summary>Threads: the reactor's, unless a member says otherwise.</summary>
sealed class WaitingPlans(MonitorTurns turns)
{
    readonly List<IWaitingPlan> _plans = [];
    int _count;

    /// <summary>Any thread.</summary>
    public bool HasAny => Volatile.Read(ref _count) > 0;

    public void Add(IWaitingPlan plan)
    {
        _plans.Add(plan);
        Volatile.Write(ref _count, _plans.Count);
    }

    public void Remove(IWaitingPlan plan)
    {
        _ = _plans.Remove(plan);
        Volatile.Write(ref _count, _plans.Count);
    }

    /// <summary>Ends what has waited too long. On the monitor's thread.</summary>
    public void GiveUpOld() =>
        turns.Run(() =>
        {
            foreach (IWaitingPlan plan in _plans.ToArray())
                if (plan.IsTooOld)
                    plan.GiveUp("guest writes under way have not ended for 30 s: nothing was changed");
            return Answer.Ok;
        });

    /// <summary>All were given up, and no other may come.</summary>
    public bool IsOver { get; private set; }

    public void GiveUpAll(string reason)
    {
        IsOver = true;
        foreach (IWaitingPlan plan in _plans.ToArray())
            plan.GiveUp(reason);
    }
}
