// A command as Markdown, from the same tree as --help and the manual pages.
using System;
using System.Linq;
using System.Text;
using FastBackup.Cli;

namespace FastBackup.Site;

static class CommandText
{
    /// <param name="page">fastbackup itself, or a command below it.</param>
    public static string Write(CommandPage page)
    {
        StringBuilder text = new($"# {page.Line}\n\n{Escape(page.Description)}\n\n```text\n{Synopsis(page)}\n```\n");
        if (page.Words.Length > 2)
            _ = text.Append($"\nOne of the commands of [{string.Join(' ', page.Words[..^1])}]({Above(page)}.html).\n");
        if (page.Values.Length > 0)
            _ = text.Append("\n## Arguments\n\n| argument | meaning |\n|---|---|\n");
        foreach (CommandValue value in page.Values)
            _ = text.Append($"| `{Cell(value.Name)}` | {Escape(value.Description)} |\n");
        _ = text.Append("\n## Options\n\n| option | meaning |\n|---|---|\n");
        foreach (CommandOption option in page.Options)
            Append(text, option);
        if (page.Commands.Length > 0)
            _ = text.Append("\n## Commands\n\n| command | what it does |\n|---|---|\n");
        foreach (CommandPage one in page.Commands)
            _ = text.Append($"| [`{one.Line}`]({one.FileName}.html) | {Escape(one.Description)} |\n");
        if (page.Examples.Length > 0)
            _ = text.Append($"\n## Examples\n\n```text\n{string.Join('\n', page.Examples)}\n```\n");
        _ = text.Append("\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
        foreach ((int code, string meaning) in ExitCode.Meanings)
            _ = text.Append(Phrases.Text($"| {code} | {meaning} |\n"));
        AppendNotes(text, "Environment", page, ManNotes.Environment);
        AppendNotes(text, "Files", page, ManNotes.Files);
        return text.ToString();
    }

    static void Append(StringBuilder text, CommandOption option)
    {
        string names = string.Join(", ", option.Names.Select(name => $"`{name}`"));
        string value = option.Value is { } taken ? $" `{Cell(taken.Name)}`" : "";
        string fallback = option.Default is { Length: > 0 } known ? $" Without it: `{Cell(known)}`." : "";
        _ = text.Append($"| {names}{value} | {Escape(option.Description)}{fallback} |\n");
    }

    static void AppendNotes(StringBuilder text, string title, CommandPage page, ManNote[] notes)
    {
        ManNote[] told = [.. notes.Where(note => note.IsAbout(page))];
        if (told.Length > 0)
            _ = text.Append($"\n## {title}\n\n| name | meaning |\n|---|---|\n");
        foreach (ManNote note in told)
            _ = text.Append($"| `{Cell(note.Name)}` | {Escape(note.Meaning)} |\n");
    }

    static string Above(CommandPage page) => string.Join('-', page.Words[..^1]);

    static string Synopsis(CommandPage page)
    {
        string values = string.Concat(page.Values.Select(value => " " + Place(value)));
        return page.Line + values + (page.Commands.Length > 0 ? " COMMAND" : "") + " [OPTIONS]";
    }

    static string Place(CommandValue value)
    {
        string name = value.Name + (value.IsRepeated ? " ..." : "");
        return value.IsOptional ? $"[{name}]" : name;
    }

    /// <summary>In a code span of a table.</summary>
    static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);

    static string Escape(string text) =>
        string.Concat(
            text.Select(letter =>
                @"\`*_{}[]<>#|&~".Contains(letter, StringComparison.Ordinal) ? "\\" + letter : $"{letter}"
            )
        );
}
