// What 'test' runs, in order: each test project as it is, the kernel tests once more for each narrower
// vector width, then the programs of ProgramSteps. With --quick: what finds most in little time, and needs no other
// program and no privilege.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Tests;

namespace FastBackup.Dev;

static class SuitePlan
{
    // The JIT picks the widest kernel the processor has; these switches take widths away, so that every kernel
    // is tested on a machine that has them all. JitWidthTests fails where a switch has no effect.
    static readonly (string Name, string Switch)[] Widths =
    [
        ("unit-no-avx512", "DOTNET_EnableAVX512"),
        ("unit-no-avx2", "DOTNET_EnableAVX2"),
        ("unit-scalar", "DOTNET_EnableHWIntrinsic"),
    ];

    static readonly string[] KernelTests = ["/*/FastBackup.Tests.Unit.Bitmaps*", "/*/*/JitWidthTests"];

    static readonly string[] QuickProjects = ["interop", "tidy", "unit"];

    // Three minutes with the build: long searches of models, and classes that take more than some five seconds.
    static readonly string[] WithoutLongTests = ["-trait-", "System=None", "-trait-", "Length=Long"];

    // Their tests start programs and wait for them: by one test a processor a quarter of the time is nobody's.
    static readonly string[] WaitingProjects = ["abi", "cli", "hosts", "unit"];
    static readonly string[] HalfMoreThreads = ["-maxThreads", "1.5x"];

    /// <summary>Starts the command some thousand times: compiled ahead of time, each costs a tenth.</summary>
    public const string CommandSuite = "cli";

    /// <summary>From the root of the tree: where the command is published to for it.</summary>
    public const string CommandFolder = "native-api/cli/bin/ahead-of-time";

    public static List<Suite> BuildQuick() =>
        [
            .. ProgramProject.Discover().Where(one => QuickProjects.Contains(one.Name)).Select(OfShortTests),
            .. ProgramSteps.Quick.Select(Of),
        ];

    public static List<Suite> Build()
    {
        List<Suite> suites = [];
        ProgramProject[] projects = ProgramProject.Discover();
        foreach (ProgramProject project in projects)
            suites.Add(project.Name == CommandSuite ? OfCompiledCommand(project) : Of(project));

        ProgramProject unit = projects.Single(project => project.Name == "unit");
        string[] filters = [.. KernelTests.SelectMany(query => new[] { "-filter", query })];
        foreach ((string name, string width) in Widths)
            suites.Add(Of(unit) with { Name = name, Arguments = filters, Environment = [new(width, "0")] });

        suites.AddRange(ProgramSteps.All.Select(Of));
        return suites;
    }

    static Suite OfShortTests(ProgramProject project)
    {
        Suite suite = Of(project);
        return suite with { Arguments = [.. suite.Arguments, .. WithoutLongTests] };
    }

    static Suite OfCompiledCommand(ProgramProject project)
    {
        const string variable = "FASTBACKUP_COMMAND"; // as in tests/Cli/Command/BuiltCommand.cs
        return Of(project) with { Environment = [new(variable, Repository.PathOf(CommandFolder + "/fastbackup"))] };
    }

    static Suite Of(ProgramProject project)
    {
        string[] threads = WaitingProjects.Contains(project.Name) ? HalfMoreThreads : [];
        return new Suite(project.Name, project.Folder, project.AssemblyPath, threads, [], HasReport: true);
    }

    static Suite Of(ProgramStep step)
    {
        string[] arguments = step.Arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        ProgramProject project = ProgramProject.InFolder(step.ProjectFolder);
        return new Suite(step.Name, project.Folder, project.AssemblyPath, arguments, [], HasReport: false);
    }
}
