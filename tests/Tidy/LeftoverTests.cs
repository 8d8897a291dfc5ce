// Nothing half done and nothing dead stays in the tree: what is open is an issue, what is old is in git.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed partial class LeftoverTests
{
    [Fact]
    public void Code_HasNoLeftovers() => Violation.AssertNone(Tree.CSharp.SelectMany(Find));

    [Theory]
    [InlineData("// TO" + "DO later")]
    [InlineData("x(); // FIX" + "ME: #12 is too late")]
    [InlineData("/* HA" + "CK */")]
    [InlineData("throw new NotImplementedException();")]
    [InlineData("#region Fields")]
    [InlineData("    # endregion")]
    [InlineData("// var count = Count();")]
    [InlineData("// return 0;")]
    [InlineData("// Frob(a, b);")]
    [InlineData("// items[0].Name += 1;")]
    [InlineData("// if (isOpen) {")]
    [InlineData("// }")]
    public void Leftover_IsFound(string code) => Assert.Single(Find(new SourceFile("core/A.cs", code)));

    [Theory]
    [InlineData("// TO" + "DO(#12) use the wider kernel")]
    [InlineData("x(\"TO" + "DO\");")]
    [InlineData("// To do this, the bit is cleared first; a second reader sees it.")]
    [InlineData("// Example: Frob(a, b);")]
    [InlineData("// the map is closed (once);")]
    [InlineData("// todo -> reading -> captured;")]
    [InlineData("/// Frob(a, b);")]
    public void Prose_IsFine(string code) => Assert.Empty(Find(new SourceFile("core/A.cs", code)));

    static IEnumerable<Violation> Find(SourceFile file) =>
        [
            .. file.LinesWhere(file.CommentLines, MarkPattern().IsMatch, "write the issue's number: TO" + "DO(#12)"),
            .. file.LinesWhere(file.CodeLines, NotImplementedPattern().IsMatch, "finish it, or return Unsupported"),
            .. file.LinesWhere(file.CodeLines, RegionPattern().IsMatch, "no regions: split the file by subject"),
            .. file.LinesWhere(file.CommentLines, DeadCodePattern().IsMatch, "commented-out code: git has the old one"),
        ];

    [GeneratedRegex(@"\b(TODO|FIXME|HACK)\b(?!\(#\d+\))")]
    private static partial Regex MarkPattern();

    [GeneratedRegex(@"\bNotImplementedException\b")]
    private static partial Regex NotImplementedPattern();

    [GeneratedRegex(@"^\s*#\s*(region|endregion)\b")]
    private static partial Regex RegionPattern();

    // A plain comment that is a whole statement: a call, an assignment or a jump with its semicolon, or a line
    // that opens or closes a block. A sentence has blanks between its words before the first bracket or sign.
    [GeneratedRegex(
        """
            (?x) ^ \s* // (?!/) \s* (
                (await \s+)? [\w.<>\[\]?!]+ \( .* \) ;           # a call
              | ([\w.<>\[\]?]+ \s+)? [\w.\[\]]+ \s* [-+*/|&^]? = \s .* ;   # a declaration or an assignment
              | (return | throw | break | continue | goto | yield) \b .* ;
              | (if | for | foreach | while | switch | lock) \s \( .* \) \s* \{?
              | [{}]
            ) \s* $
            """
    )]
    private static partial Regex DeadCodePattern();
}
