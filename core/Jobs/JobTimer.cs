// A timer for whatever a job waits for next: of several deadlines the earliest counts, and whoever is told looks at all
// of them again. Cost: that of the loop's timers; nothing for a deadline that is not the earliest.
using System;
using FastBackup.Ports;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's.</summary>
/// <param name="loop">The reactor.</param>
/// <param name="onDue">Called when the time has come; the timer is not set any more then.</param>
sealed class JobTimer(IIoLoop loop, Action onDue) : ILoopTask
{
    ulong _key; // 0 = not set
    ulong _deadlineNs;

    public bool IsSet => _key != 0;

    public ulong NowNs => loop.Clock.NowNs;

    /// <summary>Is due at this time, or earlier where it is set for an earlier one.</summary>
    public void StartBy(ulong deadlineNs)
    {
        if (_key != 0 && _deadlineNs <= deadlineNs)
            return; // at worst it fires early, and is set anew then
        Cancel();
        _deadlineNs = deadlineNs;
        _key = loop.StartTimer(deadlineNs, this, 0);
    }

    public void Cancel()
    {
        if (_key != 0)
            loop.CancelTimer(_key);
        _key = 0;
    }

    void ILoopTask.Run(ulong argument)
    {
        _key = 0;
        onDue();
    }
}
