// Shows how far work has come while it runs: a bar on a terminal, lines in a file, JSON for programs.
using System;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
interface IProgressView
{
    /// <summary>How often the work should report; Timeout.Infinite = never.</summary>
    int IntervalMs { get; }

    /// <summary>Runs the work with the view open.</summary>
    /// <param name="title">One word: what is going on.</param>
    /// <param name="totalBytes">What there is to do.</param>
    /// <param name="work">Calls what it is given with each new picture.</param>
    void Run(string title, ulong totalBytes, Action<Action<WorkProgress>> work);
}
