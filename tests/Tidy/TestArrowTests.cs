// The arrows among tests and benchmarks. What two of them need is in tests/Shared; no other test project is looked
// into, and no test looks into a benchmark:
//
//   Unit, Cli, Abi, ... -> Shared <- bench
//
// Checked where a project can reach another one: in its references, and in the sources that it compiles. Programs that
// tests start are started by tests/Shared, so that all of them have the same signals and end with the test.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed partial class TestArrowTests
{
    const string Shared = "tests/Shared";

    /// <summary>What a project of a folder may see among tests and benchmarks, beside itself and Shared.</summary>
    static readonly Dictionary<string, string[]> SeenBy = new()
    {
        ["tests/Abi"] = [],
        ["tests/Cli"] = [],
        ["tests/Fuzz"] = [],
        ["tests/Hosts"] = [],
        ["tests/Interop"] = [],
        ["tests/Mutation"] = ["tests/dev"],
        ["tests/Points"] = [],
        ["tests/Schedules"] = [],
        ["tests/Shared"] = [],
        ["tests/Simulation"] = [],
        ["tests/Site"] = [],
        ["tests/Stress"] = [],
        ["tests/Tidy"] = ["tests/Simulation"], // how a planted bug is read
        ["tests/Unit"] = [],
        ["tests/Windows"] = [],
        ["tests/dev"] = [],
        // The report, which runs the others as programs.
        ["bench/FastBackup.Bench.csproj"] =
        [
            "bench/Report",
            "bench/Peers",
            "bench/GuestLatency",
            "bench/Growth",
            "bench/Micro",
            "bench/Throughput",
        ],
        ["bench/Growth"] = ["bench/Peers"],
        ["bench/GuestLatency"] = ["bench/Peers"],
        ["bench/Micro"] = [],
        ["bench/Peers"] = [],
        ["bench/Points"] = [],
        ["bench/Throughput"] = ["bench/Peers"],
    };

    /// <summary>Starts suites, whose lines it hands on while they run.</summary>
    const string Runner = "tests/dev/ChildProcess.cs";

    [Fact]
    public void Projects_SeeNoOtherTests() =>
        Violation.AssertNone(
            Tree.Paths.Where(path => path.EndsWith(".csproj", StringComparison.Ordinal))
                .SelectMany(path => Find(path, File.ReadAllText(Tree.FullPath(path))))
        );

    [Fact]
    public void Programs_AreStartedByShared() =>
        Violation.AssertNone(Tree.CSharp.Where(file => file.Layer is "tests" or "bench").SelectMany(FindStart));

    [Theory]
    [InlineData("tests/Cli/A.csproj", "<ProjectReference Include=\"../../bench/Peers/P.csproj\" />", "bench/Peers")]
    [InlineData("tests/Hosts/A.csproj", "<Compile Include=\"../Abi/Machine/*.cs\" />", "tests/Abi")]
    [InlineData("tests/Hosts/A.csproj", "<Compile Include=\"B.cs;../Cli/C.cs\" />", "tests/Cli")]
    [InlineData("bench/Micro/A.csproj", "<Compile Include=\"../../tests/Unit/C.cs\" />", "tests/Unit")]
    [InlineData("tests/New/A.csproj", "<Compile Include=\"A.cs\" />", "has no arrows")]
    public void WhatLooksIntoOtherTests_IsFound(string path, string item, string message) =>
        Assert.Contains(message, Assert.Single(Find(path, $"<Project>{item}</Project>")).Message);

    [Theory]
    [InlineData("tests/Cli/A.csproj", "<ProjectReference Include=\"../Shared/S.csproj\" />")]
    [InlineData("tests/Simulation/Planter/A.csproj", "<Compile Include=\"../Oracle/A.cs\" />")]
    [InlineData("bench/Throughput/A.csproj", "<ProjectReference Include=\"..\\Peers\\P.csproj\" />")]
    [InlineData("core/A.csproj", "<ProjectReference Include=\"../tests/Unit/U.csproj\" />")] // another rule's
    public void WhatLooksAlongTheArrows_IsFine(string path, string item) =>
        Assert.Empty(Find(path, $"<Project>{item}</Project>"));

    [Theory]
    [InlineData("ProcessStartInfo start = new(program, arguments);")]
    [InlineData("x = new ProcessStartInfo(program);")]
    [InlineData("using Process kill = Process.Start(\"kill\", id);")]
    public void ProgramThatIsStartedElsewhere_IsFound(string code)
    {
        Assert.Single(FindStart(new SourceFile("tests/Cli/A.cs", code)));
        Assert.Empty(FindStart(new SourceFile(Shared + "/Processes/A.cs", code)));
    }

    static IEnumerable<Violation> Find(string path, string xml)
    {
        string own = FolderOf(path);
        if (own.Split('/')[0] is not ("tests" or "bench"))
            yield break;
        if (!SeenBy.TryGetValue(own, out string[]? seen))
        {
            yield return new Violation(path, 0, $"{own} has no arrows: add it here");
            yield break;
        }
        IEnumerable<string> items = XDocument
            .Parse(xml)
            .Descendants()
            .Where(item => item.Name.LocalName is "ProjectReference" or "Compile")
            .SelectMany(item => ((string?)item.Attribute("Include") ?? "").Split(';'))
            .Select(item => item.Trim().Replace('\\', '/'))
            .Where(item => item.Length > 0 && item[0] != '$');
        foreach (string item in items)
        {
            string folder = FolderOf(Path.GetFullPath(Path.Combine("/", Path.GetDirectoryName(path)!, item))[1..]);
            bool isTests = folder.Split('/')[0] is "tests" or "bench";
            if (isTests && folder != own && folder != Shared && !seen.Contains(folder))
                yield return new Violation(path, 0, $"{own} must not see {folder} ({item})");
        }
    }

    static IEnumerable<Violation> FindStart(SourceFile file) =>
        file.Path.StartsWith(Shared + "/", StringComparison.Ordinal) || file.Path == Runner
            ? []
            : StartPattern()
                .Matches(file.Code)
                .Select(match => new Violation(
                    file.Path,
                    file.LineOf(match.Index),
                    "start it by RunningProgram, Tool or DefaultSignals of tests/Shared"
                ));

    static string FolderOf(string path) => string.Join('/', path.Split('/')[..2]);

    [GeneratedRegex(@"\bnew ProcessStartInfo\b|\bProcessStartInfo \w+ = new\(|\bProcess\.Start\([^)]*,")]
    private static partial Regex StartPattern();
}
