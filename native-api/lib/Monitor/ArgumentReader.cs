// Reads a command's arguments by their names, in the order of QEMU's schema. The first thing that is wrong stays, in
// QEMU's words; what is read after it is a default value. Last, End refuses what nobody asked for.
// Source: QEMU 7.2 qapi/qobject-input-visitor.c, qapi/qapi-visit-core.c.
using System;
using System.Collections.Generic;
using FastBackup.Native.Monitor.Json;

namespace FastBackup.Native.Monitor;

/// <summary>Threads: one.</summary>
sealed class ArgumentReader
{
    sealed class Outcome
    {
        public QmpError? Error;
    }

    readonly JsonValue _object;
    readonly string _prefix;
    readonly Outcome _outcome;
    readonly HashSet<string> _asked = [];

    ArgumentReader(JsonValue value, string prefix, Outcome outcome) =>
        (_object, _prefix, _outcome) = (value, prefix, outcome);

    /// <param name="value">An object.</param>
    public ArgumentReader(JsonValue value)
        : this(value, "", new Outcome()) { }

    /// <summary>The first problem of this object and of those inside it, or null.</summary>
    public QmpError? Error => _outcome.Error;

    public bool Has(string name) => _object.Find(name) != null;

    public string Text(string name) => OptionalText(name, isNeeded: true) ?? "";

    public string? OptionalText(string name, bool isNeeded = false) =>
        Take(name, isNeeded) is { } value && IsOf(value, JsonKind.String, name, "string") ? value.Text : null;

    public bool? Bool(string name) =>
        Take(name, isNeeded: false) is { } value && IsOf(value, JsonKind.Bool, name, "boolean") ? value.Bool : null;

    public long Integer(string name) => OptionalInteger(name, isNeeded: true) ?? 0;

    public long? OptionalInteger(string name, bool isNeeded = false) =>
        Take(name, isNeeded) is { } value && IsOf(value, JsonKind.Integer, name, "integer") ? value.Integer : null;

    /// <summary>An integer of 32 bits.</summary>
    public uint? UInt32(string name)
    {
        if (Take(name, isNeeded: false) is not { } value)
            return null;
        if (value.Kind is not (JsonKind.Integer or JsonKind.Unsigned))
            Fail($"Parameter '{Full(name)}' expects uint64");
        else if (value.Kind == JsonKind.Integer && value.Integer is >= 0 and <= uint.MaxValue)
            return (uint)value.Integer;
        Fail($"Parameter '{Full(name)}' expects uint32_t");
        return null;
    }

    /// <summary>One of some words.</summary>
    /// <returns>Its index, or null.</returns>
    public int? Word(string name, string[] words, bool isNeeded = false)
    {
        if (OptionalText(name, isNeeded) is not { } text)
            return null;
        int index = Array.IndexOf(words, text);
        if (index < 0)
            Fail($"Parameter '{name}' does not accept value '{text}'"); // QEMU names it without what it is in
        return index < 0 ? null : index;
    }

    public ArgumentReader? Object(string name, bool isNeeded = false)
    {
        if (Take(name, isNeeded) is not { } value || !IsOf(value, JsonKind.Object, name, "object"))
            return null;
        return new ArgumentReader(value, Full(name), _outcome);
    }

    /// <summary>A text, or an object.</summary>
    /// <param name="name">Of the member; must be there.</param>
    /// <param name="type">QEMU's name of the choice.</param>
    /// <param name="inside">For the object.</param>
    /// <returns>The text, or null.</returns>
    public string? TextOrObject(string name, string type, out ArgumentReader? inside)
    {
        inside = null;
        if (Take(name, isNeeded: true) is not { } value)
            return null;
        if (value.Kind == JsonKind.Object)
            inside = new ArgumentReader(value, Full(name), _outcome);
        else if (value.Kind != JsonKind.String)
            Fail($"Invalid parameter type for '{name}', expected: {type}");
        return value.Kind == JsonKind.String ? value.Text : null;
    }

    /// <summary>A list, each of whose items is an object.</summary>
    public List<ArgumentReader> Objects(string name)
    {
        List<ArgumentReader> readers = [];
        List<JsonValue> items = Items(name);
        for (int i = 0; i < items.Count; i++)
            if (IsOf(items[i], JsonKind.Object, $"{name}[{i}]", "object"))
                readers.Add(new ArgumentReader(items[i], Full($"{name}[{i}]"), _outcome));
        return readers;
    }

    /// <summary>A list, each of whose items is a text or an object.</summary>
    public List<(string? Text, ArgumentReader? Inside)> TextsOrObjects(string name, string type)
    {
        List<(string?, ArgumentReader?)> choices = [];
        List<JsonValue> items = Items(name);
        for (int i = 0; i < items.Count; i++)
            if (items[i].Kind == JsonKind.String)
                choices.Add((items[i].Text, null));
            else if (items[i].Kind == JsonKind.Object)
                choices.Add((null, new ArgumentReader(items[i], Full($"{name}[{i}]"), _outcome)));
            else
                Fail($"Invalid parameter type for 'null', expected: {type}");
        return choices;
    }

    public List<string> Texts(string name)
    {
        List<string> texts = [];
        if (!Has(name))
            return texts;
        List<JsonValue> items = Items(name);
        for (int i = 0; i < items.Count; i++)
            if (IsOf(items[i], JsonKind.String, $"{name}[{i}]", "string"))
                texts.Add(items[i].Text);
        return texts;
    }

    /// <summary>Everything was asked for: the rest is refused.</summary>
    /// <returns>The first problem, or null.</returns>
    public QmpError? End()
    {
        foreach ((string name, _) in _object.Members)
            if (!_asked.Contains(name))
                Fail($"Parameter '{Full(name)}' is unexpected");
        return Error;
    }

    public void Fail(string text) => _outcome.Error ??= QmpError.Generic(text);

    List<JsonValue> Items(string name) =>
        Take(name, isNeeded: true) is { } value && IsOf(value, JsonKind.Array, name, "array") ? value.Items : [];

    JsonValue? Take(string name, bool isNeeded)
    {
        _ = _asked.Add(name);
        JsonValue? value = _object.Find(name);
        if (value == null && isNeeded)
            Fail($"Parameter '{Full(name)}' is missing");
        return value;
    }

    bool IsOf(JsonValue value, JsonKind kind, string name, string type) => value.Kind == kind || Wrong(name, type);

    /// <returns>False.</returns>
    bool Wrong(string name, string type)
    {
        Fail($"Invalid parameter type for '{Full(name)}', expected: {type}");
        return false;
    }

    string Full(string name) => _prefix.Length == 0 ? name : _prefix + "." + name;
}
