// The verb 'test': packages, format, build, suites, totals. One process at a time: the machine's processors
// belong to the test that runs.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using FastBackup.Tests;

namespace FastBackup.Dev;

static class TestCommand
{
    static readonly TimeSpan BuildTimeLimit = TimeSpan.FromMinutes(20);

    /// <summary>
    /// One compiler for all projects, which ends when it has been idle: without node reuse each would start its own,
    /// and compile itself first. A whole build: 77 s instead of 237.
    /// </summary>
    static readonly string[] BuildSwitches =
    [
        "-nologo",
        "-v",
        "quiet",
        "-nodeReuse:false",
        "-p:UseSharedCompilation=true",
    ];

    static bool IsCi => Environment.GetEnvironmentVariable("CI") == "true";

    /// <param name="filter">Part of the names of the suites to run, or null for all.</param>
    /// <param name="isQuick">Only the suites that find much in little time; installs nothing.</param>
    /// <param name="isInstallAllowed">Whether missing packages may be installed.</param>
    /// <param name="cancel">Ends what runs.</param>
    public static async Task<int> RunAsync(
        string? filter,
        bool isQuick,
        bool isInstallAllowed,
        CancellationToken cancel
    )
    {
        List<Suite> suites = isQuick ? SuitePlan.BuildQuick() : SuitePlan.Build();
        if (filter is not null)
            suites.RemoveAll(suite => !suite.Name.Contains(filter, StringComparison.OrdinalIgnoreCase));
        bool isAll = filter is null && !isQuick;
        Console.WriteLine(
            $"test: format, build and {suites.Count} suites one after the other"
                + (isAll ? "; about half an hour on two processors (--quick: 3)" : "")
        );
        Tally tally = new();
        if (!isQuick)
            await CheckPackagesAsync(tally, isInstallAllowed, cancel);
        await CountAsync(tally, "format", FormatCommand.CheckAsync, cancel);
        bool isBuilt = true;
        if (isQuick)
            foreach (string project in suites.Select(suite => suite.ProjectFolder).Distinct())
                isBuilt &= await CountAsync(tally, "build " + project, BuildOf(project), cancel);
        else
            isBuilt = await CountAsync(tally, "build", BuildOf("FastBackup.sln"), cancel);
        if (isBuilt && suites.Exists(suite => suite.Name == SuitePlan.CommandSuite))
            isBuilt = await CountAsync(tally, "command", PublishOfCommand(), cancel);
        if (suites.Count == 0)
            tally.Add("suites", Outcome.OfFailure($"no suite has '{filter}' in its name"), TimeSpan.Zero);
        if (isBuilt)
            await RunSuitesAsync(tally, suites, cancel);
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
        using Step step = Step.Begin(name);
        List<string> output = [];
        ChildResult result = await check(output.Add, cancel);
        if (!result.IsSuccess)
        {
            foreach (string line in output)
                Console.WriteLine("    " + line);
        }
        Outcome outcome = result.IsSuccess ? Outcome.Passed() : Outcome.OfFailure(result.Describe());
        tally.Add(name, outcome, step.Elapsed);
        return result.IsSuccess;
    }

    /// <param name="what">The solution, or the folder of a project.</param>
    static Func<Action<string>, CancellationToken, Task<ChildResult>> BuildOf(string what) => Dotnet("build", what);

    /// <summary>The build had the analyzers.</summary>
    static Func<Action<string>, CancellationToken, Task<ChildResult>> PublishOfCommand() =>
        Dotnet(
            "publish",
            "native-api/cli",
            "-p:AheadOfTime=true",
            "-p:RunAnalyzers=false",
            "-o",
            Repository.PathOf(SuitePlan.CommandFolder)
        );

    static Func<Action<string>, CancellationToken, Task<ChildResult>> Dotnet(
        string verb,
        string what,
        params string[] more
    ) =>
        (onLine, cancel) =>
            ChildProcess.RunAsync(
                ChildProcess.Dotnet,
                [verb, Repository.PathOf(what), "-c", "Release", .. more, .. BuildSwitches],
                [],
                BuildTimeLimit,
                onLine,
                cancel
            );

    static async Task RunSuitesAsync(Tally tally, List<Suite> suites, CancellationToken cancel)
    {
        DirectoryInfo reports = Directory.CreateTempSubdirectory("fastbackup-reports-");
        try
        {
            foreach (Suite suite in suites)
            {
                using Step step = Step.Begin(suite.Name);
                Outcome outcome = await SuiteRunner.RunAsync(suite, reports.FullName, cancel);
                tally.Add(suite.Name, outcome, step.Elapsed);
            }
        }
        finally
        {
            reports.Delete(recursive: true);
        }
    }
}
