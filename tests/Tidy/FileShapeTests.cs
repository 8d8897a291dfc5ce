// How long files and lines may be, that a file begins by saying what it is, and that it has one namespace.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed partial class FileShapeTests
{
    const int LinesMax = 600;
    const int ColumnsMax = 120;

    // Comments that are older than the rule: wrap them and drop the rows.
    static readonly Dictionary<string, int> ColumnsKnown = new() { };

    static readonly string[] CodeEndings = [".cs", ".c", ".h", ".csproj", ".props", ".targets", ".sh", "/run"];

    [Fact]
    public void Files_AreAtMost600Lines() => Violation.AssertNone(Tree.CSharp.SelectMany(FindLength));

    [Fact]
    public void Lines_AreAtMost120Columns() =>
        Violation.AssertNone(
            Tree.Texts()
                .Where(file => CodeEndings.Any(ending => file.Path.EndsWith(ending, StringComparison.Ordinal)))
                .SelectMany(file => FindWidth(file.Path, file.Text))
        );

    [Fact]
    public void Namespaces_AreOfTheWholeFile() => Violation.AssertNone(Tree.CSharp.SelectMany(FindBlockNamespace));

    [Fact]
    public void LibraryFiles_BeginWithAHeadComment() =>
        Violation.AssertNone(
            Tree.CSharp.Where(file => file.Layer is "core" or "interop" or "native-api").SelectMany(FindHead)
        );

    [Fact]
    public void LongFile_IsFound()
    {
        string text = string.Concat(Enumerable.Repeat("int a;\n", LinesMax + 1));
        Assert.Single(FindLength(new SourceFile("core/A.cs", text)));
        Assert.Empty(FindLength(new SourceFile("core/A.g.cs", text)));
        Assert.Empty(FindLength(new SourceFile("core/A.cs", text[7..])));
    }

    [Fact]
    public void LongLine_IsFound()
    {
        Assert.Single(FindWidth("core/A.cs", "ok\n" + new string('a', ColumnsMax + 1)));
        Assert.Empty(FindWidth("core/A.cs", new string('a', ColumnsMax) + "\r\n"));
        Assert.Empty(FindWidth("core/A.g.cs", new string('a', ColumnsMax + 1)));
    }

    [Fact]
    public void NamespaceWithBraces_IsFound()
    {
        Assert.Single(FindBlockNamespace(new SourceFile("core/A.cs", "using System;\nnamespace A\n{\n}\n")));
        Assert.Single(FindBlockNamespace(new SourceFile("core/A.cs", "namespace A.B { }\n")));
        Assert.Empty(FindBlockNamespace(new SourceFile("core/A.cs", "namespace A.B;\n")));
    }

    [Fact]
    public void MissingHead_IsFound()
    {
        Assert.Single(FindHead(new SourceFile("core/A.cs", "using System;\n// What it is.")));
        Assert.Single(FindHead(new SourceFile("core/A.cs", "//\nusing System;")));
        Assert.Empty(FindHead(new SourceFile("core/A.cs", "\uFEFF// What it is.\nusing System;")));
    }

    static IEnumerable<Violation> FindLength(SourceFile file)
    {
        int count = file.Text.TrimEnd('\n').Count(one => one == '\n') + 1;
        if (count > LinesMax && !file.IsGenerated)
            yield return new Violation(file.Path, 0, $"{count} lines; at most {LinesMax}: split it by subject");
    }

    static IEnumerable<Violation> FindWidth(string path, string text)
    {
        if (new SourceFile(path, "").IsGenerated)
            yield break;
        int columnsMax = ColumnsKnown.GetValueOrDefault(path, ColumnsMax);
        foreach ((int index, string line) in text.Split('\n').Index())
        {
            if (line.TrimEnd('\r').Length > columnsMax)
                yield return new Violation(path, index + 1, $"{line.Length} columns; at most {columnsMax}");
        }
    }

    static IEnumerable<Violation> FindBlockNamespace(SourceFile file)
    {
        foreach ((int index, string line) in file.CodeLines.Index())
        {
            if (NamespacePattern().IsMatch(line) && !line.Contains(';', StringComparison.Ordinal))
                yield return new Violation(file.Path, index + 1, "a namespace of the whole file: 'namespace A;'");
        }
    }

    [GeneratedRegex(@"^namespace\s")]
    private static partial Regex NamespacePattern();

    static IEnumerable<Violation> FindHead(SourceFile file)
    {
        string first = file.Lines[0].TrimStart('/', '*', ' ');
        if (!file.Comments.StartsWith('/') || first.Length == 0)
            yield return new Violation(file.Path, 1, "begin with a comment: what it is, how, what it does not do");
    }
}
