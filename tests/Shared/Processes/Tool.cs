// Runs a program of the system to its end; what it is to answer is part of the call.
using System;
using Xunit;

namespace FastBackup.Tests.Processes;

public static class Tool
{
    static readonly TimeSpan RunLimit = TimeSpan.FromMinutes(5);

    /// <summary>Runs it; every exit code but 0 fails the test.</summary>
    /// <returns>Its standard output.</returns>
    public static string Run(string name, params string[] arguments) => RunToCode(0, name, arguments);

    /// <param name="alsoFine">An exit code that is no failure, beside 0.</param>
    /// <param name="name">Found also in the folders of system programs; missing: the test is skipped.</param>
    /// <param name="arguments">One each; no quoting.</param>
    /// <returns>Its standard output.</returns>
    public static string RunToCode(int alsoFine, string name, params string[] arguments)
    {
        using RunningProgram process = Start(name, arguments);
        try
        {
            process.WaitForSuccess(RunLimit, TestContext.Current.CancellationToken, alsoFine);
        }
        catch (PeerException failure)
        {
            Assert.Fail($"{failure.Message}\n{process.Said}");
        }
        return process.Output;
    }

    /// <summary>Starts it. Disposing ends it, by its id.</summary>
    public static RunningProgram Start(string name, params string[] arguments)
    {
        Requires.Command(name);
        return RunningProgram.Start(name, arguments);
    }

    /// <summary>A value in QEMU's option syntax, where a comma is written twice.</summary>
    public static string Option(string value) => value.Replace(",", ",,", StringComparison.Ordinal);
}
