// Sums the outcomes of all suites and prints the closing report.
using System;
using System.Collections.Generic;
using System.Linq;

namespace FastBackup.Dev;

sealed class Tally
{
    readonly List<(string Suite, Outcome Outcome)> _all = [];

    int PassedCount => _all.Sum(item => item.Outcome.PassedCount);

    int FailedCount => _all.Sum(item => item.Outcome.Failed.Count);

    int SkippedCount => _all.Sum(item => item.Outcome.Skipped.Count);

    public void Add(string suite, Outcome outcome, TimeSpan elapsed)
    {
        _all.Add((suite, outcome));
        if (outcome.Failed.Count == 0)
            Durations.Keep(suite, elapsed);
        string counts = $"{outcome.PassedCount} ok";
        if (outcome.Failed.Count > 0)
            counts += $", {outcome.Failed.Count} FAILED";
        if (outcome.Skipped.Count > 0)
            counts += $", {outcome.Skipped.Count} left out";
        Console.WriteLine($"{suite}: {counts} ({elapsed.TotalSeconds:F1} s)");
    }

    /// <summary>Prints skips by reason, then failures, then the totals as the last line.</summary>
    /// <returns>0 when something ran and nothing failed, else 1.</returns>
    public int Close()
    {
        PrintSkips();
        PrintFailures();
        Console.WriteLine($"{PassedCount} passed, {FailedCount} failed, {SkippedCount} skipped");
        return FailedCount == 0 && PassedCount > 0 ? 0 : 1;
    }

    void PrintSkips()
    {
        var byReason = _all.SelectMany(item =>
                item.Outcome.Skipped.Select(skip => (skip.Reason, Test: $"{item.Suite}: {skip.Name}"))
            )
            .GroupBy(skip => skip.Reason);
        foreach (var group in byReason)
        {
            Console.WriteLine();
            Console.WriteLine($"Skipped: {group.Key}");
            foreach ((_, string test) in group)
                Console.WriteLine("    " + test);
        }
    }

    void PrintFailures()
    {
        Console.WriteLine();
        if (FailedCount == 0)
            return;
        Console.WriteLine("Failed:");
        foreach ((string suite, Outcome outcome) in _all)
        {
            foreach (string what in outcome.Failed)
                Console.WriteLine($"    {suite}: {what}");
        }
        Console.WriteLine();
    }
}
