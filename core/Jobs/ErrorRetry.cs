// What a backup does about failures that may pass: chunks whose only copy is in our memory wait here to be written
// again (parked), and new ones are not started for a while. The back-off doubles from 10 ms to 2 s while failures
// follow each other, and ends with the first success. Cost: O(parked) per retry.
using System;
using FastBackup.Base;
using FastBackup.Copy;

namespace FastBackup.Jobs;

/// <summary>Threads: the reactor's.</summary>
/// <param name="engine">Whose chunks are parked.</param>
/// <param name="timer">The job's: due when the back-off is over.</param>
sealed class ErrorRetry(CopyEngine engine, JobTimer timer)
{
    const ulong BackOffNsMin = 10 * Units.NsPerMs;
    const ulong BackOffNsMax = 2 * Units.NsPerSecond;

    readonly ulong[] _parked = new ulong[engine.TaskMax]; // task keys that wait for a retry
    int _parkedCount;
    ulong _backOffNs = BackOffNsMin;

    /// <summary>Nothing is started before.</summary>
    public ulong BackOffUntilNs { get; private set; }

    /// <summary>Why the job is paused by its error policy; None when it is not.</summary>
    public Fault StoppedBy { get; private set; }

    /// <summary>Some chunk waits to be written again, and its time has not come.</summary>
    public bool IsBackingOff => _parkedCount > 0 && timer.NowNs < BackOffUntilNs;

    /// <summary>What to do about a fault that may pass.</summary>
    public static ErrorPolicy Decide(ErrorPolicy policy, Fault fault) =>
        policy switch
        {
            ErrorPolicy.EnoSpc or ErrorPolicy.Auto => fault.Kind == FaultKind.NoSpace
                ? ErrorPolicy.Stop
                : ErrorPolicy.Report,
            _ => policy,
        };

    public void OnSuccess() => _backOffNs = BackOffNsMin;

    public void Park(ulong taskKey)
    {
        Check.That(_parkedCount < _parked.Length);
        _parked[_parkedCount++] = taskKey;
    }

    /// <summary>Ignored: again, after a while.</summary>
    public void BackOff()
    {
        BackOffUntilNs = timer.NowNs + _backOffNs;
        _backOffNs = Math.Min(_backOffNs * 2, BackOffNsMax);
        timer.StartBy(BackOffUntilNs);
    }

    /// <summary>The timer was taken away, or was due for something else: what is parked still needs it.</summary>
    public void WaitAgain()
    {
        if (_parkedCount > 0)
            timer.StartBy(BackOffUntilNs);
    }

    /// <summary>The job stops until somebody resumes it.</summary>
    public void Stop(Fault fault, bool isSource)
    {
        StoppedBy = fault;
        engine.IsTargetHeld |= !isSource; // what guests' writes capture waits in memory or scratch
    }

    public void Resume()
    {
        StoppedBy = Fault.None;
        engine.IsTargetHeld = false;
    }

    /// <summary>Writes again what waits for it; a failure parks it again.</summary>
    public void RetryAll()
    {
        for (int count = _parkedCount; count > 0; count--)
        {
            ulong key = _parked[0];
            _parkedCount--;
            Array.Copy(_parked, 1, _parked, 0, _parkedCount);
            engine.Retry(key);
        }
    }

    public void AbandonAll()
    {
        while (_parkedCount > 0)
            engine.Abandon(_parked[--_parkedCount]);
    }
}
