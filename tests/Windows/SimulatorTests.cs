// Seeds of the simulator: its numbers are those of every other system, so some hundred are enough to see that it is
// the same here; FASTBACKUP_SEEDS=1000 plays more. In as many programs as there are processors, one after another they
// would take as long again.
using System;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Windows;

public sealed partial class SimulatorTests
{
    const int PartCount = 2;

    static int SeedCount => int.Parse(Environment.GetEnvironmentVariable("FASTBACKUP_SEEDS") ?? "250", null);

    static readonly TimeSpan Limit = TimeSpan.FromMinutes(9);

    [Fact]
    public void Simulator_FindsNothingInAnySeed()
    {
        ToolRun[] runs =
        [
            .. Enumerable.Range(0, PartCount).AsParallel().WithDegreeOfParallelism(PartCount).Select(Run),
        ];
        int seedCount = 0;
        foreach (ToolRun run in runs)
        {
            Assert.True(run.ExitCode == 0, run.Output);
            Match total = TotalPattern().Match(run.Output);
            Assert.Equal("0", total.Groups["violations"].Value);
            seedCount += int.Parse(total.Groups["seeds"].Value);
        }
        Assert.True(seedCount >= SeedCount); // and those that are always played
    }

    static ToolRun Run(int part)
    {
        int partSeeds = SeedCount / PartCount;
        string seeds = $"{part * partSeeds + 1}..{(part + 1) * partSeeds}";
        return Wine.Run(Limit, Path.GetTempPath(), Program, "--seeds", seeds);
    }

    static string Program() => WindowsPrograms.Built("tests/Simulation", "FastBackup.Tests.Simulation");

    [GeneratedRegex(@"seeds=(?<seeds>\d+) .*violations=(?<violations>\d+)")]
    private static partial Regex TotalPattern();
}
