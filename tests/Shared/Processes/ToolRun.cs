// A program that was run to its end, for those to whom its two streams are one.
using System;
using System.Collections.Generic;
using System.Threading;

namespace FastBackup.Tests.Processes;

/// <param name="ExitCode">128 + n after signal n; -1 after the time limit.</param>
/// <param name="Output">Both streams, as they came.</param>
public readonly record struct ToolRun(int ExitCode, string Output)
{
    static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(150);

    /// <param name="file">A command, or the full path of a program.</param>
    /// <param name="arguments">One each; no quoting.</param>
    /// <param name="environment">Added to this program's own.</param>
    public static ToolRun Of(
        string file,
        IEnumerable<string> arguments,
        params (string Name, string Value)[] environment
    ) => Of(TimeLimit, file, arguments, environment);

    /// <param name="timeLimit">After which it is ended.</param>
    /// <param name="file">A command, or the full path of a program.</param>
    /// <param name="arguments">One each; no quoting.</param>
    /// <param name="environment">Added to this program's own.</param>
    public static ToolRun Of(
        TimeSpan timeLimit,
        string file,
        IEnumerable<string> arguments,
        params (string Name, string Value)[] environment
    )
    {
        using RunningProgram program = RunningProgram.Start(file, arguments, environment);
        return program.TryWait(timeLimit, CancellationToken.None)
            ? new ToolRun(program.Wait().ExitCode, program.Said.Trim())
            : new ToolRun(-1, program.Said + "ended at its time limit");
    }

    /// <exception cref="PeerException">Its exit code is not 0.</exception>
    public void ExpectSuccess()
    {
        if (ExitCode != 0)
            throw new PeerException($"exit code {ExitCode}: {Output}");
    }
}
