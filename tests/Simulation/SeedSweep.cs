// Many seeds on all processors. The seeds of past failures come first; one seed in a hundred is run twice and must
// be the same both times (O14).
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Threading;
using FastBackup.Base;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation;

sealed class SeedSweep
{
    const int ShownMax = 20;

    readonly Options _options;
    readonly ulong[] _known;
    readonly Lock _lock = new();
    readonly Tallies _sum = new();
    readonly List<SeedOutcome> _bad = [];
    readonly Stopwatch _watch = Stopwatch.StartNew();
    long _next;
    long _done;

    SeedSweep(Options options, ulong[] known) => (_options, _known) = (options, known);

    public static int Run(Options options, ulong[] known)
    {
        SeedSweep sweep = new(options, known);
        Thread[] threads = [.. Enumerable.Range(0, options.Threads).Select(_ => new Thread(sweep.Work, 4 << 20))];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
        return sweep.Finish();
    }

    void Work()
    {
        using SeedRunner runner = new();
        while (_watch.Elapsed.TotalSeconds < _options.Seconds)
        {
            ulong index = (ulong)Interlocked.Increment(ref _next) - 1;
            ulong known = (ulong)_known.Length;
            ulong seed = index < known ? _known[index] : _options.FirstSeed + index - known;
            if (index >= known && seed > _options.LastSeed)
                break;
            SeedOutcome outcome = runner.Run(seed, _options.Bug, null);
            Interlocked.Increment(ref _done);
            if (outcome.IsGood && seed % 100 == 0)
            {
                SeedOutcome again = runner.Run(seed, _options.Bug, null);
                if (again.Hash != outcome.Hash)
                    outcome = new SeedOutcome(seed, "O14", "O14: two runs of this seed differ", 0);
            }
            if (!outcome.IsGood)
                Note(outcome);
        }
        lock (_lock)
            _sum.Add(runner.Sum);
    }

    void Note(SeedOutcome outcome)
    {
        lock (_lock)
        {
            _bad.Add(outcome);
            if (_bad.Count <= ShownMax)
                Console.WriteLine($"seed {outcome.Seed}: {outcome.What}");
        }
    }

    int Finish()
    {
        string[] never = Report.Counters(_sum);
        foreach (IGrouping<string, SeedOutcome> group in _bad.GroupBy(one => one.Rule))
            Console.WriteLine($"{group.Key}: {group.Count()} seeds, first {group.Min(one => one.Seed)}");
        if (never.Length > 0)
            Console.WriteLine("never happened: " + string.Join(", ", never));
        double seconds = _watch.Elapsed.TotalSeconds;
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"{_sum.GuestOperations / seconds:F0} guest operations a second, {seconds:F1} s, "
                    + $"{_options.Threads} threads"
            )
        );
        Report.LastLine((ulong)_done, _sum, (uint)_bad.Count);
        return _bad.Count == 0 && never.Length == 0 ? 0 : 1;
    }
}
