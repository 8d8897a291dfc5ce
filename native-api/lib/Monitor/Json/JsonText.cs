// Values to text, as QEMU writes it: one line, a blank behind each comma and colon, everything but ASCII escaped.
// Source: QEMU 7.2 qobject/qjson.c.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace FastBackup.Native.Monitor.Json;

static class JsonText
{
    /// <summary>The value with CR and LF behind it.</summary>
    public static byte[] Line(JsonValue value)
    {
        StringBuilder text = new(256);
        Write(text, value);
        return Encoding.ASCII.GetBytes(text.Append("\r\n").ToString());
    }

    static void Write(StringBuilder text, JsonValue value)
    {
        _ = value.Kind switch
        {
            JsonKind.Null => text.Append("null"),
            JsonKind.Bool => text.Append(value.Bool ? "true" : "false"),
            JsonKind.Integer => text.Append(value.Integer.ToString(CultureInfo.InvariantCulture)),
            JsonKind.Unsigned => text.Append(value.Unsigned.ToString(CultureInfo.InvariantCulture)),
            JsonKind.Float => text.Append(FloatText(value.Float)),
            JsonKind.String => WriteString(text, value.Text),
            JsonKind.Array => WriteArray(text, value.Items),
            _ => WriteObject(text, value.Members),
        };
    }

    /// <summary>An infinity can only have come as too large a number: it is written as one again.</summary>
    static string FloatText(double value) =>
        double.IsInfinity(value) ? (value > 0 ? "1e999" : "-1e999") : value.ToString("R", CultureInfo.InvariantCulture);

    static StringBuilder WriteArray(StringBuilder text, List<JsonValue> items)
    {
        string separator = "[";
        foreach (JsonValue item in items)
        {
            Write(text.Append(separator), item);
            separator = ", ";
        }
        return text.Append(items.Count == 0 ? "[]" : "]");
    }

    static StringBuilder WriteObject(StringBuilder text, List<KeyValuePair<string, JsonValue>> members)
    {
        string separator = "{";
        foreach ((string name, JsonValue value) in members)
        {
            _ = WriteString(text.Append(separator), name).Append(": ");
            Write(text, value);
            separator = ", ";
        }
        return text.Append(members.Count == 0 ? "{}" : "}");
    }

    static StringBuilder WriteString(StringBuilder text, string value)
    {
        _ = text.Append('"');
        foreach (char one in value)
            _ = one switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\b' => text.Append("\\b"),
                '\f' => text.Append("\\f"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                < ' ' or > '~' => text.Append("\\u").Append(((int)one).ToString("X4", CultureInfo.InvariantCulture)),
                _ => text.Append(one),
            };
        return text.Append('"');
    }
}
