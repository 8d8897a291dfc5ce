// The tests of ports, devices and engine, on Windows: the same that run on Linux, in the same words. Left out is what
// is about Linux itself, what wants to see a fault of a page (Wine's memory has none to show), and what would skip.
using System;
using System.IO;
using System.Text.RegularExpressions;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Windows;

public sealed partial class ContractTests
{
    static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);

    [Theory]
    [InlineData(
        "Ports.FileWorkersTests",
        "Ports.WindowsFaultTests",
        "Ports.FileCommandTests",
        "Memory.HostMemoryTests"
    )]
    [InlineData("Devices.KernelFileDeviceTests", "Devices.SimulatedFileDeviceTests", "Devices.RequestLanesTests")]
    [InlineData("Runtime.ReactorTests", "Devices.ForeignFormatTests", "Bitmaps.BitmapModelTests")]
    [InlineData("Filter.CaptureTests", "Filter.CaptureReplayTests", "Filter.GuestQueueTests", "Filter.GuestWaitTests")]
    [InlineData("Filter.InFlightCounterTests", "Filter.QuiescedChangeTests", "Filter.OfferedReadTests")]
    [InlineData("Jobs.BackupJobTests", "Jobs.BitmapMatrixTests", "Jobs.ChainTests", "Jobs.ChangingSizeTests")]
    public void Clauses_HoldOnWindows(params string[] classes)
    {
        string[] arguments = ["-noLogo", "-parallelMode", "none", "-trait-", "System=Linux"];
        foreach (string one in classes)
            arguments = [.. arguments, "-class", "FastBackup.Tests.Unit." + one];
        ToolRun run = Wine.Run(Limit, Path.GetTempPath(), "tests/Unit", "FastBackup.Tests.Unit", arguments);
        Assert.True(run.ExitCode == 0, run.Output);
        Assert.Contains("Failed: 0, Skipped: 0, Not Run: 0", run.Output);
        Assert.DoesNotContain("Total: 0", run.Output);
    }

    [Fact]
    public void Simulator_FindsNothingInAThousandSeeds()
    {
        const string name = "FastBackup.Tests.Simulation";
        string[] arguments = ["--seeds", "1..1000"];
        ToolRun run = Wine.Run(TimeSpan.FromMinutes(9), Path.GetTempPath(), "tests/Simulation", name, arguments);
        Assert.True(run.ExitCode == 0, run.Output);
        Match total = TotalPattern().Match(run.Output);
        Assert.True(int.Parse(total.Groups["seeds"].Value) >= 1000, run.Output); // and those that are always played
        Assert.Equal("0", total.Groups["violations"].Value);
    }

    [GeneratedRegex(@"seeds=(?<seeds>\d+) .*violations=(?<violations>\d+)")]
    private static partial Regex TotalPattern();
}
