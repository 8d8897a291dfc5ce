using System.Collections.Generic;

namespace FastBackup.Dev;

/// <summary>What one suite or check did.</summary>
sealed class Outcome
{
    public int PassedCount { get; set; }

    /// <summary>One entry for each failure: the test's name, or what became of the whole suite.</summary>
    public List<string> Failed { get; } = [];

    public List<(string Name, string Reason)> Skipped { get; } = [];

    public int TotalCount => PassedCount + Failed.Count + Skipped.Count;

    public static Outcome Passed() => new() { PassedCount = 1 };

    public static Outcome OfFailure(string what)
    {
        Outcome outcome = new();
        outcome.Failed.Add(what);
        return outcome;
    }
}
