// SIGINT, SIGTERM and SIGHUP as a request to end cleanly; on Windows Ctrl-C, shutdown and a console that is closed. The
// first one sets the event; a second one gets the system's default, so that a person who insists is obeyed at once
// whatever the disks are doing. Windows ends a program when it has been told that its console was closed, or after five
// seconds: so that call does not return, and the program ends by itself meanwhile.
// Source: signal(7); PosixSignal in the .NET documentation; HandlerRoutine in the Windows documentation.
using System;
using System.Runtime.InteropServices;
using System.Threading;

namespace FastBackup.Cli;

/// <summary>Threads: any.</summary>
sealed class Interruption : IDisposable
{
    readonly ManualResetEvent _event = new(false);
    readonly PosixSignalRegistration[] _registrations;
    int _count;
    volatile bool _isEnding; // by the system: it lets nobody unregister until it was answered

    public Interruption() =>
        _registrations = [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal),
            PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal),
        ];

    /// <summary>Set once a signal has come.</summary>
    public WaitHandle Event => _event;

    public bool IsRequested => Volatile.Read(ref _count) > 0;

    public void Dispose()
    {
        if (_isEnding)
            return;
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
        _event.Dispose();
    }

    void OnSignal(PosixSignalContext context)
    {
        if (Interlocked.Increment(ref _count) > 1)
            return;
        context.Cancel = true;
        _isEnding = OperatingSystem.IsWindows() && context.Signal != PosixSignal.SIGINT;
        _event.Set();
        if (_isEnding)
            Thread.Sleep(Timeout.Infinite);
    }
}
