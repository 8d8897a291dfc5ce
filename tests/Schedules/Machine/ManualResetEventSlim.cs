// In place of the framework's: calls that wait for a reactor wait in the run.
using System;
using FastBackup.Tests.Schedules.Machine;

namespace FastBackup;

sealed class ManualResetEventSlim(bool isSet = false) : IDisposable
{
    bool _isSet = isSet;

    public void Set()
    {
        Run.Step();
        Run.Fence();
        _isSet = true;
    }

    public void Reset()
    {
        Run.Step();
        _isSet = false;
    }

    /// <summary>Without the end that the time would put to it: whoever only that would wake was forgotten.</summary>
    public bool Wait(int timeoutMs)
    {
        Base.Check.That(timeoutMs >= 0);
        return Run.Current == null ? _isSet : Run.Await(() => _isSet);
    }

    public void Wait() => _ = Wait(int.MaxValue);

    public void Dispose() { }
}
