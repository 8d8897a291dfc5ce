// SchemaText as the list that query-qmp-schema returns: commands and events first, then each type that they lead to,
// once. A client looks a command up by its name and follows names of types; what the types are called is not for it.
// Made once, when first asked for.
// Source: QEMU 7.2 qapi/introspect.json, scripts/qapi/introspect.py.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Native.Monitor.Json;

namespace FastBackup.Native.Monitor.Schema;

/// <summary>Threads: any.</summary>
sealed class SchemaList
{
    const string NoMembers = "empty";

    static readonly Dictionary<string, string> s_builtins = new()
    {
        ["str"] = "string",
        ["int"] = "int",
        ["bool"] = "boolean",
        ["any"] = "value",
    };

    readonly List<JsonValue> _items = [];
    readonly HashSet<string> _known = [];
    readonly HashSet<string> _used = [NoMembers];

    SchemaList()
    {
        foreach (string line in WholeLines())
            Add(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        AddType(NoMembers, "object", ("members", JsonValue.Of(new List<JsonValue>())));
        foreach (string name in _used.Except(_known).ToArray())
            AddImplied(name);
        Check.That(_used.IsSubsetOf(_known));
    }

    public static JsonValue Value { get; } = JsonValue.Of(new SchemaList()._items);

    static IEnumerable<string> WholeLines()
    {
        string whole = "";
        foreach (string line in SchemaText.Lines.Split('\n'))
            if (line.StartsWith(' '))
            {
                whole += line;
            }
            else
            {
                if (whole.Length > 0)
                    yield return whole;
                whole = line;
            }
        yield return whole;
    }

    void Add(string[] words)
    {
        switch (words[0])
        {
            case "command":
                AddType(words[1], "command", ("arg-type", Behind(words, "<")), ("ret-type", Behind(words, ">")));
                break;
            case "event":
                AddType(words[1], "event", ("arg-type", Behind(words, "<")));
                break;
            case "enum":
                AddEnum(words[1], words[2..]);
                break;
            case "either":
                AddType(words[1], "alternate", ("members", List(words[2..], type => Typed(("type", Use(type))))));
                break;
            default:
                Check.That(words[0] == "object");
                AddObject(words[1], words[2..]);
                break;
        }
    }

    void AddEnum(string name, string[] values) =>
        AddType(
            name,
            "enum",
            ("members", List(values, value => Typed(("name", JsonValue.Of(value))))),
            ("values", List(values, JsonValue.Of))
        );

    void AddObject(string name, string[] words)
    {
        int bar = Array.IndexOf(words, "|");
        string[] members = bar < 0 ? words : words[..bar];
        string[] variants = bar < 0 ? [] : words[(bar + 2)..];
        AddType(
            name,
            "object",
            ("members", List(members, Member)),
            ("tag", bar < 0 ? null : JsonValue.Of(words[bar + 1])),
            ("variants", bar < 0 ? null : List(variants, Variant))
        );
    }

    JsonValue Member(string word)
    {
        string[] parts = word.Split(':');
        bool isOptional = parts[0].EndsWith('?');
        return Typed(
            ("name", JsonValue.Of(parts[0].TrimEnd('?'))),
            ("default", isOptional ? JsonValue.Null : null),
            ("type", Use(parts[1]))
        );
    }

    JsonValue Variant(string word)
    {
        string[] parts = word.Split('=');
        return Typed(("case", JsonValue.Of(parts[0])), ("type", Use(parts[1])));
    }

    JsonValue Behind(string[] words, string sign)
    {
        int at = Array.IndexOf(words, sign);
        return Use(at < 0 ? NoMembers : words[at + 1]);
    }

    JsonValue Use(string type)
    {
        _ = _used.Add(type);
        if (type.StartsWith('['))
            _ = _used.Add(type[1..^1]);
        return JsonValue.Of(type);
    }

    /// <summary>A list or a type of JSON itself: nobody has to write these down.</summary>
    void AddImplied(string name)
    {
        if (name.StartsWith('['))
            AddType(name, "array", ("element-type", JsonValue.Of(name[1..^1])));
        else if (s_builtins.TryGetValue(name, out string? json))
            AddType(name, "builtin", ("json-type", JsonValue.Of(json)));
    }

    void AddType(string name, string kind, params ReadOnlySpan<(string Name, JsonValue? Value)> more)
    {
        Check.That(_known.Add(name));
        _items.Add(
            JsonValue.Object([("name", JsonValue.Of(name)), ("meta-type", JsonValue.Of(kind)), .. more.ToArray()])
        );
    }

    static JsonValue Typed(params ReadOnlySpan<(string Name, JsonValue? Value)> members) => JsonValue.Object(members);

    static JsonValue List(string[] words, Func<string, JsonValue> of) =>
        JsonValue.Of([.. Array.ConvertAll(words, word => of(word))]);
}
