// What 'test' runs, in order: each test project as it is, the kernel tests once more for each narrower
// vector width, then the programs of ProgramSteps.
using System;
using System.Collections.Generic;
using System.Linq;

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

    public static List<Suite> Build()
    {
        List<Suite> suites = [];
        ProgramProject[] projects = ProgramProject.Discover();
        foreach (ProgramProject project in projects)
            suites.Add(new Suite(project.Name, project.AssemblyPath, [], [], HasReport: true));

        ProgramProject unit = projects.Single(project => project.Name == "unit");
        string[] filters = [.. KernelTests.SelectMany(query => new[] { "-filter", query })];
        foreach ((string name, string width) in Widths)
            suites.Add(new Suite(name, unit.AssemblyPath, filters, [new(width, "0")], HasReport: true));

        foreach (ProgramStep step in ProgramSteps.All)
        {
            string[] arguments = step.Arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            string assembly = ProgramProject.InFolder(step.ProjectFolder).AssemblyPath;
            suites.Add(new Suite(step.Name, assembly, arguments, [], HasReport: false));
        }
        return suites;
    }
}
