using System;
using System.Linq;
using Xunit;

namespace FastBackup.Tests.Processes;

/// <param name="ExitCode">128 + the signal when one ended it.</param>
/// <param name="Output">All of stdout.</param>
/// <param name="Error">All of stderr.</param>
public sealed record ProgramResult(int ExitCode, string Output, string Error)
{
    public string[] OutputLines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Fails the test with everything that was said unless the exit code is this one.</summary>
    public ProgramResult Expect(int exitCode)
    {
        Assert.True(ExitCode == exitCode, $"exit code {ExitCode}, not {exitCode}\n{Output}\n{Error}");
        return this;
    }

    /// <summary>Warnings, for example that an ordinary user may lock little memory.</summary>
    public string[] Warnings => [.. ErrorLines.Where(IsWarning)];

    string[] ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Stderr must be exactly one sentence of the command that says all of this; warnings aside.</summary>
    public ProgramResult ExpectSentence(params string[] parts)
    {
        string line = Assert.Single(ErrorLines, one => !IsWarning(one));
        Assert.StartsWith("fastbackup: ", line, StringComparison.Ordinal);
        foreach (string part in parts)
            Assert.Contains(part, line, StringComparison.Ordinal);
        return this;
    }

    static bool IsWarning(string line) => line.StartsWith("fastbackup: warning: ", StringComparison.Ordinal);
}
