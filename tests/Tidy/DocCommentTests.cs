// A tag without content says that somebody meant to document and did not.
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed partial class DocCommentTests
{
    [Fact]
    public void DocTags_HaveContent() => Violation.AssertNone(Tree.CSharp.SelectMany(Find));

    [Theory]
    [InlineData("/// <param name=\"x\"></param>")]
    [InlineData("/// <returns></returns>")]
    [InlineData("/// <summary>\n/// \n/// </summary>")]
    [InlineData("/// <remarks> . </remarks>")]
    [InlineData("/// <returns/>")]
    public void EmptyTag_IsFound(string code) => Assert.Single(Find(new SourceFile("core/A.cs", code)));

    [Theory]
    [InlineData("/// <param name=\"x\">In bytes.</param>")]
    [InlineData("/// <summary>\n/// What it does.\n/// </summary>")]
    [InlineData("/// <inheritdoc/>")]
    [InlineData("x(\"<returns></returns>\");")]
    public void FilledTag_IsFine(string code) => Assert.Empty(Find(new SourceFile("core/A.cs", code)));

    static IEnumerable<Violation> Find(SourceFile file) =>
        EmptyTagPattern()
            .Matches(file.Comments)
            .Select(match => new Violation(file.Path, file.LineOf(match.Index), "empty doc tag: fill it or remove it"));

    [GeneratedRegex(@"<(summary|remarks|returns|param|typeparam|value|exception)\b[^<>]*(/>|>[\s/.\-]*</\1>)")]
    private static partial Regex EmptyTagPattern();
}
