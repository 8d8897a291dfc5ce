// The threads of one simulated file, where there is no ring: each carries out one command at a time, and one that hangs
// keeps its thread. The port counts; whoever gives a file more than it has threads breaks rule O23, for behind busy
// threads the order is no lane's any more, and a guest would wait for whatever was there before.
using System;
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Tests.Simulation.World;

sealed class FileThreads(int count, Tallies tallies) : IFileWorkers
{
    int _busyCount;

    public int Count { get; } = count;

    public bool TakesAll => true;

    /// <summary>A thread begins a command.</summary>
    /// <returns>Whether all were busy before.</returns>
    public bool Begin()
    {
        if (_busyCount + 1 == Count)
            tallies.Count(Mishap.FileThreadsBusy);
        return ++_busyCount > Count;
    }

    public void End() => _busyCount--;

    public bool TryPush(in FileCommand command)
    {
        Check.Fail("the port of the world has all commands");
        return false;
    }

    public void Close(Action? onClosed) => onClosed?.Invoke();

    public bool WaitClosed(int timeoutMs) => true;
}
