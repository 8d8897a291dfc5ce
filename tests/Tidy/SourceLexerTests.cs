// The rules are only as good as the split of code, comments and strings.
using System;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed class SourceLexerTests
{
    [Theory]
    [InlineData("int a; // b", "inta;", "//b")]
    [InlineData("a /* b */ c", "ac", "/*b*/")]
    [InlineData("x(\"// no\");", "x(\"\");", "")]
    [InlineData("x(@\"a\\\") // b", "x(\"\")", "//b")]
    [InlineData("x(@\"a\"\"b\") // c", "x(\"\")", "//c")]
    [InlineData("x(\"a\\\"b\") // c", "x(\"\")", "//c")]
    [InlineData("c = '\"'; // d", "c='';", "//d")]
    [InlineData("c = '\\''; // d", "c='';", "//d")]
    [InlineData("$\"{f(\"}\")} // a\" // b", "\"\"", "//b")]
    [InlineData("$\"{{ // a\" // b", "\"\"", "//b")]
    [InlineData("$@\"{a}\\\" // b", "\"\"", "//b")]
    [InlineData("\"\" // b", "\"\"", "//b")]
    [InlineData("\"\"\"a \" // \"\"\" // b", "\"\"", "//b")]
    [InlineData("$\"\"\"{a} // \"\"\" // b", "\"\"", "//b")]
    [InlineData("@class = 1;", "@class=1;", "")]
    [InlineData("a\n// b\nc", "a\n\nc", "\n//b\n")]
    [InlineData("#error don't\nx // y", "#errordon'\nx", "\n//y")]
    [InlineData("\"open", "\"", "")]
    public void Split_TellsCodeFromCommentsAndStrings(string text, string code, string comments)
    {
        (string codeView, string commentView) = SourceLexer.Split(text);
        Assert.Equal(code, codeView.Replace(" ", "", StringComparison.Ordinal));
        Assert.Equal(comments, commentView.Replace(" ", "", StringComparison.Ordinal));
        Assert.Equal((text.Length, text.Length), (codeView.Length, commentView.Length));
    }

    [Fact]
    public void Split_KeepsPlaces() =>
        Assert.Equal(("x(\" \")     ", "       // b"), SourceLexer.Split("x(\"y\") // b"));

    [Fact]
    public void Split_OfTheWholeTree_KeepsLengthAndLines()
    {
        foreach (SourceFile file in Tree.CSharp)
        {
            Assert.Equal(file.Text.Length, file.Code.Length);
            Assert.Equal(file.Lines.Length, file.CodeLines.Length);
            Assert.Equal(file.Lines.Length, file.CommentLines.Length);
        }
    }
}
