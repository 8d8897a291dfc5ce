// The arrows inside native-api, and that no files go round in a circle: who reads a file needs those below it, and can
// stop there.
//
//   lib   Tls, Exports -> Calls -> Monitor -> Objects -> Structs, Errors, Handles -> Header, core
//   cli   Commands -> what is done -> Work -> Output -> Words
//   repository   Disks -> Content -> Stores, Format
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed class NativeArrowTests
{
    const string Lib = "native-api/lib/";
    const string Cli = "native-api/cli/";
    const string Points = "native-api/repository/";

    static readonly string[] Ground = ["Header", "Handles", "Errors", "Structs"];
    static readonly string[] MonitorGround = [.. Ground, "Objects", "Monitor/Json"];
    static readonly string[] CliGround = ["Words", "Output", "Work"];

    /// <summary>What each folder may see beside itself.</summary>
    static readonly Dictionary<string, string[]> LibSeenBy = new()
    {
        ["Header"] = [],
        ["Handles"] = ["Header"],
        ["Process"] = [],
        ["Tls"] = [],
        ["Errors"] = ["Header", "Handles"],
        ["Structs"] = ["Header", "Errors"],
        ["Objects"] = Ground,
        ["Monitor/Json"] = [],
        ["Monitor/Schema"] = ["Monitor/Json"],
        ["Monitor/Commands"] = MonitorGround,
        ["Monitor/Nodes"] = [.. MonitorGround, "Monitor/Commands"],
        ["Monitor/Jobs"] = [.. MonitorGround, "Monitor/Commands"],
        ["Monitor/Plans"] = [.. MonitorGround, "Monitor/Commands", "Monitor/Nodes", "Monitor/Jobs"],
        ["Monitor/Nbd"] = [.. MonitorGround, "Monitor/Commands", "Monitor/Nodes", "Monitor/Plans"],
        ["Monitor/Server"] =
        [
            .. MonitorGround,
            "Monitor/Schema",
            "Monitor/Commands",
            "Monitor/Nodes",
            "Monitor/Jobs",
            "Monitor/Plans",
            "Monitor/Nbd",
        ],
        ["Calls"] = [.. Ground, "Objects", "Monitor/Server", "Monitor/Nodes"],
        ["Hosting"] = [.. Ground, "Objects", "Monitor/Server", "Calls"],
        ["Exports"] = ["Structs", "Errors", "Calls"],
    };

    /// <summary>The command's top is the folder itself.</summary>
    static readonly Dictionary<string, string[]> CliSeenBy = new()
    {
        ["Words"] = [],
        ["Output"] = ["Words"],
        ["Work"] = ["Words", "Output"],
        ["Track"] = CliGround,
        ["Backup"] = [.. CliGround, "Track"],
        ["Compare"] = CliGround,
        ["Serve"] = [.. CliGround, "Track"],
        ["Doctor"] = CliGround,
        ["Images"] = CliGround,
        ["Monitor"] = CliGround,
        ["LiveBackup"] = [.. CliGround, "Monitor"],
        ["Demo"] = [.. CliGround, "Backup", "Compare", "Repo"],
        ["Repo"] = [.. CliGround, "Track", "Serve"],
        ["Reference"] = CliGround,
        ["Run"] = [.. CliGround, "Repo", "LiveBackup"],
        ["Commands"] =
        [
            .. CliGround,
            "Backup",
            "Compare",
            "Demo",
            "Doctor",
            "Images",
            "LiveBackup",
            "Monitor",
            "Reference",
            "Repo",
            "Run",
            "Serve",
            "Track",
        ],
        [""] = [.. CliGround, "Commands", "Reference"],
    };

    /// <summary>The repository's top says what went wrong, to all of it.</summary>
    static readonly Dictionary<string, string[]> PointsSeenBy = new()
    {
        [""] = [],
        ["Format"] = [""],
        ["Stores"] = ["", "Format"],
        ["Content"] = ["", "Format", "Stores"],
        ["Disks"] = ["", "Format", "Stores", "Content"],
    };

    [Fact]
    public void RepositoryFolders_FollowTheArrows() =>
        Violation.AssertNone(FindArrows(Files(Points), Points, PointsSeenBy));

    [Fact]
    public void LibraryFolders_FollowTheArrows() => Violation.AssertNone(FindArrows(Files(Lib), Lib, LibSeenBy));

    [Fact]
    public void CommandFolders_FollowTheArrows() => Violation.AssertNone(FindArrows(Files(Cli), Cli, CliSeenBy));

    [Theory]
    [InlineData(Lib)]
    [InlineData(Cli)]
    [InlineData(Points)]
    public void Files_GoRoundInNoCircle(string project) => Violation.AssertNone(FindCircles(Files(project)));

    [Fact]
    public void Library_HasTheNamespacesOfItsFolders() =>
        Violation.AssertNone(
            Files(Lib)
                .Where(file =>
                    !file.Code.Contains(
                        "namespace FastBackup.Native." + FolderOf(file.Path, Lib, LibSeenBy).Replace('/', '.') + ";",
                        StringComparison.Ordinal
                    )
                )
                .Select(file => new Violation(file.Path, 0, "its namespace is not that of its folder"))
        );

    [Fact]
    public void ArrowReversed_IsFound()
    {
        SourceFile[] files =
        [
            new(Lib + "Errors/A.cs", "using N.O;\nnamespace N.E;\nclass A { void F() { B.G(); } }"),
            new(Lib + "Objects/B.cs", "namespace N.O;\nstatic class B { public static void G() { } }"),
            new(Lib + "New/C.cs", "using N.O;\nnamespace N.C;\nclass C : B { }"),
        ];
        Assert.Equal(
            ["New has no arrows: add it here", "Errors must not see Objects (B)"],
            FindArrows(files, Lib, LibSeenBy).Select(found => found.Message)
        );
    }

    [Theory]
    [InlineData("using N.Y;\nnamespace N.X;\nclass A { B b; }", "using N.X;\nnamespace N.Y;\nclass B { A a; }")]
    [InlineData("namespace N;\nclass A { N.Y.B b; }", "namespace N.Y;\ninterface B { A F(); }")]
    [InlineData("namespace N;\nclass A { Y.B b; }", "namespace N.Y;\nrecord struct B(A Of);")]
    public void Circle_IsFound(string first, string second) =>
        Assert.Single(FindCircles([new SourceFile("a/A.cs", first), new SourceFile("a/B.cs", second)]));

    [Theory]
    [InlineData("namespace N;\nclass A { B b; }", "namespace N;\nclass B { /* A */ int x = y.A; }")]
    [InlineData("namespace N;\nclass A { B b; }", "namespace M;\nclass B { A a; }")]
    [InlineData("namespace N;\npartial class A { B b; }", "namespace N;\npartial class A { class B { } }")]
    public void NoCircle_IsFine(string first, string second) =>
        Assert.Empty(FindCircles([new SourceFile("a/A.cs", first), new SourceFile("a/B.cs", second)]));

    static SourceFile[] Files(string project) =>
        [.. Tree.CSharp.Where(file => file.Path.StartsWith(project, StringComparison.Ordinal))];

    static IEnumerable<Violation> FindCircles(SourceFile[] files) =>
        new TypeGraph(files)
            .Circles()
            .Select(circle => new Violation(circle[0], 0, "goes round with " + string.Join(", ", circle[1..])));

    static IEnumerable<Violation> FindArrows(SourceFile[] files, string project, Dictionary<string, string[]> seenBy)
    {
        foreach (SourceFile file in files)
            if (!seenBy.ContainsKey(FolderOf(file.Path, project, seenBy)))
                yield return new Violation(
                    file.Path,
                    0,
                    $"{FolderOf(file.Path, project, seenBy)} has no arrows: add it here"
                );
        foreach ((string from, string to, string type) in new TypeGraph(files).Arrows)
        {
            (string folder, string seen) = (FolderOf(from, project, seenBy), FolderOf(to, project, seenBy));
            if (folder != seen && seenBy.TryGetValue(folder, out string[]? allowed) && !allowed.Contains(seen))
                yield return new Violation(from, 0, $"{folder} must not see {seen} ({type})");
        }
    }

    /// <summary>The longest folder above the file that has arrows, else its first one.</summary>
    static string FolderOf(string path, string project, Dictionary<string, string[]> seenBy)
    {
        string[] folders = path[project.Length..].Split('/')[..^1];
        for (int count = folders.Length; count > 0; count--)
            if (seenBy.ContainsKey(string.Join('/', folders[..count])))
                return string.Join('/', folders[..count]);
        return folders.Length == 0 ? "" : folders[0];
    }
}
