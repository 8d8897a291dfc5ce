// The demo of 1 GiB: a backup while guests write, and its image is the disk as it was.
using System;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Windows;

public sealed class DemoTests
{
    [Fact]
    public void Demo_FindsItsImageEqualToT0()
    {
        using TempFolder folder = new();
        string[] line = ["demo", "--size", "1GiB", "--dir", "."];
        ToolRun run = Wine.Run(TimeSpan.FromMinutes(4), folder.Path, WindowsPrograms.Command, line);
        Assert.True(run.ExitCode == 0, run.Output);
        Assert.Contains("image equals T0", run.Output);
        Assert.Contains("identical", run.Output);
    }
}
