// Names that say nothing attract code that belongs nowhere.
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed partial class TypeNameTests
{
    [Fact]
    public void Types_HaveTellingNames() => Violation.AssertNone(Tree.CSharp.SelectMany(Find));

    [Theory]
    [InlineData("class BufferManager { }")]
    [InlineData("static class StringHelpers { }")]
    [InlineData("record struct DeviceInfo(int A);")]
    [InlineData("interface IBlockData { }")]
    [InlineData("enum Utils { }")]
    [InlineData("readonly ref struct PageUtil<T> { }")]
    public void EmptyName_IsFound(string code) => Assert.Single(Find(new SourceFile("core/A.cs", code)));

    [Theory]
    [InlineData("class Database { }")]
    [InlineData("void F<T>() where T : struct { FileInfo info = new(path); }")]
    [InlineData("// class BufferManager")]
    [InlineData("struct epoll_data { }")]
    public void TellingName_IsFine(string code) => Assert.Empty(Find(new SourceFile("core/A.cs", code)));

    static IEnumerable<Violation> Find(SourceFile file) =>
        NamePattern()
            .Matches(file.Code)
            .Select(match => new Violation(
                file.Path,
                file.LineOf(match.Index),
                $"'{match.Groups["name"].Value}': name it after what it is or does, not {match.Groups["word"].Value}"
            ));

    [GeneratedRegex(
        @"(?<![\w.])(class|struct|interface|enum|record)\s+"
            + @"(?<name>\w*(?<word>Manager|Helpers?|Utils?|Utilit(y|ies)|Data|Info))\b"
    )]
    private static partial Regex NamePattern();
}
