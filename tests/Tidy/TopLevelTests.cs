// The top of the tree is a short list that a newcomer reads in one look. Names with a dot in front are tools'.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed class TopLevelTests
{
    static readonly string[] Required =
    [
        "native-api",
        "core",
        "interop",
        "bench",
        "tests",
        "FastBackup.sln",
        "README.md",
        "LICENSE",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "Directory.Build.props",
        "Directory.Packages.props",
        "Directory.Solution.targets",
        "global.json",
    ];

    [Fact]
    public void TopLevel_IsTheAgreedList() => Violation.AssertNone(Find(Tree.Paths));

    [Fact]
    public void ExtraFolder_IsFound()
    {
        Violation found = Assert.Single(Find([.. Required, "src/Program.cs"]));
        Assert.Equal("src", found.Path);
    }

    [Fact]
    public void MissingFile_IsFound()
    {
        Violation found = Assert.Single(Find([.. Required.Skip(1), ".gitignore"]));
        Assert.Equal(Required[0], found.Path);
    }

    static IEnumerable<Violation> Find(IEnumerable<string> paths)
    {
        HashSet<string> present = [.. paths.Select(path => path.Split('/')[0])];
        foreach (string name in present.Where(name => !name.StartsWith('.')).Except(Required))
            yield return new Violation(name, 0, "does not belong at the top level");
        foreach (string name in Required.Except(present))
            yield return new Violation(name, 0, "is missing at the top level");
    }
}
