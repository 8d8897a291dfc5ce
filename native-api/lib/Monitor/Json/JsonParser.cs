// The tokens of one message to a value, or the reason why not in QEMU's words. Brackets may be unbalanced here: what
// is left over is dropped.
// Source: QEMU 7.2 qobject/json-parser.c.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace FastBackup.Native.Monitor.Json;

/// <summary>Threads: one. Depth: that of the nesting, which the caller has bounded.</summary>
sealed class JsonParser(byte[] text, List<JsonToken> tokens)
{
    int _next;

    /// <summary>The first thing that is wrong, or null.</summary>
    public string? Problem { get; private set; }

    /// <returns>The value, or null with <see cref="Problem"/>.</returns>
    public JsonValue? Parse() => ParseValue();

    ReadOnlySpan<byte> TextOf(JsonToken token) => text.AsSpan(token.Start, token.Length);

    bool TryPop(out JsonToken token)
    {
        token = _next < tokens.Count ? tokens[_next++] : default;
        return token.Length > 0;
    }

    TokenKind Peek() => _next < tokens.Count ? tokens[_next].Kind : TokenKind.Stray;

    JsonValue? Fail(string problem)
    {
        Problem ??= "JSON parse error, " + problem;
        return null;
    }

    JsonValue? ParseValue()
    {
        if (!TryPop(out JsonToken token))
            return Fail("premature EOI");
        return token.Kind switch
        {
            TokenKind.LeftBrace => ParseObject(),
            TokenKind.LeftSquare => ParseArray(),
            TokenKind.String => ParseString(token),
            TokenKind.Integer => ParseInteger(token),
            TokenKind.Float => ParseFloat(token),
            TokenKind.Keyword => ParseKeyword(token),
            _ => Fail("expecting value"),
        };
    }

    JsonValue? ParseObject()
    {
        List<KeyValuePair<string, JsonValue>> members = [];
        HashSet<string> names = [];
        if (Peek() == TokenKind.RightBrace)
        {
            _next++;
            return JsonValue.Of(members);
        }
        while (true)
        {
            if (!TryParsePair(members, names))
                return null;
            if (!TryPop(out JsonToken token))
                return Fail("premature EOI");
            if (token.Kind == TokenKind.RightBrace)
                return JsonValue.Of(members);
            if (token.Kind != TokenKind.Comma)
                return Fail("expected separator in dict");
        }
    }

    bool TryParsePair(List<KeyValuePair<string, JsonValue>> members, HashSet<string> names)
    {
        JsonValue? key = ParseValue();
        if (key == null)
            return false;
        if (key.Kind != JsonKind.String)
            return Fail("key is not a string in object") != null;
        if (!TryPop(out JsonToken colon))
            return Fail("premature EOI") != null;
        if (colon.Kind != TokenKind.Colon)
            return Fail("missing : in object pair") != null;
        JsonValue? value = ParseValue();
        if (value == null)
            return false;
        if (!names.Add(key.Text))
            return Fail("duplicate key") != null;
        members.Add(new(key.Text, value));
        return true;
    }

    JsonValue? ParseArray()
    {
        List<JsonValue> items = [];
        if (Peek() == TokenKind.RightSquare)
        {
            _next++;
            return JsonValue.Of(items);
        }
        while (true)
        {
            JsonValue? item = ParseValue();
            if (item == null)
                return null;
            items.Add(item);
            if (!TryPop(out JsonToken token))
                return Fail("premature EOI");
            if (token.Kind == TokenKind.RightSquare)
                return JsonValue.Of(items);
            if (token.Kind != TokenKind.Comma)
                return Fail("expected separator in list");
        }
    }

    JsonValue? ParseKeyword(JsonToken token)
    {
        string word = Utf8Text.Decode(TextOf(token));
        return word switch
        {
            "true" => JsonValue.Of(true),
            "false" => JsonValue.Of(false),
            "null" => JsonValue.Null,
            _ => Fail($"invalid keyword '{word}'"),
        };
    }

    JsonValue? ParseInteger(JsonToken token)
    {
        string digits = Encoding.ASCII.GetString(TextOf(token));
        if (long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value))
            return JsonValue.Of(value);
        return ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out ulong large)
            ? JsonValue.Of(large)
            : ParseFloat(token);
    }

    JsonValue ParseFloat(JsonToken token) =>
        JsonValue.Of(double.Parse(Encoding.ASCII.GetString(TextOf(token)), CultureInfo.InvariantCulture));

    JsonValue? ParseString(JsonToken token)
    {
        ReadOnlySpan<byte> inside = TextOf(token);
        StringBuilder value = new(inside.Length);
        for (int at = 1; at < inside.Length - 1; )
        {
            if (inside[at] == (byte)'\\')
            {
                if (!TryReadEscape(inside, ref at, value))
                    return null;
                continue;
            }
            int codePoint = Utf8Text.Read(inside[at..], out int length);
            if (codePoint == Utf8Text.Invalid)
                return Fail("invalid UTF-8 sequence in string");
            Utf8Text.Append(value, codePoint);
            at += length;
        }
        return JsonValue.Of(value.ToString());
    }

    bool TryReadEscape(ReadOnlySpan<byte> inside, ref int at, StringBuilder value)
    {
        int start = at++;
        char kind = (char)inside[at++];
        char simple = kind switch
        {
            '"' or '\'' or '\\' or '/' => kind,
            'b' => '\b',
            'f' => '\f',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            _ => '\0',
        };
        if (simple != '\0')
        {
            _ = value.Append(simple);
            return true;
        }
        if (kind != 'u')
            return Fail("invalid escape sequence in string") != null;
        int codePoint = ReadHex(inside, at);
        at += 4;
        if (codePoint is >= 0xD800 and <= 0xDBFF && at + 1 < inside.Length && inside[at..].StartsWith("\\u"u8))
        {
            int trailing = ReadHex(inside, at + 2);
            bool isPair = trailing is >= 0xDC00 and <= 0xDFFF;
            codePoint = isPair ? 0x10000 + ((codePoint & 0x3FF) << 10 | trailing & 0x3FF) : Utf8Text.Invalid;
            at += isPair ? 6 : 0;
        }
        if (!Utf8Text.IsCharacter(codePoint))
        {
            ReadOnlySpan<byte> wrong = inside[start..Math.Min(at, inside.Length)];
            return Fail($"{Utf8Text.Decode(wrong)} is not a valid Unicode character") != null;
        }
        Utf8Text.Append(value, codePoint);
        return true;
    }

    /// <returns>Four hexadecimal digits, or Invalid.</returns>
    static int ReadHex(ReadOnlySpan<byte> inside, int at)
    {
        int value = 0;
        for (int i = at; i < at + 4; i++)
        {
            if (i >= inside.Length || !char.IsAsciiHexDigit((char)inside[i]))
                return Utf8Text.Invalid;
            value = value << 4 | Convert.ToInt32(((char)inside[i]).ToString(), 16);
        }
        return value;
    }
}
