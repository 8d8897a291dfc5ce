// How long a class may be over all its parts: partial files keep each file short, and let a class grow for ever.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed class ClassSizeTests
{
    const int LinesMax = 500;

    static readonly Dictionary<string, (int LinesMax, string Reason)> Known = new()
    {
        ["core/Bitmaps/HierarchicalBitmap"] = (2_150, "one structure of levels: each operation is over all of them"),
    };

    [Fact]
    public void Classes_AreAtMost500Lines_OverAllTheirParts() => Violation.AssertNone(FindLong(Tree.CSharp));

    [Fact]
    public void KnownClasses_AreLongStill() =>
        Assert.All(
            Known.Keys,
            name => Assert.Contains(Sums(Tree.CSharp), sum => sum.Name == name && sum.Lines > LinesMax)
        );

    [Fact]
    public void LongClass_IsFound_HoweverManyFilesItHas()
    {
        string half = string.Concat(Enumerable.Repeat("int a;\n", LinesMax / 2));
        SourceFile[] files = [new("core/A.cs", half), new("core/A.One.cs", half + "int b;\n")];
        Assert.Single(FindLong(files));
        Assert.Empty(FindLong([files[0], new SourceFile("core/A.One.cs", half)]));
        Assert.Empty(FindLong([files[0], new SourceFile("core/B/A.One.cs", half + "int b;\n")]));
        Assert.Empty(FindLong([files[0], new SourceFile("core/A.g.cs", half + "int b;\n")]));
    }

    static IEnumerable<Violation> FindLong(IEnumerable<SourceFile> files) =>
        Sums(files)
            .Where(sum => sum.Lines > (Known.TryGetValue(sum.Name, out var known) ? known.LinesMax : LinesMax))
            .Select(sum => new Violation(
                sum.Name + ".cs",
                0,
                $"{sum.Lines} lines over all parts; at most {LinesMax}: make classes of them, each with its own state"
            ));

    /// <summary>By the name before the first dot, in one folder: Disk.cs and Disk.Gate.cs are one class.</summary>
    static IEnumerable<(string Name, int Lines)> Sums(IEnumerable<SourceFile> files) =>
        files
            .Where(file => !file.IsGenerated)
            .GroupBy(file => file.Path[..(file.Path.LastIndexOf('/') + 1)] + Path.GetFileName(file.Path).Split('.')[0])
            .Select(parts => (parts.Key, parts.Sum(part => part.Text.TrimEnd('\n').Count(one => one == '\n') + 1)));
}
