// Runs a program of the system to its end; what it is to answer is part of the call.
using System;
using System.Linq;
using FastBackup.Bench.Peers;
using Xunit;

namespace FastBackup.Tests.Hosts.Machine;

static class Tool
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
        using PeerProcess process = Start(name, arguments);
        try
        {
            process.Wait(RunLimit, TestContext.Current.CancellationToken, alsoFine);
        }
        catch (PeerException failure)
        {
            Assert.Fail($"{name} {string.Join(' ', arguments)}: {failure.Message}\n{process.Output}{process.Errors}");
        }
        return process.Output;
    }

    /// <summary>Starts it. Disposing ends it, by its id.</summary>
    public static PeerProcess Start(string name, params string[] arguments)
    {
        Requires.Command(name);
        return PeerProcess.Start(Requires.FindCommand(name)!, arguments.AsEnumerable());
    }

    /// <summary>A value in QEMU's option syntax, where a comma is written twice.</summary>
    public static string Option(string value) => value.Replace(",", ",,", StringComparison.Ordinal);
}
