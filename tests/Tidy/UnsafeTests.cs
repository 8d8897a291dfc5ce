// Where unsafe code may be, and that it says why it is right.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed partial class UnsafeTests
{
    static readonly string[] Layers = ["interop", "core", "native-api", "bench", "tests"];

    // These folders are about raw memory throughout: a whole type may be unsafe there, and the argument why
    // it is right stands in the head comment of the file or folder instead of beside each line.
    static readonly string[] RawFolders = ["Memory", "Kernels", "Ring", "Abi"];

    [Fact]
    public void UnsafeCode_IsInItsPlacesAndExplained() => Violation.AssertNone(Tree.CSharp.SelectMany(Find));

    [Theory]
    [InlineData("tools/A.cs", "unsafe { }")]
    [InlineData("core/Copy/A.cs", "class A { unsafe void F(byte* p) { } }")]
    [InlineData("core/Copy/A.cs", "void F() { unsafe { *p = 1; } }")]
    [InlineData("core/Copy/A.cs", "// SAFETY: p is checked.\nsealed unsafe class A { }")]
    [InlineData("core/Copy/A.cs", "// SAFETY: p is checked.\npublic unsafe readonly partial struct A { }")]
    public void UnsafeOutOfPlace_IsFound(string path, string code) => Assert.Single(Find(new SourceFile(path, code)));

    [Theory]
    [InlineData("core/Copy/A.cs", "unsafe\n{\n    // SAFETY: p is checked in the constructor.\n    *p = 1;\n}")]
    [InlineData("core/Memory/A.cs", "public sealed unsafe class A { }")]
    [InlineData("core/Ports/Linux/Ring/A.cs", "void F() { unsafe { *p = 1; } }")]
    [InlineData("interop/A.cs", "static unsafe partial class A { }")]
    [InlineData("core/Copy/A.cs", "// not unsafe\nUnsafe.As(x); x(\"unsafe\");")]
    public void UnsafeInPlace_IsFine(string path, string code) => Assert.Empty(Find(new SourceFile(path, code)));

    static IEnumerable<Violation> Find(SourceFile file)
    {
        Match first = UnsafePattern().Match(file.Code);
        if (!first.Success)
            yield break;
        if (!Layers.Contains(file.Layer))
            yield return new Violation(file.Path, file.LineOf(first.Index), "no unsafe code in " + file.Layer);
        if (file.Layer != "core" || RawFolders.Any(file.IsIn))
            yield break;
        if (!file.Comments.Contains("SAFETY:", StringComparison.Ordinal))
            yield return new Violation(file.Path, file.LineOf(first.Index), "say why it is right: // SAFETY: ...");
        foreach (Match match in UnsafeTypePattern().Matches(file.Code))
            yield return new Violation(
                file.Path,
                file.LineOf(match.Index),
                "unsafe on the smallest member, not the type"
            );
    }

    [GeneratedRegex(@"(?<![\w.@])unsafe\b")]
    private static partial Regex UnsafePattern();

    [GeneratedRegex(@"(?<![\w.@])unsafe\s+((readonly|ref|partial|sealed|static|record)\s+)*(class|struct|interface)\b")]
    private static partial Regex UnsafeTypePattern();
}
