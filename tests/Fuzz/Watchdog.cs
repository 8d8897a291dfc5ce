// A session that does not end cannot say so itself: another thread looks at it once a second, and ends the program with
// the input.
using System;
using System.Threading;

namespace FastBackup.Tests.Fuzz;

/// <summary>Threads: one begins and ends sessions; the look is a thread's of its own.</summary>
sealed class Watchdog : IDisposable
{
    const long SecondsMax = 60; // of a machine that has much else to do

    readonly string _name;
    readonly Timer _timer;
    byte[]? _input;
    long _beganMs;

    /// <param name="name">Of the end, for people.</param>
    public Watchdog(string name)
    {
        _name = name;
        _timer = new Timer(_ => Look(), null, 1000, 1000);
    }

    public void Begin(byte[] input)
    {
        Volatile.Write(ref _beganMs, Environment.TickCount64);
        Volatile.Write(ref _input, input);
    }

    public void End() => Volatile.Write(ref _input, null);

    void Look()
    {
        if (Volatile.Read(ref _input) is not { } input)
            return;
        if (Environment.TickCount64 - Volatile.Read(ref _beganMs) < SecondsMax * 1000)
            return;
        Console.WriteLine($"{_name}: a session has not ended after {SecondsMax} s\n{Corpus.Hex(input)}");
        Environment.Exit(1);
    }

    public void Dispose() => _timer.Dispose();
}
