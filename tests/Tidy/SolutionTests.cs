// Every project is in the solution and every line of the solution has its project: what the solution misses,
// no build and no test sees.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed partial class SolutionTests
{
    [Fact]
    public void Solution_ListsEveryProject() =>
        Violation.AssertNone(
            Find(
                File.ReadAllText(Tree.FullPath("FastBackup.sln")),
                Tree.Paths.Where(path => path.EndsWith(".csproj", StringComparison.Ordinal))
            )
        );

    [Fact]
    public void ProjectsOnOneSideOnly_AreFound()
    {
        string solution = "Project(\"{G}\") = \"A\", \"core\\A.csproj\", \"{H}\"\nEndProject\n";
        Assert.Empty(Find(solution, ["core/A.csproj"]));
        Assert.Equal("bench/B.csproj", Assert.Single(Find(solution, ["core/A.csproj", "bench/B.csproj"])).Path);
        Assert.Equal("core/A.csproj", Assert.Single(Find(solution, [])).Path);
    }

    static IEnumerable<Violation> Find(string solution, IEnumerable<string> projects)
    {
        string[] listed = [.. ProjectPattern().Matches(solution).Select(m => m.Groups[1].Value.Replace('\\', '/'))];
        string[] present = [.. projects];
        foreach (string path in present.Except(listed))
            yield return new Violation(path, 0, "is not in FastBackup.sln: dotnet sln add it");
        foreach (string path in listed.Except(present))
            yield return new Violation(path, 0, "is in FastBackup.sln but not in the tree");
    }

    [GeneratedRegex("""= "[^"]*", "([^"]*\.csproj)",""")]
    private static partial Regex ProjectPattern();
}
