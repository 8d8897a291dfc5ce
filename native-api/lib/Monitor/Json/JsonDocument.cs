// What a client said, as it is read: its text, and one small structure a value beside it, in the order of the text. A
// name is the node before its value. A list or an object is followed by what is inside it, and knows where that ends.
//
//   {"a": [1, 2]}     0 object, ends at 5    1 name "a"    2 list, ends at 5    3 integer    4 integer
//
// Why no object a value: a command may have 65,536 tokens, and so many objects (or arrays for them that count as large
// ones) make the garbage collector stop every thread that comes into the library for 10 ms. This memory is none of
// the collector's, and is used again by the next message.
// Cost: 1 MiB of text, tokens and nodes for 65,536 each are reserved; pages are taken as they are used.
using System;
using System.Buffers.Text;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using FastBackup.Memory;

namespace FastBackup.Native.Monitor.Json;

/// <summary>Threads: one. What it says is valid until the next message is read into it.</summary>
/// <param name="textBytesMax">Of a message.</param>
/// <param name="tokensMax">Of a message.</param>
sealed class JsonDocument(uint textBytesMax, uint tokensMax) : IDisposable
{
    /// <summary>There is none.</summary>
    public const int NotFound = -1;

    /// <summary>The first node is what was said.</summary>
    public const int Root = 0;

    readonly NativeArray<byte> _text = new(textBytesMax, RegionResidency.Lazy);
    readonly NativeArray<JsonToken> _tokens = new(tokensMax, RegionResidency.Lazy);
    readonly NativeArray<JsonNode> _nodes = new(tokensMax, RegionResidency.Lazy);

    public Span<byte> Text => _text.AsSpan();

    public Span<JsonToken> Tokens => _tokens.AsSpan();

    public Span<JsonNode> Nodes => _nodes.AsSpan();

    public JsonKind KindOf(int node) => Nodes[node].Kind;

    /// <summary>The node behind this one and its insides: the next item of a list.</summary>
    public int EndOf(int node) => Nodes[node].End;

    public bool BoolOf(int node) => BytesOf(node).SequenceEqual("true"u8);

    public long IntegerOf(int node) => Utf8Parser.TryParse(BytesOf(node), out long value, out _) ? value : 0;

    public ulong UnsignedOf(int node) => Utf8Parser.TryParse(BytesOf(node), out ulong value, out _) ? value : 0;

    public double FloatOf(int node) => double.Parse(BytesOf(node), NumberStyles.Float, CultureInfo.InvariantCulture);

    public string TextOf(int node) => Encoding.UTF8.GetString(BytesOf(node));

    /// <param name="key">The name of a member.</param>
    /// <param name="name">ASCII.</param>
    public bool IsNamed(int key, string name) => Ascii.Equals(BytesOf(key), name);

    /// <summary>The value of a member, or NotFound.</summary>
    /// <param name="parent">An object.</param>
    /// <param name="name">ASCII.</param>
    public int Find(int parent, string name)
    {
        int end = EndOf(parent);
        for (int key = parent + 1; key < end; key = EndOf(key + 1))
            if (IsNamed(key, name))
                return key + 1;
        return NotFound;
    }

    /// <summary>The member of this value was asked for.</summary>
    public void Ask(int value) => Nodes[value - 1].IsAsked = true;

    public bool IsAsked(int key) => Nodes[key].IsAsked;

    /// <summary>Where a value is inside another: actions[3].data.</summary>
    public string PathOf(int node, int from)
    {
        StringBuilder path = new();
        for (int at = from; at != node; )
        {
            bool isObject = KindOf(at) == JsonKind.Object;
            int index = 0;
            at = isObject ? at + 2 : at + 1;
            for (; EndOf(at) <= node; index++)
                at = isObject ? EndOf(at) + 1 : EndOf(at);
            _ = isObject
                ? path.Append(path.Length == 0 ? "" : ".").Append(TextOf(at - 1))
                : path.Append(CultureInfo.InvariantCulture, $"[{index}]");
        }
        return path.ToString();
    }

    /// <summary>A copy that stays. Depth: that of the nesting.</summary>
    public JsonValue ToValue(int node)
    {
        switch (KindOf(node))
        {
            case JsonKind.Bool:
                return JsonValue.Of(BoolOf(node));
            case JsonKind.Integer:
                return JsonValue.Of(IntegerOf(node));
            case JsonKind.Unsigned:
                return JsonValue.Of(UnsignedOf(node));
            case JsonKind.Float:
                return JsonValue.Of(FloatOf(node));
            case JsonKind.String:
                return JsonValue.Of(TextOf(node));
            case JsonKind.Array:
                List<JsonValue> items = [];
                for (int item = node + 1; item < EndOf(node); item = EndOf(item))
                    items.Add(ToValue(item));
                return JsonValue.Of(items);
            case JsonKind.Object:
                List<KeyValuePair<string, JsonValue>> members = [];
                for (int key = node + 1; key < EndOf(node); key = EndOf(key + 1))
                    members.Add(new(TextOf(key), ToValue(key + 1)));
                return JsonValue.Of(members);
            default:
                return JsonValue.Null;
        }
    }

    public void Dispose()
    {
        _text.Dispose();
        _tokens.Dispose();
        _nodes.Dispose();
    }

    ReadOnlySpan<byte> BytesOf(int node) => Text.Slice(Nodes[node].Start, Nodes[node].Length);
}
