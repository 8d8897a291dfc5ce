// A cold call from another thread: an action to run on the reactor's thread, its end, its exception.
using System;
using System.Runtime.ExceptionServices;
using System.Threading;
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Runtime;

/// <summary>Threads: Run and Abandon on the reactor's, the rest on the caller's.</summary>
sealed class Invocation(Reactor reactor, Action action) : ILoopTask, IDisposable
{
    readonly ManualResetEventSlim _done = new();
    ExceptionDispatchInfo? _failure;

    public void Run(ulong argument)
    {
        try
        {
            action();
        }
#pragma warning disable CA1031 // handed to the caller, whose failure it is
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _failure = ExceptionDispatchInfo.Capture(exception);
            // Half-done work of the engine is behind it: nothing on this reactor can be trusted any more.
            if (exception is InvariantException)
                reactor.Fail(exception);
        }
        _done.Set();
    }

    /// <summary>The reactor has failed: closing things must still be possible, and runs here as before.</summary>
    public void Abandon(ulong argument) => Run(argument);

    public bool Wait(int timeoutMs) => _done.Wait(timeoutMs);

    public void ThrowIfFailed() => _failure?.Throw();

    public void Dispose() => _done.Dispose();
}
