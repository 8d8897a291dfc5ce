// What query-qmp-schema returned, to be looked things up in, and values that it allows.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;

namespace FastBackup.Tests.Hosts.Monitor;

/// <summary>Threads: one.</summary>
sealed class SchemaPicture
{
    /// <param name="Name">Of the member.</param>
    /// <param name="Type">Name of its type.</param>
    /// <param name="IsNeeded">It may not be left out.</param>
    public readonly record struct Member(string Name, string Type, bool IsNeeded);

    const int DepthMax = 8;

    readonly Dictionary<string, JsonNode> _items;

    public SchemaPicture(JsonArray items) =>
        _items = items.ToDictionary(item => (string)item!["name"]!, item => item!.DeepClone());

    public IEnumerable<string> Names(string kind) =>
        _items.Where(item => Kind(item.Key) == kind).Select(item => item.Key);

    public bool Has(string name) => _items.ContainsKey(name);

    public string Kind(string name) => (string)_items[name]["meta-type"]!;

    public string Type(string name, string member) => (string)_items[name][member]!;

    public string[] Words(string name) => Texts(_items[name]["values"]!);

    public string[] Choices(string name) =>
        [.. _items[name]["members"]!.AsArray().Select(one => (string)one!["type"]!)];

    /// <summary>The member of an object that its variants depend on, or null.</summary>
    public string? Tag(string name) => (string?)_items[name]["tag"];

    public IEnumerable<(string Case, string Type)> Variants(string name) =>
        (_items[name]["variants"]?.AsArray() ?? []).Select(one => ((string)one!["case"]!, (string)one["type"]!));

    /// <summary>Members of an object, with those of a variant.</summary>
    public IEnumerable<Member> Members(string name, string? ofCase = null)
    {
        IEnumerable<Member> own = _items[name]["members"]!
            .AsArray()
            .Select(one => new Member(
                (string)one!["name"]!,
                (string)one["type"]!,
                !one.AsObject().ContainsKey("default")
            ));
        return Variants(name).Where(one => one.Case == ofCase).SelectMany(one => Members(one.Type)).Concat(own);
    }

    /// <summary>A value of a type with every member that it may have.</summary>
    public JsonNode? Sample(string type, string? ofCase = null, int depth = 0) =>
        Kind(type) switch
        {
            "enum" => Words(type)[0],
            "array" => new JsonArray(Sample(Type(type, "element-type"), null, depth + 1)),
            "alternate" => Choices(type).Contains("str") ? "x" : Sample(Choices(type)[0], null, depth + 1),
            "object" => SampleObject(type, ofCase, depth),
            _ => (string?)_items[type]["json-type"] switch
            {
                "int" => 4096,
                "boolean" => false,
                "string" => "x",
                _ => null,
            },
        };

    JsonObject SampleObject(string type, string? ofCase, int depth)
    {
        if (depth > DepthMax)
            throw new InvalidOperationException($"type {type} has no end");
        JsonObject made = [];
        string? tag = Tag(type);
        ofCase ??= tag == null ? null : Variants(type).First().Case;
        foreach (Member member in Members(type, ofCase))
            made[member.Name] = member.Name == tag ? ofCase : Sample(member.Type, null, depth + 1);
        return made;
    }

    static string[] Texts(JsonNode list) => [.. list.AsArray().Select(one => (string)one!)];
}
