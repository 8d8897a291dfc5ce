// interop <- core <- native-api; bench and tests see everything and nothing sees them (what they see of each other:
// TestArrowTests). Checked twice: in the project references, and in the namespaces that the code names.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed partial class LayerArrowTests
{
    static readonly Dictionary<string, string[]> SeenBy = new()
    {
        ["interop"] = ["interop"],
        ["core"] = ["core", "interop"],
        ["native-api"] = ["native-api", "core", "interop"],
        ["bench"] = ["bench", "native-api", "core", "interop", "tests"],
        ["tests"] = ["tests", "native-api", "core", "interop"],
    };

    static readonly string[] CoreNamespaces = [.. CoreArrowTests.SeenBy.Keys];

    [Fact]
    public void ProjectReferences_FollowTheArrows() =>
        Violation.AssertNone(
            Tree.Paths.Where(path => path.EndsWith(".csproj", StringComparison.Ordinal))
                .SelectMany(path => FindInProject(path, File.ReadAllText(Tree.FullPath(path))))
        );

    [Fact]
    public void Namespaces_FollowTheArrows() => Violation.AssertNone(Tree.CSharp.SelectMany(FindInCode));

    [Fact]
    public void ReferenceAgainstTheArrow_IsFound()
    {
        string project = """<Project><ProjectReference Include="../native-api/lib/A.csproj" /></Project>""";
        Assert.Single(FindInProject("core/B.csproj", project));
        Assert.Empty(FindInProject("bench/B.csproj", project));
    }

    [Theory]
    [InlineData("interop/A.cs", "using FastBackup.Base;")]
    [InlineData("core/Base/A.cs", "using FastBackup.Cli;")]
    [InlineData("core/Base/A.cs", "var a = FastBackup.Tests.Unit.A.B;")]
    [InlineData("native-api/cli/A.cs", "using FastBackup.Bench;")]
    [InlineData("tests/Hosts/A.cs", "using FastBackup.Bench.Peers;")]
    public void NamespaceAgainstTheArrow_IsFound(string path, string code) =>
        Assert.Single(FindInCode(new SourceFile(path, code)));

    [Theory]
    [InlineData("core/Base/A.cs", "// see FastBackup.Cli")]
    [InlineData("native-api/cli/A.cs", "using FastBackup.Jobs; using FastBackup.Interop;")]
    [InlineData("tests/Unit/A.cs", "using FastBackup.Cli;")]
    public void NamespaceAlongTheArrow_IsFine(string path, string code) =>
        Assert.Empty(FindInCode(new SourceFile(path, code)));

    static IEnumerable<Violation> FindInProject(string path, string xml)
    {
        string layer = path.Split('/')[0];
        foreach (XElement reference in XDocument.Parse(xml).Descendants("ProjectReference"))
        {
            string include = ((string?)reference.Attribute("Include") ?? "").Replace('\\', '/');
            string target = Path.GetFullPath(Path.Combine("/", Path.GetDirectoryName(path)!, include));
            string targetLayer = target.Split('/')[1];
            if (!SeenBy.TryGetValue(layer, out string[]? seen) || !seen.Contains(targetLayer))
                yield return new Violation(path, 0, $"{layer} must not reference {targetLayer} ({include})");
        }
    }

    static IEnumerable<Violation> FindInCode(SourceFile file)
    {
        if (!SeenBy.TryGetValue(file.Layer, out string[]? seen))
            yield break;
        foreach (Match match in NamespacePattern().Matches(file.Code))
        {
            string layer = LayerOf(match.Groups[1].Value);
            if (!seen.Contains(layer))
                yield return new Violation(file.Path, file.LineOf(match.Index), $"{file.Layer} must not see {layer}");
        }
    }

    static string LayerOf(string segment) =>
        segment switch
        {
            "Interop" => "interop",
            "Bench" => "bench",
            "Tests" or "Dev" => "tests",
            _ => CoreNamespaces.Contains(segment) ? "core" : "native-api",
        };

    [GeneratedRegex(@"(?<![\w.])FastBackup\s*\.\s*(\w+)")]
    private static partial Regex NamespacePattern();
}
