// Tells C# code from comments and strings, character by character: enough for rules that search text, without
// a compiler that would have to know each new language version. One pass, linear.
// Code inside the holes of interpolated strings counts as string content, so no rule sees it.
using System;

namespace FastBackup.Tests.Tidy.Source;

sealed class SourceLexer
{
    readonly string _text;
    readonly char[] _code;
    readonly char[] _comments;
    int _at;

    SourceLexer(string text)
    {
        _text = text;
        _code = Blank(text);
        _comments = Blank(text);
    }

    /// <returns>Two texts of the same length and line breaks: only the code, and only the comments.</returns>
    public static (string Code, string Comments) Split(string text)
    {
        SourceLexer lexer = new(text);
        while (lexer._at < text.Length)
            lexer.Step();
        return (new string(lexer._code), new string(lexer._comments));
    }

    void Step()
    {
        char next = _text[_at];
        if (Looks("//"))
            CopyTo(_comments, EndOfLine());
        else if (Looks("/*"))
            CopyTo(_comments, IndexAfter("*/", _at + 2));
        else if (next == '\'')
            SkipCharacter();
        else if (next is '"' or '@' or '$' && StringStart() is int quote and >= 0)
            SkipString(quote);
        else
            _code[_at] = _text[_at++];
    }

    /// <returns>Where the quote is when a string begins here, after any $ and @; else -1.</returns>
    int StringStart()
    {
        int at = _at;
        while (at < _text.Length && _text[at] is '$' or '@')
            at++;
        return at < _text.Length && _text[at] == '"' ? at : -1;
    }

    void SkipString(int quote)
    {
        ReadOnlySpan<char> prefix = _text.AsSpan(_at, quote - _at);
        bool isVerbatim = prefix.Contains('@');
        int dollarCount = prefix.Count('$');
        int quoteCount = RunLength(quote, '"');
        _code[quote] = '"';
        int end =
            quoteCount >= 3 ? IndexAfter(new string('"', quoteCount), quote + quoteCount)
            : quoteCount == 2 && !isVerbatim ? quote + 2
            : EndOfString(quote + 1, isVerbatim, dollarCount > 0);
        if (_text[end - 1] == '"')
            _code[end - 1] = '"';
        _at = end;
    }

    int EndOfString(int at, bool isVerbatim, bool isInterpolated)
    {
        int holeDepth = 0;
        for (; at < _text.Length; at++)
        {
            char next = _text[at];
            bool isDoubled = at + 1 < _text.Length && _text[at + 1] == next;
            if (holeDepth == 0 && next == '\\' && !isVerbatim)
                at++;
            else if (holeDepth == 0 && next == '"' && isVerbatim && isDoubled)
                at++;
            else if (isInterpolated && holeDepth == 0 && isDoubled && next is ('{' or '}'))
                at++;
            else if (isInterpolated && next == '{')
                holeDepth++;
            else if (isInterpolated && next == '}')
                holeDepth--;
            else if (next == '"' && holeDepth == 0)
                return at + 1;
            else if (next == '"')
                at = EndOfString(at + 1, isVerbatim: false, isInterpolated: false) - 1; // a string in a hole
        }
        return _text.Length;
    }

    void SkipCharacter()
    {
        int end = _at + 1 < _text.Length && _text[_at + 1] == '\\' ? _at + 3 : _at + 2;
        while (end < _text.Length && _text[end] is not ('\'' or '\n'))
            end++;
        _code[_at] = '\'';
        _at = end;
        if (end < _text.Length && _text[end] == '\'')
            _code[_at++] = '\'';
    }

    void CopyTo(char[] view, int end)
    {
        _text.CopyTo(_at, view, _at, end - _at);
        _at = end;
    }

    bool Looks(string what) => string.CompareOrdinal(_text, _at, what, 0, what.Length) == 0;

    int EndOfLine() => _text.IndexOf('\n', _at) is int end and >= 0 ? end : _text.Length;

    int IndexAfter(string what, int from) =>
        _text.IndexOf(what, Math.Min(from, _text.Length), StringComparison.Ordinal) is int at and >= 0
            ? at + what.Length
            : _text.Length;

    int RunLength(int from, char what)
    {
        int at = from;
        while (at < _text.Length && _text[at] == what)
            at++;
        return at - from;
    }

    static char[] Blank(string text)
    {
        char[] view = new char[text.Length];
        for (int i = 0; i < view.Length; i++)
            view[i] = text[i] == '\n' ? '\n' : ' ';
        return view;
    }
}
