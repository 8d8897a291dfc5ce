// One C# file, with two views of the same size and the same line breaks: the code without comments and the
// content of strings, and the comments without the code. Rules search the view they mean.
using System;
using System.Collections.Generic;
using System.Linq;

namespace FastBackup.Tests.Tidy.Source;

sealed class SourceFile
{
    readonly string[] _folders;

    /// <param name="path">From the repository root, with slashes.</param>
    /// <param name="text">The whole file.</param>
    public SourceFile(string path, string text)
    {
        Path = path;
        Text = text.TrimStart('\uFEFF').Replace("\r\n", "\n", StringComparison.Ordinal);
        (Code, Comments) = SourceLexer.Split(Text);
        Lines = Text.Split('\n');
        CodeLines = Code.Split('\n');
        CommentLines = Comments.Split('\n');
        _folders = path.Split('/')[..^1];
    }

    public string Path { get; }

    public string Text { get; }

    /// <summary>Comments and the content of strings and characters are blanks.</summary>
    public string Code { get; }

    /// <summary>All but comments is blanks; the slashes and stars that begin a comment are kept.</summary>
    public string Comments { get; }

    public string[] Lines { get; }

    public string[] CodeLines { get; }

    public string[] CommentLines { get; }

    /// <summary>First folder of the path, for example core.</summary>
    public string Layer => _folders.Length > 0 ? _folders[0] : "";

    public bool IsGenerated => Path.EndsWith(".g.cs", StringComparison.Ordinal) || IsIn("Generated");

    /// <summary>True when one of the folders of the path has this name.</summary>
    public bool IsIn(string folder) => _folders.Contains(folder);

    /// <summary>The line number, from 1, of a position in any of the views.</summary>
    public int LineOf(int position) => Text.AsSpan(0, position).Count('\n') + 1;

    /// <summary>Lines of a view that satisfy a test, as violations.</summary>
    public IEnumerable<Violation> LinesWhere(string[] view, Predicate<string> isWrong, string message) =>
        view.Index().Where(line => isWrong(line.Item)).Select(line => new Violation(Path, line.Index + 1, message));
}
