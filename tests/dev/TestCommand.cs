// The verb 'test': packages, format, build, suites, totals. One process at a time: the machine's processors
// belong to the test that runs.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace FastBackup.Dev;

static class TestCommand
{
    static readonly TimeSpan BuildTimeLimit = TimeSpan.FromMinutes(20);

    static bool IsCi => Environment.GetEnvironmentVariable("CI") == "true";

    /// <param name="filter">Part of the names of the suites to run, or null for all.</param>
    /// <param name="isInstallAllowed">Whether missing packages may be installed.</param>
    /// <param name="cancel">Ends what runs.</param>
    public static async Task<int> RunAsync(string? filter, bool isInstallAllowed, CancellationToken cancel)
    {
        Tally tally = new();
        await CheckPackagesAsync(tally, isInstallAllowed, cancel);
        await CountAsync(tally, "format", FormatCommand.CheckAsync, cancel);
        bool isBuilt = await CountAsync(tally, "build", BuildAsync, cancel);
        if (isBuilt)
            await RunSuitesAsync(tally, filter, cancel);
        return tally.Close();
    }

    static async Task CheckPackagesAsync(Tally tally, bool isInstallAllowed, CancellationToken cancel)
    {
        Stopwatch watch = Stopwatch.StartNew();
        (string Command, string Package)[] missing = await PackageInstaller.RunAsync(isInstallAllowed, cancel);
        if (missing.Length == 0)
        {
            Console.WriteLine("packages: every program that tests run is here");
            return;
        }
        string list = string.Join(", ", missing.Select(item => $"{item.Command} (package {item.Package})"));
        Console.WriteLine("packages: missing " + list);
        if (IsCi)
            tally.Add("packages", Outcome.OfFailure("missing " + list), watch.Elapsed);
    }

    /// <summary>Runs a check that is one passed or failed test; its output is shown only when it fails.</summary>
    static async Task<bool> CountAsync(
        Tally tally,
        string name,
        Func<Action<string>, CancellationToken, Task<ChildResult>> check,
        CancellationToken cancel
    )
    {
        Stopwatch watch = Stopwatch.StartNew();
        List<string> output = [];
        ChildResult result = await check(output.Add, cancel);
        if (!result.IsSuccess)
        {
            foreach (string line in output)
                Console.WriteLine("    " + line);
        }
        Outcome outcome = result.IsSuccess ? Outcome.Passed() : Outcome.OfFailure(result.Describe());
        tally.Add(name, outcome, watch.Elapsed);
        return result.IsSuccess;
    }

    static Task<ChildResult> BuildAsync(Action<string> onLine, CancellationToken cancel) =>
        ChildProcess.RunAsync(
            ChildProcess.Dotnet,
            [
                "build",
                Repository.PathOf("FastBackup.sln"),
                "-c",
                "Release",
                "-nologo",
                "-v",
                "quiet",
                "-nodeReuse:false",
            ],
            [],
            BuildTimeLimit,
            onLine,
            cancel
        );

    static async Task RunSuitesAsync(Tally tally, string? filter, CancellationToken cancel)
    {
        List<Suite> suites = SuitePlan.Build();
        if (filter is not null)
            suites.RemoveAll(suite => !suite.Name.Contains(filter, StringComparison.OrdinalIgnoreCase));
        if (suites.Count == 0)
            tally.Add("suites", Outcome.OfFailure($"no suite has '{filter}' in its name"), TimeSpan.Zero);

        DirectoryInfo reports = Directory.CreateTempSubdirectory("fastbackup-reports-");
        try
        {
            foreach (Suite suite in suites)
            {
                Stopwatch watch = Stopwatch.StartNew();
                Outcome outcome = await SuiteRunner.RunAsync(suite, reports.FullName, cancel);
                tally.Add(suite.Name, outcome, watch.Elapsed);
            }
        }
        finally
        {
            reports.Delete(recursive: true);
        }
    }
}
