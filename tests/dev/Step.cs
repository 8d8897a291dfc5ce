// A step of 'test' while it runs: says that it has begun and how long that took the last time, then every half minute
// that it goes on, so that nobody wonders whether it hangs.
using System;
using System.Diagnostics;
using System.Threading;

namespace FastBackup.Dev;

sealed class Step : IDisposable
{
    static readonly TimeSpan s_period = TimeSpan.FromSeconds(30);

    readonly Stopwatch _watch = Stopwatch.StartNew();
    readonly string _name;
    readonly Timer _timer;

    Step(string name)
    {
        _name = name;
        _timer = new Timer(
            _ => Console.WriteLine($"{_name}: goes on ({Elapsed.TotalSeconds:0} s)"),
            null,
            s_period,
            s_period
        );
    }

    public TimeSpan Elapsed => _watch.Elapsed;

    public static Step Begin(string name)
    {
        string last = Durations.Last(name) is { } time ? $" ({time.TotalSeconds:0} s the last time)" : "";
        Console.WriteLine($"{name} ...{last}");
        return new Step(name);
    }

    public void Dispose() => _timer.Dispose();
}
