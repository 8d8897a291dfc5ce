// The comments of a header, found by where a declaration stands: the one that ends on the line above it, or the one
// that follows it on its own line. Clang finds comments as well, but takes one behind a macro for that of the next
// struct.
using System;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;

namespace FastBackup.Interop.Generator;

sealed class HeaderComments
{
    readonly string _text;

    /// <param name="bytes">The header; clang counts bytes.</param>
    public HeaderComments(byte[] bytes) => _text = Encoding.Latin1.GetString(bytes);

    /// <returns>Its lines, or none.</returns>
    public string[] Above(SourcePlace place)
    {
        int lineStart = LineStart(place.Start);
        string before = _text[..lineStart].TrimEnd(' ', '\n');
        bool isAdjacent = _text[before.Length..lineStart].Count(one => one == '\n') == 1;
        if (!isAdjacent || !before.EndsWith("*/", StringComparison.Ordinal))
            return [];
        int open = before.LastIndexOf("/*", StringComparison.Ordinal);
        bool isAlone = string.IsNullOrWhiteSpace(_text[LineStart(open)..open]);
        return isAlone ? Lines(before[(open + 2)..^2]) : [];
    }

    /// <returns>Its lines, or none.</returns>
    public string[] Behind(SourcePlace place)
    {
        int lineEnd = _text.IndexOf('\n', place.End);
        int open = _text.IndexOf("/*", place.End, StringComparison.Ordinal);
        return open >= 0 && open < lineEnd
            ? Lines(_text[(open + 2).._text.IndexOf("*/", open, StringComparison.Ordinal)])
            : [];
    }

    /// <summary>The comment above, or else behind a member.</summary>
    public string[] Of(SourcePlace place) => Above(place) is { Length: > 0 } above ? above : Behind(place);

    /// <summary>The comment behind a macro's definition.</summary>
    public string[] OfMacro(string name) => Behind(PlaceOfMacro(name));

    /// <summary>Where a macro is defined: from its # to the end of its name.</summary>
    public SourcePlace PlaceOfMacro(string name)
    {
        Match match = Regex.Match(_text, $@"^#define {name}\b", RegexOptions.Multiline);
        return match.Success
            ? new SourcePlace(match.Index, match.Index + match.Length)
            : throw new GeneratorException("the header does not define " + name);
    }

    /// <summary>True when nothing but a line break is between two declarations: one comment is for both.</summary>
    public bool AreAdjacent(SourcePlace first, SourcePlace second) =>
        _text[first.End..LineStart(second.Start)] is string between
        && between.Count(one => one == '\n') == 1
        && between.Split('\n')[1].Length == 0;

    public bool AreOnOneLine(SourcePlace first, SourcePlace second) =>
        LineStart(first.Start) == LineStart(second.Start);

    int LineStart(int offset) => offset == 0 ? 0 : _text.LastIndexOf('\n', offset - 1) + 1;

    // Without the stars in front, and without the blank that follows them; deeper indents stay.
    static string[] Lines(string comment)
    {
        string utf8 = Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(comment));
        string[] lines = utf8.Split('\n');
        for (int i = 1; i < lines.Length; i++)
            lines[i] = Regex.Replace(lines[i], @"^ *\* ?", "");
        lines[0] = lines[0].Trim();
        return [.. lines.Select(line => line.TrimEnd()).SkipWhile(line => line.Length == 0)];
    }
}
