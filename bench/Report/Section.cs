// A part of a report: some figures of one kind, the commands that gave them, and what was not here to compare with.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Report;

/// <param name="Title">For people.</param>
/// <param name="About">What was measured, in a sentence or two.</param>
sealed record Section(string Title, string About)
{
    public List<Figure> Figures { get; init; } = [];

    /// <summary>As they were run, one after the other, round by round.</summary>
    public List<string> Commands { get; init; } = [];

    /// <summary>Programs that are not installed: their figures are not there.</summary>
    public List<string> Missing { get; init; } = [];

    /// <summary>Backup speed against guest latency; empty where that is not measured.</summary>
    public List<FrontierPoint> Frontier { get; init; } = [];

    /// <summary>Lines, where figures alone do not tell enough.</summary>
    public List<Chart> Charts { get; init; } = [];

    /// <summary>That it took.</summary>
    public double Seconds { get; init; }

    /// <summary>That it may take on two processors, for all to fit into the time of the report.</summary>
    public double BudgetSeconds { get; init; }

    /// <summary>Why it has no figures; null: it has.</summary>
    public string? Trouble { get; init; }

    /// <summary>Measures, if these programs are here; else they are missing.</summary>
    public void RunWith(Action measure, params string[] programs)
    {
        string[] missing = [.. programs.Where(one => SystemPrograms.Find(one) == null)];
        Missing.AddRange(missing.Except(Missing));
        if (missing.Length == 0)
            measure();
    }
}

/// <param name="Load">Of the guest.</param>
/// <param name="Who">Whose backup.</param>
/// <param name="BackupMiBPerSecond">Median of its speed.</param>
/// <param name="GuestP99Us">Median of the guest's slowest hundredth.</param>
sealed record FrontierPoint(string Load, string Who, double BackupMiBPerSecond, double GuestP99Us);
