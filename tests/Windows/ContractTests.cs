// The tests of ports, files, streams, memory, devices and engine, on Windows: all that run on Linux, in the same words.
// Left out, with the reason beside each, is what has the trait System=Linux (calls that only Linux has) and System=None
// (long searches that ask no system for anything: seeds of the simulator are played here anyway).
// A test that is skipped would hang: what needs something of Linux's asks for it in such tests only.
using System;
using System.IO;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Windows;

public sealed class ContractTests
{
    static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);

    [Theory]
    [InlineData("Ports", "Memory", "Runtime", "Serving", "Jobs", "Copy")]
    [InlineData("Devices", "Filter")]
    [InlineData("Base", "Bitmaps", "Pacing")]
    public void Clauses_HoldOnWindows(params string[] spaces)
    {
        string[] arguments = ["-noLogo", "-parallelMode", "none", "-trait-", "System=Linux", "-trait-", "System=None"];
        foreach (string one in spaces)
            arguments = [.. arguments, "-namespace", "FastBackup.Tests.Unit." + one];
        ToolRun run = Wine.Run(Limit, Path.GetTempPath(), Program, arguments);
        Assert.True(run.ExitCode == 0, run.Output);
        Assert.Contains("Failed: 0, Skipped: 0, Not Run: 0", run.Output);
        Assert.DoesNotContain("Total: 0", run.Output);
    }

    static string Program() => WindowsPrograms.Built("tests/Unit", "FastBackup.Tests.Unit");
}
