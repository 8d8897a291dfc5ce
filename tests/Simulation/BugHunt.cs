// Each planted bug in turn, until a seed catches it: those that once found something come first. A bug that 2,000 seeds
// do not catch is a hole in the oracle.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Threading;
using FastBackup.Base;

namespace FastBackup.Tests.Simulation;

sealed class BugHunt(ulong[] knownSeeds)
{
    const ulong SeedsMax = 2000;

    readonly record struct Catch(PlantedBug Bug, ulong Seeds, SeedOutcome Outcome);

    readonly Queue<PlantedBug> _open = new(Enum.GetValues<PlantedBug>().Where(bug => bug != PlantedBug.None));
    readonly List<Catch> _catches = [];
    readonly Lock _lock = new();

    public static int Run(Options options, ulong[] knownSeeds)
    {
        BugHunt hunt = new(knownSeeds);
        Thread[] threads = [.. Enumerable.Range(0, options.Threads).Select(_ => new Thread(hunt.Work, 4 << 20))];
        Stopwatch watch = Stopwatch.StartNew();
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
        return hunt.Finish(watch.Elapsed);
    }

    void Work()
    {
        using SeedRunner runner = new();
        while (true)
        {
            PlantedBug bug;
            lock (_lock)
                if (!_open.TryDequeue(out bug))
                    return;
            SeedOutcome outcome = default;
            ulong tried = 0;
            do outcome = runner.Run(Seed(tried), bug, null);
            while (outcome.IsGood && ++tried < SeedsMax);
            lock (_lock)
                _catches.Add(new Catch(bug, tried + 1, outcome));
        }
    }

    ulong Seed(ulong index)
    {
        ulong known = (ulong)knownSeeds.Length;
        return index < known ? knownSeeds[index] : index - known + 1;
    }

    int Finish(TimeSpan elapsed)
    {
        _catches.Sort((left, right) => left.Bug.CompareTo(right.Bug));
        foreach (Catch one in _catches)
            Console.WriteLine(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{one.Bug, -30} {(one.Outcome.IsGood ? "NOT CAUGHT" : "seed " + one.Outcome.Seed), -10} "
                        + $"{First(one.Outcome.What)}"
                )
            );
        ulong[] counts = [.. _catches.Select(one => one.Seeds).Order()];
        int missed = _catches.Count(one => one.Outcome.IsGood);
        ulong median = counts.Length == 0 ? 0 : counts[counts.Length / 2];
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"bugs={_catches.Count} caught={_catches.Count - missed} median={median} "
                    + $"seconds={elapsed.TotalSeconds:F0}"
            )
        );
        return missed == 0 ? 0 : 1;
    }

    static string First(string text)
    {
        string line = text.Split('\n')[0];
        return line.Length <= 110 ? line : line[..110];
    }
}
