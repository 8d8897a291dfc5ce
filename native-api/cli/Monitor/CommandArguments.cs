// key=value on the command line as the arguments of a monitor's command; a dot in a key leads into an object:
// x-perf.max-workers=4 is {"x-perf":{"max-workers":4}}.
//
//   key=value     JSON where it parses, else text; a size with a unit where the key takes bytes: speed=100MiB
//   key==text     text as it stands, also where it looks like a number or a word of JSON
//   key:=json     JSON; what is none is refused
//
// The guess of the first form is remembered: where the monitor wanted text, Hint says how to write it.
using System;
using System.Collections.Generic;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class CommandArguments
{
    /// <summary>Those of a monitor's arguments that are numbers of bytes, at any depth.</summary>
    static readonly string[] s_sizes =
    [
        "speed",
        "size",
        "granularity",
        "buf-size",
        "min-cluster-size",
        "max-chunk",
        "x-scratch-bytes",
        "x-capture-bytes",
    ];

    readonly List<(string Key, string Text)> _guesses = [];

    CommandArguments() { }

    public JsonObject Json { get; } = [];

    /// <param name="words">One argument each.</param>
    /// <param name="arguments">What they make; incomplete after an error.</param>
    /// <returns>Null, or what is wrong, as the end of a sentence.</returns>
    public static string? TryRead(IReadOnlyList<string> words, out CommandArguments arguments)
    {
        arguments = new CommandArguments();
        foreach (string word in words)
            if (arguments.Add(word) is { } wrong)
                return wrong;
        return null;
    }

    /// <param name="description">Of the monitor's error.</param>
    /// <returns>How to write the argument that it wanted as text, with a semicolon in front; or nothing.</returns>
    public string Hint(string description)
    {
        foreach ((string key, string text) in _guesses)
            if (description.Contains($"'{key}'") && description.EndsWith("expected: string"))
                return $"; write {key}=={text} to send it as text";
        return "";
    }

    string? Add(string word)
    {
        int equals = word.IndexOf('=');
        bool isJson = equals > 0 && word[equals - 1] == ':';
        bool isText = equals > 0 && word.AsSpan(equals).StartsWith("==");
        int keyEnd = isJson ? equals - 1 : equals;
        if (keyEnd <= 0)
            return $"'{word}' is not key=value";
        string key = word[..keyEnd];
        string text = word[(isText ? equals + 2 : equals + 1)..];
        JsonNode? value = JsonValue.Create(text);
        if (isJson && !TryParse(text, out value))
            return $"'{word}' has no JSON behind ':='; write {key}=={text} to send it as text";
        if (!isJson && !isText)
            value = Guess(key, text);
        return Put(word, key.Split('.'), value);
    }

    string? Put(string word, string[] path, JsonNode? value)
    {
        JsonObject inside = Json;
        for (int i = 0; i < path.Length - 1; i++)
        {
            inside[path[i]] ??= new JsonObject();
            if (inside[path[i]] is not JsonObject next)
                return $"'{word}' leads into '{path[i]}', which has a value already";
            inside = next;
        }
        return path[^1].Length > 0 && inside.TryAdd(path[^1], value)
            ? null
            : $"'{word}' gives a value twice, or to no key";
    }

    JsonNode? Guess(string key, string text)
    {
        if (TryParse(text, out JsonNode? value))
        {
            _guesses.Add((key, text));
            return value;
        }
        bool isSize = Array.IndexOf(s_sizes, key[(key.LastIndexOf('.') + 1)..]) >= 0;
        return isSize && ByteSize.TryParse(text, out ulong bytes) == null ? JsonValue.Create(bytes) : text;
    }

    static bool TryParse(string text, out JsonNode? value)
    {
        value = null;
        try
        {
            value = JsonNode.Parse(text);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
