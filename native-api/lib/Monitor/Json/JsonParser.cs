// The tokens of one message to the nodes of its document, or the reason why not in QEMU's words. Brackets may be
// unbalanced here: what is left over is dropped. Strings lose their escapes in place: what they mean is never longer.
// Source: QEMU 7.2 qobject/json-parser.c.
using System;
using System.Buffers.Text;
using System.Collections.Generic;
using System.Text;

namespace FastBackup.Native.Monitor.Json;

/// <summary>Threads: one. Depth: that of the nesting, which the caller has bounded.</summary>
ref struct JsonParser
{
    const int MembersFew = 16; // above, names are looked up instead of compared one by one

    readonly Span<byte> _text;
    readonly ReadOnlySpan<JsonToken> _tokens;
    readonly Span<JsonNode> _nodes;
    int _next;
    int _nodeCount;

    /// <param name="document">Whose text and tokens are read; its nodes are written.</param>
    /// <param name="tokenCount">At least 1.</param>
    public JsonParser(JsonDocument document, int tokenCount)
    {
        _text = document.Text;
        _tokens = document.Tokens[..tokenCount];
        _nodes = document.Nodes;
    }

    /// <summary>The first thing that is wrong, or null.</summary>
    public string? Problem { get; private set; }

    /// <returns>False: see <see cref="Problem"/>.</returns>
    public bool TryParse() => TryParseValue();

    readonly ReadOnlySpan<byte> TextOf(JsonToken token) => _text.Slice(token.Start, token.Length);

    bool TryPop(out JsonToken token)
    {
        token = _next < _tokens.Length ? _tokens[_next++] : default;
        return token.Length > 0;
    }

    readonly TokenKind Peek() => _next < _tokens.Length ? _tokens[_next].Kind : TokenKind.Stray;

    /// <returns>False.</returns>
    bool Fail(string problem)
    {
        Problem ??= "JSON parse error, " + problem;
        return false;
    }

    /// <summary>There are no more nodes than tokens: each begins with one of its own.</summary>
    int Add(JsonKind kind, int start, int length)
    {
        int node = _nodeCount++;
        _nodes[node] = new JsonNode
        {
            Kind = kind,
            Start = start,
            Length = length,
            End = _nodeCount,
        };
        return node;
    }

    bool Add(JsonKind kind, JsonToken token) => Add(kind, token.Start, token.Length) >= 0;

    bool TryParseValue()
    {
        if (!TryPop(out JsonToken token))
            return Fail("premature EOI");
        return token.Kind switch
        {
            TokenKind.LeftBrace => TryParseObject(),
            TokenKind.LeftSquare => TryParseArray(),
            TokenKind.String => TryParseString(token),
            TokenKind.Integer => Add(KindOf(TextOf(token)), token),
            TokenKind.Float => Add(JsonKind.Float, token),
            TokenKind.Keyword => TryParseKeyword(token),
            _ => Fail("expecting value"),
        };
    }

    bool TryParseObject()
    {
        int node = Add(JsonKind.Object, 0, 0);
        HashSet<string>? names = null;
        if (Peek() == TokenKind.RightBrace)
        {
            _next++;
            return true;
        }
        for (int count = 1; ; count++)
        {
            if (!TryParsePair(node, count, ref names))
                return false;
            if (!TryPop(out JsonToken token))
                return Fail("premature EOI");
            if (token.Kind == TokenKind.RightBrace)
            {
                _nodes[node].End = _nodeCount;
                return true;
            }
            if (token.Kind != TokenKind.Comma)
                return Fail("expected separator in dict");
        }
    }

    bool TryParsePair(int parent, int count, ref HashSet<string>? names)
    {
        int key = _nodeCount;
        if (!TryParseValue())
            return false;
        if (_nodes[key].Kind != JsonKind.String)
            return Fail("key is not a string in object");
        if (!TryPop(out JsonToken colon))
            return Fail("premature EOI");
        if (colon.Kind != TokenKind.Colon)
            return Fail("missing : in object pair");
        if (!TryParseValue())
            return false;
        return !IsKnown(parent, key, count, ref names) || Fail("duplicate key");
    }

    /// <summary>A member before this one has its name.</summary>
    readonly bool IsKnown(int parent, int key, int count, ref HashSet<string>? names)
    {
        if (count <= MembersFew)
        {
            for (int other = parent + 1; other < key; other = _nodes[other + 1].End)
                if (NameOf(other).SequenceEqual(NameOf(key)))
                    return true;
            return false;
        }
        if (names == null)
        {
            names = [];
            for (int other = parent + 1; other < key; other = _nodes[other + 1].End)
                _ = names.Add(Encoding.UTF8.GetString(NameOf(other)));
        }
        return !names.Add(Encoding.UTF8.GetString(NameOf(key)));
    }

    readonly ReadOnlySpan<byte> NameOf(int key) => _text.Slice(_nodes[key].Start, _nodes[key].Length);

    bool TryParseArray()
    {
        int node = Add(JsonKind.Array, 0, 0);
        if (Peek() == TokenKind.RightSquare)
        {
            _next++;
            return true;
        }
        while (true)
        {
            if (!TryParseValue())
                return false;
            if (!TryPop(out JsonToken token))
                return Fail("premature EOI");
            if (token.Kind == TokenKind.RightSquare)
            {
                _nodes[node].End = _nodeCount;
                return true;
            }
            if (token.Kind != TokenKind.Comma)
                return Fail("expected separator in list");
        }
    }

    bool TryParseKeyword(JsonToken token)
    {
        ReadOnlySpan<byte> word = TextOf(token);
        if (word.SequenceEqual("true"u8) || word.SequenceEqual("false"u8))
            return Add(JsonKind.Bool, token);
        return word.SequenceEqual("null"u8)
            ? Add(JsonKind.Null, token)
            : Fail($"invalid keyword '{Utf8Text.Decode(word)}'");
    }

    static JsonKind KindOf(ReadOnlySpan<byte> digits) =>
        Utf8Parser.TryParse(digits, out long _, out int length) && length == digits.Length ? JsonKind.Integer
        : Utf8Parser.TryParse(digits, out ulong _, out length) && length == digits.Length ? JsonKind.Unsigned
        : JsonKind.Float;

    bool TryParseString(JsonToken token)
    {
        Span<byte> inside = _text.Slice(token.Start, token.Length);
        int end = 1; // of what it means
        for (int at = 1; at < inside.Length - 1; )
        {
            int codePoint;
            if (inside[at] == (byte)'\\')
            {
                if (!TryReadEscape(inside, ref at, out codePoint))
                    return false;
            }
            else
            {
                codePoint = Utf8Text.Read(inside[at..], out int length);
                if (codePoint == Utf8Text.Invalid)
                    return Fail("invalid UTF-8 sequence in string");
                at += length;
            }
            end += new Rune(codePoint).EncodeToUtf8(inside[end..at]);
        }
        return Add(JsonKind.String, token.Start + 1, end - 1) >= 0;
    }

    bool TryReadEscape(ReadOnlySpan<byte> inside, ref int at, out int codePoint)
    {
        int start = at++;
        char kind = (char)inside[at++];
        codePoint = kind switch
        {
            '"' or '\'' or '\\' or '/' => kind,
            'b' => '\b',
            'f' => '\f',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            _ => '\0',
        };
        if (codePoint != '\0')
            return true;
        if (kind != 'u')
            return Fail("invalid escape sequence in string");
        codePoint = ReadHex(inside, at);
        at += 4;
        if (codePoint is >= 0xD800 and <= 0xDBFF && at + 1 < inside.Length && inside[at..].StartsWith("\\u"u8))
        {
            int trailing = ReadHex(inside, at + 2);
            bool isPair = trailing is >= 0xDC00 and <= 0xDFFF;
            codePoint = isPair ? 0x10000 + ((codePoint & 0x3FF) << 10 | trailing & 0x3FF) : Utf8Text.Invalid;
            at += isPair ? 6 : 0;
        }
        if (Utf8Text.IsCharacter(codePoint))
            return true;
        ReadOnlySpan<byte> wrong = inside[start..Math.Min(at, inside.Length)];
        return Fail($"{Utf8Text.Decode(wrong)} is not a valid Unicode character");
    }

    /// <returns>Four hexadecimal digits, or Invalid.</returns>
    static int ReadHex(ReadOnlySpan<byte> inside, int at) =>
        at + 4 <= inside.Length
        && Utf8Parser.TryParse(inside.Slice(at, 4), out ushort value, out int length, 'X')
        && length == 4
            ? value
            : Utf8Text.Invalid;
}
