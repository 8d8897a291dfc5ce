// The arrows inside core. A folder core/X is the namespace FastBackup.X, so an arrow is what namespaces a file
// names: in using directives, in full names, and in names relative to FastBackup (Jobs.BackupJob).
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed partial class CoreArrowTests
{
    /// <summary>What each folder of core may see beside itself.</summary>
    internal static readonly Dictionary<string, string[]> SeenBy = new()
    {
        ["Base"] = [],
        ["Memory"] = ["Base", "Interop"],
        ["Bitmaps"] = ["Base", "Memory"],
        ["Ports"] = ["Base", "Memory", "Interop"],
        ["Devices"] = ["Base", "Memory", "Ports", "Interop"],
        ["Formats"] = ["Base", "Memory", "Ports", "Devices", "Bitmaps"],
        ["Runtime"] = ["Base", "Memory", "Ports", "Interop"],
        ["Pacing"] = ["Base"],
        ["Copy"] = ["Base", "Memory", "Ports", "Devices", "Bitmaps"],
        ["Filter"] = ["Base", "Memory", "Ports", "Devices", "Bitmaps", "Pacing", "Copy"],
        ["Jobs"] = ["Base", "Memory", "Ports", "Devices", "Bitmaps", "Pacing", "Copy", "Filter"],
        ["Serving"] = ["Base", "Memory", "Ports", "Devices", "Bitmaps", "Filter"],
        ["Tracking"] = ["Base", "Memory", "Ports", "Devices", "Bitmaps", "Filter", "Interop"],
    };

    [Fact]
    public void CoreFiles_FollowTheArrows() =>
        Violation.AssertNone(CoreFiles().SelectMany(file => FindArrows(file, TypesByFolder())));

    [Fact]
    public void CoreFiles_HaveTheNamespaceOfTheirFolder() =>
        Violation.AssertNone(CoreFiles().SelectMany(FindNamespace));

    [Theory]
    [InlineData("core/Bitmaps/A.cs", "using FastBackup.Ports;")]
    [InlineData("core/Ports/Linux/A.cs", "using FastBackup.Bitmaps.Kernels;")]
    [InlineData("core/Base/A.cs", "using FastBackup.Interop.Linux;")]
    [InlineData("core/Copy/A.cs", "var a = FastBackup.Interop.Linux.Libc.PROT_READ;")]
    [InlineData("core/Copy/A.cs", "Jobs.BackupJob job = null;")]
    [InlineData("core/Pacing/A.cs", "using FastBackup.Copy;")]
    [InlineData("core/Copy/A.cs", "using FastBackup.Pacing;")]
    [InlineData("core/Nothing/A.cs", "")]
    public void ArrowReversed_IsFound(string path, string code) =>
        Assert.Single(FindArrows(new SourceFile(path, code), new() { ["Jobs"] = ["BackupJob"] }));

    [Theory]
    [InlineData("core/Copy/A.cs", "using FastBackup.Bitmaps; namespace FastBackup.Copy;")]
    [InlineData("core/Copy/A.cs", "var count = Jobs.Length;")]
    [InlineData("core/Copy/A.cs", "/// <see cref=\"FastBackup.Jobs.BackupJob\"/>")]
    [InlineData("core/GlobalUsings.cs", "")]
    public void ArrowKept_IsFine(string path, string code) =>
        Assert.Empty(FindArrows(new SourceFile(path, code), new() { ["Jobs"] = ["BackupJob"] }));

    [Fact]
    public void WrongNamespace_IsFound()
    {
        Assert.Single(FindNamespace(new SourceFile("core/Copy/A.cs", "namespace FastBackup.Jobs; class A { }")));
        Assert.Single(FindNamespace(new SourceFile("core/Copy/A.cs", "class A { }")));
        Assert.Empty(FindNamespace(new SourceFile("core/Copy/Lanes/A.cs", "namespace FastBackup.Copy; class A { }")));
        Assert.Empty(FindNamespace(new SourceFile("core/Copy/A.cs", "[assembly: CLSCompliant(false)]")));
    }

    static IEnumerable<SourceFile> CoreFiles() => Tree.CSharp.Where(file => file.Layer == "core");

    /// <summary>The types that files of a folder are named after: what a relative name would begin with.</summary>
    static Dictionary<string, HashSet<string>> TypesByFolder() =>
        CoreFiles()
            .Where(file => file.Path.Count(one => one == '/') > 1)
            .GroupBy(file => file.Path.Split('/')[1], file => Path.GetFileName(file.Path).Split('.')[0])
            .ToDictionary(group => group.Key, group => group.ToHashSet());

    static IEnumerable<Violation> FindArrows(SourceFile file, Dictionary<string, HashSet<string>> types)
    {
        string[] parts = file.Path.Split('/');
        if (parts.Length < 3)
            yield break;
        string folder = parts[1];
        if (!SeenBy.TryGetValue(folder, out string[]? seen))
        {
            yield return new Violation(file.Path, 0, $"core/{folder} has no arrows: add it to CoreArrowTests.SeenBy");
            yield break;
        }
        foreach (Match match in NamePattern().Matches(file.Code))
        {
            string target = match.Groups["folder"].Value;
            bool isFull = match.Groups["root"].Success;
            bool isType =
                types.TryGetValue(target, out HashSet<string>? names) && names.Contains(match.Groups["type"].Value);
            bool isName = isFull || SeenBy.ContainsKey(target) && isType;
            if (isName && target != folder && !seen.Contains(target))
                yield return new Violation(file.Path, file.LineOf(match.Index), $"{folder} must not see {target}");
        }
    }

    static IEnumerable<Violation> FindNamespace(SourceFile file)
    {
        string[] parts = file.Path.Split('/');
        if (parts.Length < 3)
            yield break;
        string wanted = "FastBackup." + parts[1];
        string found = NamespacePattern().Match(file.Code).Groups[1].Value;
        bool hasTypes = TypePattern().IsMatch(file.Code); // a file of assembly attributes has no namespace
        if (hasTypes && found != wanted && !found.StartsWith(wanted + ".", StringComparison.Ordinal))
            yield return new Violation(file.Path, 0, $"namespace is '{found}' and should be {wanted}");
    }

    [GeneratedRegex(@"(?<![\w.])(?<root>FastBackup\s*\.\s*)?(?<folder>[A-Z]\w*)\s*(\.\s*(?<type>\w+))?")]
    private static partial Regex NamePattern();

    [GeneratedRegex(@"(?<![\w.])(class|struct|interface|enum|record|delegate)\b")]
    private static partial Regex TypePattern();

    [GeneratedRegex(@"(?<![\w.])namespace\s+([\w.]+)")]
    private static partial Regex NamespacePattern();
}
