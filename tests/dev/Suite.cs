using System;
using System.Collections.Generic;
using FastBackup.Tests;

namespace FastBackup.Dev;

/// <summary>One program run whose result is counted.</summary>
/// <param name="Name">In reports and for --filter.</param>
/// <param name="ProjectFolder">From the root of the tree.</param>
/// <param name="AssemblyPath">The built program.</param>
/// <param name="Arguments">Without the report's; those are added when it is run.</param>
/// <param name="Environment">Added to the environment of this program.</param>
/// <param name="HasReport">True for xunit programs, which count their own tests; else the run is one test.</param>
sealed record Suite(
    string Name,
    string ProjectFolder,
    string AssemblyPath,
    string[] Arguments,
    KeyValuePair<string, string>[] Environment,
    bool HasReport
)
{
    /// <summary>A suite that takes longer hangs: it is ended and counts as failed.</summary>
    public static readonly TimeSpan TimeLimit = TimeSpan.FromMinutes(15);
}
