// Reads a command's arguments by their names, in the order of QEMU's schema. The first thing that is wrong stays, in
// QEMU's words; what is read after it is a default value. Last, End refuses what nobody asked for.
// A place in what the client said, and no more: it is read while the command is begun, not later.
// Source: QEMU 7.2 qapi/qobject-input-visitor.c, qapi/qapi-visit-core.c.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Native.Monitor.Json;

namespace FastBackup.Native.Monitor.Commands;

/// <summary>Threads: one.</summary>
readonly struct ArgumentReader
{
    sealed class Outcome
    {
        public QmpError? Error;
    }

    /// <summary>The items of a list, all of which must be objects; the first that is none ends it.</summary>
    public ref struct Items
    {
        readonly ArgumentReader _parent;
        readonly string _name;
        readonly int _end;
        int _next;
        int _index;

        internal Items(ArgumentReader parent, string name, int list)
        {
            (_parent, _name, Current) = (parent, name, parent);
            (_next, _end) = list == JsonDocument.NotFound ? (0, 0) : (list + 1, parent._document!.EndOf(list));
        }

        public ArgumentReader Current { get; private set; }

        public readonly Items GetEnumerator() => this;

        public bool MoveNext()
        {
            if (_next == _end)
                return false;
            int item = _next;
            _next = _parent._document!.EndOf(item);
            Current = new ArgumentReader(_parent._document, item, _parent._root, _parent._outcome);
            return _parent.IsOf(item, JsonKind.Object, _name, _index++, "object");
        }
    }

    const int Single = -1; // not an item of a list

    readonly JsonDocument? _document; // null: there are no arguments
    readonly int _node;
    readonly int _root;
    readonly Outcome _outcome;

    ArgumentReader(JsonDocument? document, int node, int root, Outcome outcome) =>
        (_document, _node, _root, _outcome) = (document, node, root, outcome);

    /// <param name="document">What the client said.</param>
    /// <param name="node">An object in it; or NotFound, for an empty one.</param>
    public ArgumentReader(JsonDocument document, int node)
        : this(node == JsonDocument.NotFound ? null : document, node, node, new Outcome()) { }

    /// <summary>The first problem of this object and of those inside it, or null.</summary>
    public QmpError? Error => _outcome.Error;

    public bool Has(string name) => Find(name) != JsonDocument.NotFound;

    public string Text(string name) => OptionalText(name, isNeeded: true) ?? "";

    public string? OptionalText(string name, bool isNeeded = false) =>
        TryTake(name, JsonKind.String, "string", isNeeded, out int value) ? _document!.TextOf(value) : null;

    public bool? Bool(string name) =>
        TryTake(name, JsonKind.Bool, "boolean", isNeeded: false, out int value) ? _document!.BoolOf(value) : null;

    public long Integer(string name) => OptionalInteger(name, isNeeded: true) ?? 0;

    public long? OptionalInteger(string name, bool isNeeded = false) =>
        TryTake(name, JsonKind.Integer, "integer", isNeeded, out int value) ? _document!.IntegerOf(value) : null;

    /// <summary>An integer of 32 bits.</summary>
    public uint? UInt32(string name)
    {
        int value = Take(name, isNeeded: false);
        if (value == JsonDocument.NotFound)
            return null;
        JsonKind kind = _document!.KindOf(value);
        if (kind is not (JsonKind.Integer or JsonKind.Unsigned))
            Fail($"Parameter '{Full(name)}' expects uint64");
        else if (kind == JsonKind.Integer && _document.IntegerOf(value) is >= 0 and <= uint.MaxValue and long number)
            return (uint)number;
        Fail($"Parameter '{Full(name)}' expects uint32_t");
        return null;
    }

    /// <summary>One of some words.</summary>
    /// <returns>Its index, or null.</returns>
    public int? Word(string name, string[] words, bool isNeeded = false)
    {
        if (!TryTake(name, JsonKind.String, "string", isNeeded, out int value))
            return null;
        for (int index = 0; index < words.Length; index++)
            if (_document!.IsNamed(value, words[index]))
                return index;
        string text = _document!.TextOf(value);
        Fail($"Parameter '{name}' does not accept value '{text}'"); // QEMU names it without what it is in
        return null;
    }

    /// <summary>One of the words of a table.</summary>
    public T? Word<T>(string name, WordTable<T> table, bool isNeeded = false)
        where T : struct, Enum => Word(name, table.Words, isNeeded) is { } index ? table.At(index) : null;

    public ArgumentReader? Object(string name, bool isNeeded = false) =>
        TryTake(name, JsonKind.Object, "object", isNeeded, out int value) ? Inside(value) : null;

    /// <summary>A text, or an object.</summary>
    /// <param name="name">Of the member; must be there.</param>
    /// <param name="type">QEMU's name of the choice.</param>
    /// <param name="inside">For the object.</param>
    /// <returns>The text, or null.</returns>
    public string? TextOrObject(string name, string type, out ArgumentReader? inside)
    {
        inside = null;
        int value = Take(name, isNeeded: true);
        if (value == JsonDocument.NotFound)
            return null;
        JsonKind kind = _document!.KindOf(value);
        if (kind == JsonKind.Object)
            inside = Inside(value);
        else if (kind != JsonKind.String)
            Fail($"Invalid parameter type for '{name}', expected: {type}");
        return kind == JsonKind.String ? _document.TextOf(value) : null;
    }

    /// <summary>A list, each of whose items is an object.</summary>
    public Items Objects(string name) => new(this, name, TakeList(name));

    /// <summary>A list, each of whose items is a text or an object.</summary>
    public List<(string? Text, ArgumentReader? Inside)> TextsOrObjects(string name, string type)
    {
        List<(string?, ArgumentReader?)> choices = [];
        int list = TakeList(name);
        for (int item = list + 1; list != JsonDocument.NotFound && item < _document!.EndOf(list); )
        {
            if (_document.KindOf(item) == JsonKind.String)
                choices.Add((_document.TextOf(item), null));
            else if (_document.KindOf(item) == JsonKind.Object)
                choices.Add((null, Inside(item)));
            else
                Fail($"Invalid parameter type for 'null', expected: {type}");
            item = _document.EndOf(item);
        }
        return choices;
    }

    public List<string> Texts(string name)
    {
        List<string> texts = [];
        int list = Has(name) ? TakeList(name) : JsonDocument.NotFound;
        for (int item = list + 1, index = 0; list != JsonDocument.NotFound && item < _document!.EndOf(list); index++)
        {
            if (IsOf(item, JsonKind.String, name, index, "string"))
                texts.Add(_document.TextOf(item));
            item = _document.EndOf(item);
        }
        return texts;
    }

    /// <summary>Everything was asked for: the rest is refused.</summary>
    /// <returns>The first problem, or null.</returns>
    public QmpError? End()
    {
        for (int key = _node + 1; _document != null && key < _document.EndOf(_node); key = _document.EndOf(key + 1))
            if (!_document.IsAsked(key))
                Fail($"Parameter '{Full(_document.TextOf(key))}' is unexpected");
        return Error;
    }

    public void Fail(string text) => _outcome.Error ??= QmpError.Generic(text);

    ArgumentReader Inside(int value) => new(_document, value, _root, _outcome);

    int Find(string name) => _document?.Find(_node, name) ?? JsonDocument.NotFound;

    int Take(string name, bool isNeeded)
    {
        int value = Find(name);
        if (value != JsonDocument.NotFound)
            _document!.Ask(value);
        else if (isNeeded)
            Fail($"Parameter '{Full(name)}' is missing");
        return value;
    }

    bool TryTake(string name, JsonKind kind, string type, bool isNeeded, out int value)
    {
        value = Take(name, isNeeded);
        return value != JsonDocument.NotFound && IsOf(value, kind, name, Single, type);
    }

    int TakeList(string name) =>
        TryTake(name, JsonKind.Array, "array", isNeeded: true, out int list) ? list : JsonDocument.NotFound;

    bool IsOf(int value, JsonKind kind, string name, int index, string type)
    {
        if (_document!.KindOf(value) == kind)
            return true;
        Fail($"Invalid parameter type for '{Full(index == Single ? name : $"{name}[{index}]")}', expected: {type}");
        return false;
    }

    string Full(string name)
    {
        string path = _document?.PathOf(_node, _root) ?? "";
        return path.Length == 0 ? name : path + "." + name;
    }
}
