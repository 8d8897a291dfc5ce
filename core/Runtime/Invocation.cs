// A cold call from another thread: an action to run on the reactor's thread, its end, its exception.
using System;
using System.Runtime.ExceptionServices;
using System.Threading;
using FastBackup.BlockIo;

namespace FastBackup.Runtime;

/// <summary>Threads: Run on the reactor's, the rest on the caller's.</summary>
sealed class Invocation(Action action) : ILoopTask, IDisposable
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
        }
        _done.Set();
    }

    public bool Wait(int timeoutMs) => _done.Wait(timeoutMs);

    public void ThrowIfFailed() => _failure?.Throw();

    public void Dispose() => _done.Dispose();
}
