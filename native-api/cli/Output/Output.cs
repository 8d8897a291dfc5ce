// Where words go: results to stdout, refusals and warnings to stderr as one sentence each. With --json
// stdout has only JSON, one object a line, and the sentences still go to stderr; --quiet silences progress
// and results, never errors.
using System;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using FastBackup.Base;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class Output(bool isJson, bool isQuiet)
{
    /// <summary>One on which a cursor can be moved. Colours are never used, whatever NO_COLOR says.</summary>
    public static bool IsTerminal =>
        !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");

    public bool IsJson => isJson;

    public bool IsQuiet => isQuiet;

    public IProgressView CreateView() =>
        isQuiet ? new SilentView()
        : isJson ? new JsonView(progress => Event(progress, JsonEvents.Readable.ProgressEvent))
        : IsTerminal ? new TerminalView(Console.Out)
        : new PlainView(Console.Out);

    /// <summary>A result for people, in lines that fit the terminal.</summary>
    public void Line(string text)
    {
        foreach (string line in IsTerminal ? WrappedText.Paragraphs(text, TerminalSize.Columns()) : [text])
            AsItIs(line);
    }

    /// <summary>What fits already, or is meant for programs as well.</summary>
    public void AsItIs(string text)
    {
        if (!isQuiet && !isJson)
            Console.Out.WriteLine(text);
    }

    /// <summary>A result for people, beside its name: in lines that fit the terminal.</summary>
    /// <param name="name">With what fills its column.</param>
    /// <param name="text">Words.</param>
    public void Entry(string name, string text)
    {
        int columns = IsTerminal ? TerminalSize.Columns() : int.MaxValue;
        foreach (string line in WrappedText.Lines(name, text, columns))
            AsItIs(line);
    }

    public void Error(string sentence, Fault fault = default)
    {
        sentence = NextStep.AddTo(sentence, fault);
        Complain("fastbackup: " + Phrases.OneLine(sentence));
        Message("error", sentence, fault);
    }

    public void Warning(string sentence)
    {
        if (!isQuiet)
            Complain("fastbackup: warning: " + Phrases.OneLine(sentence));
        Message("warning", sentence, default);
    }

    /// <summary>A warning that the result may not be what it is taken for: said in a quiet run, too.</summary>
    public void Doubt(string sentence)
    {
        Complain("fastbackup: warning: " + Phrases.OneLine(sentence));
        Message("warning", sentence, default);
    }

    /// <summary>One JSON object, when --json was given.</summary>
    public void Event<T>(T item, JsonTypeInfo<T> type)
    {
        if (isJson)
            Console.Out.WriteLine(JsonSerializer.Serialize(item, type));
    }

    /// <summary>One line, unless a terminal is too narrow for it.</summary>
    static void Complain(string sentence)
    {
        bool isRead = !Console.IsErrorRedirected && IsTerminal;
        foreach (string line in isRead ? WrappedText.Paragraphs(sentence, TerminalSize.Columns()) : [sentence])
            Console.Error.WriteLine(line);
    }

    void Message(string name, string sentence, Fault fault) =>
        Event(
            new MessageEvent(
                name,
                sentence,
                fault.Errno == 0 ? null : fault.Errno,
                fault.OffsetBytes == Fault.NoOffset || fault.IsNone ? null : fault.OffsetBytes
            ),
            JsonEvents.Readable.MessageEvent
        );
}
