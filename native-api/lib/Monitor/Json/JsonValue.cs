// One JSON value: what a client said, or what it is answered. A tree of plain objects; members keep their order.
//
// Why not System.Text.Json: QMP's dialect is not JSON alone (single quotes, several values in a line, line ends inside
// a value, a stray character answered by its name and the rest of the line still read), and the library stays 0.5 MB
// smaller without it.
using System.Collections.Generic;

namespace FastBackup.Native.Monitor.Json;

/// <summary>Threads: any, once made.</summary>
sealed class JsonValue
{
    readonly long _bits; // of an integer, or 0 and 1 of a bool

    JsonValue(JsonKind kind, long bits = 0) => (Kind, _bits) = (kind, bits);

    public static JsonValue Null { get; } = new(JsonKind.Null);

    /// <summary>{}: what most commands return.</summary>
    public static JsonValue Empty { get; } = new(JsonKind.Object) { Members = [] };

    public JsonKind Kind { get; }

    public bool Bool => _bits != 0;

    public long Integer => _bits;

    public ulong Unsigned => (ulong)_bits;

    public double Float { get; private init; }

    public string Text { get; private init; } = "";

    public List<JsonValue> Items { get; private init; } = s_noItems;

    public List<KeyValuePair<string, JsonValue>> Members { get; private init; } = s_noMembers;

    static readonly List<JsonValue> s_noItems = [];
    static readonly List<KeyValuePair<string, JsonValue>> s_noMembers = [];

    public static JsonValue Of(bool value) => new(JsonKind.Bool, value ? 1 : 0);

    public static JsonValue Of(long value) => new(JsonKind.Integer, value);

    public static JsonValue Of(ulong value) =>
        new(value > long.MaxValue ? JsonKind.Unsigned : JsonKind.Integer, (long)value);

    public static JsonValue Of(double value) => new(JsonKind.Float) { Float = value };

    public static JsonValue Of(string value) => new(JsonKind.String) { Text = value };

    public static JsonValue Of(List<JsonValue> items) => new(JsonKind.Array) { Items = items };

    public static JsonValue Of(List<KeyValuePair<string, JsonValue>> members) =>
        new(JsonKind.Object) { Members = members };

    /// <summary>An object; members without a value are left out.</summary>
    public static JsonValue Object(params System.ReadOnlySpan<(string Name, JsonValue? Value)> members)
    {
        List<KeyValuePair<string, JsonValue>> kept = new(members.Length);
        foreach ((string name, JsonValue? value) in members)
            if (value != null)
                kept.Add(new(name, value));
        return Of(kept);
    }

    /// <summary>The member of a name, or null.</summary>
    public JsonValue? Find(string name)
    {
        foreach ((string key, JsonValue value) in Members)
            if (key == name)
                return value;
        return null;
    }
}
