// One table of a configuration file while it is read: each key is asked for by its type, and what nobody asked for is
// wrong. Every problem is a sentence that begins with file and line.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Tomlyn.Syntax;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
/// <param name="file">As it was given.</param>
/// <param name="title">For sentences: "[keep]", or nothing for the top.</param>
/// <param name="line">Where it begins, from 1.</param>
/// <param name="problems">What is wrong is added.</param>
sealed class ConfigTable(string file, string title, int line, List<string> problems)
{
    readonly Dictionary<string, (ValueSyntax? Value, int Line)> _values = new(StringComparer.Ordinal);
    readonly HashSet<string> _known = new(StringComparer.Ordinal);

    public string Title => title;

    public void Add(KeyValueSyntax pair)
    {
        string key = NameOf(pair.Key);
        int at = LineOf(pair);
        if (!_values.TryAdd(key, (pair.Value, at)))
            Wrong(at, $"'{key}' is given twice; leave one");
    }

    public bool Has(string key)
    {
        _ = _known.Add(key);
        return _values.ContainsKey(key);
    }

    /// <returns>Null: not given, or wrong.</returns>
    /// <param name="key">Its name.</param>
    /// <param name="check">Says what is wrong with a text, as the end of a sentence; null: nothing.</param>
    public string? Text(string key, Func<string, string?>? check = null)
    {
        if (Find(key) is not { } found)
            return null;
        if (found.Value is not StringValueSyntax { Value: { } text })
            return Wrong<string>(found.Line, $"'{key}' is no text; write it in quotes");
        return check?.Invoke(text) is { } wrong ? Wrong<string>(found.Line, $"'{key}' '{text}' {wrong}") : text;
    }

    /// <summary>One that must be there.</summary>
    public string Needed(string key, Func<string, string?>? check = null)
    {
        if (!Has(key))
            Wrong(line, $"'{key}' is missing{(title.Length > 0 ? " in " + title : "")}");
        return Text(key, check) ?? "";
    }

    public ulong? Size(string key, Func<ulong, string?> check)
    {
        if (Find(key) is not { } found)
            return null;
        ulong bytes = 0;
        string? wrong = found.Value switch
        {
            StringValueSyntax { Value: { } text } => ByteSize.TryParse(text, out bytes),
            IntegerValueSyntax { Value: > 0 } number => Take(number.Value, out bytes),
            _ => "is no size; write for example \"1MiB\"",
        };
        wrong ??= check(bytes);
        return wrong == null ? bytes : Wrong<ulong?>(found.Line, $"'{key}' {Shown(found.Value)}{wrong}");
    }

    /// <summary>A number of 1 to most.</summary>
    public int? Count(string key, int most)
    {
        if (Find(key) is not { } found)
            return null;
        return found.Value is IntegerValueSyntax { Value: var count } && count >= 1 && count <= most
            ? (int)count
            : Wrong<int?>(found.Line, Phrases.Text($"'{key}' is no number of 1 to {most}"));
    }

    public string[]? Texts(string key, Func<string, string?>? check = null)
    {
        if (Find(key) is not { } found)
            return null;
        if (found.Value is not ArraySyntax array)
            return Wrong<string[]>(found.Line, $"'{key}' is no list of texts; write for example [\"a\", \"b\"]");
        List<string> texts = [];
        foreach (ArrayItemSyntax item in array.Items)
        {
            if (item.Value is not StringValueSyntax { Value: { } text })
                return Wrong<string[]>(LineOf(item), $"'{key}' has something in it that is no text");
            if (check?.Invoke(text) is { } wrong)
                return Wrong<string[]>(LineOf(item), $"'{key}' '{text}' {wrong}");
            texts.Add(text);
        }
        return [.. texts];
    }

    /// <summary>A program and its arguments: no shell reads them.</summary>
    public string[]? ProgramWords(string key)
    {
        string[]? words = Texts(key);
        return words is { Length: 0 } || words is ["", ..]
            ? Wrong<string[]>(_values[key].Line, $"'{key}' names no program; write [\"PROGRAM\", \"ARGUMENT\"]")
            : words;
    }

    /// <summary>What is wrong about a key that was given, beyond its value.</summary>
    public void Wrong(string key, string sentence) =>
        Wrong(_values.TryGetValue(key, out var found) ? found.Line : line, sentence);

    /// <summary>After all that is known was asked for.</summary>
    public void End()
    {
        foreach ((string key, (_, int at)) in _values.Where(one => !_known.Contains(one.Key)))
        {
            string near = Spelling.Nearest(key, _known) is { } meant ? $" (did you mean '{meant}'?)" : "";
            string where = title.Length > 0 ? " in " + title : "";
            Wrong(at, $"'{key}' is not known{where}{near}; known are {string.Join(", ", _known)}");
        }
    }

    public static string NameOf(KeySyntax? key) => key?.ToString().Trim() ?? "";

    public static int LineOf(SyntaxNodeBase node) => node.Span.Start.Line + 1;

    (ValueSyntax? Value, int Line)? Find(string key) => Has(key) ? _values[key] : null;

    static string? Take(long number, out ulong bytes)
    {
        bytes = (ulong)number;
        return null;
    }

    static string Shown(ValueSyntax? value) =>
        value is StringValueSyntax { Value: { } text } ? $"'{text}' "
        : value is IntegerValueSyntax number ? $"'{number.Value.ToString(CultureInfo.InvariantCulture)}' "
        : "";

    void Wrong(int at, string sentence) => problems.Add(Phrases.Text($"{file}:{at}: ") + sentence);

    T? Wrong<T>(int at, string sentence)
    {
        Wrong(at, sentence);
        return default;
    }
}
