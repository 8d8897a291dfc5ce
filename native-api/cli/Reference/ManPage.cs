// The manual page of a command in the man macros, from the same tree as --help; a command with commands below it has
// them on its page. The same input gives the same bytes: the date is the caller's. Source: man(7), man-pages(7).
using System;
using System.Linq;
using System.Text;

namespace FastBackup.Cli;

static class ManPage
{
    /// <param name="page">fastbackup itself, or a command of it.</param>
    /// <param name="root">The whole tree.</param>
    /// <param name="version">Of the program.</param>
    /// <param name="date">Of this version: 2026-01-31; empty where nobody says.</param>
    public static string Write(CommandPage page, CommandPage root, string version, string date)
    {
        StringBuilder text = new(".\\\" Written by: fastbackup man\n");
        string[] heading = [RoffText.Typed(page.FileName.ToUpperInvariant()), "1", date, "FastBackup " + version];
        Line(text, ".TH " + string.Join(' ', heading.Append("User Commands").Select(RoffText.Argument)));
        Line(text, ".nh");
        Section(text, "NAME");
        Line(text, $"{RoffText.Typed(page.FileName)} \\- {RoffText.Prose(Title(page.Description))}");
        Section(text, "SYNOPSIS");
        AppendSynopsis(text, page);
        Section(text, "DESCRIPTION");
        Line(text, RoffText.Prose(page.Description));
        if (page == root)
            AppendFirstSteps(text);
        AppendParts(text, page);
        if (page.Commands.Length > 0)
            AppendCommands(text, page, isRoot: page == root);
        AppendExitCodes(text);
        AppendNotes(text, "ENVIRONMENT", page, ManNotes.Environment);
        AppendNotes(text, "FILES", page, ManNotes.Files);
        AppendExamples(text, page);
        AppendSeeAlso(text, page, root);
        return text.ToString();
    }

    static void AppendFirstSteps(StringBuilder text)
    {
        Line(text, ".PP");
        Line(text, "Sizes are written 4096, 64KiB, 64K, 1.5GiB or 200MB: KB, MB and GB are powers of 1000, the others");
        Line(
            text,
            "of 1024. A word that begins with \\- is an option; a file of such a name is ./\\-x, or stands after"
        );
        Line(text, "\\-\\-. Whatever is wrong is said in one sentence on stderr, which says what to do next, too.");
        Line(text, ".B fastbackup doctor");
        Line(text, "shows what this machine offers and what is in the way.");
    }

    static void AppendSynopsis(StringBuilder text, CommandPage page)
    {
        CommandPage[] lines = page.Words.Length > 1 && page.Commands.Length > 0 ? page.Commands : [page];
        foreach ((int index, CommandPage one) in lines.Index())
        {
            if (index > 0)
                Line(text, ".br");
            Line(text, $".B {RoffText.Typed(one.Line)}");
            Line(
                text,
                string.Join(' ', one.Values.Select(Place).Append(one.Commands.Length > 0 ? Words(one) : Options))
            );
        }
    }

    const string Options = "[\\fIoptions\\fR]";

    static string Words(CommandPage page) => page.Words.Length == 1 ? "\\fIcommand\\fR " + Options : "\\fIcommand\\fR";

    static string Place(CommandValue value)
    {
        string name = $"\\fI{RoffText.Typed(value.Name)}\\fR" + (value.IsRepeated ? " ..." : "");
        return value.IsOptional ? $"[{name}]" : name;
    }

    static void AppendParts(StringBuilder text, CommandPage page)
    {
        if (page.Values.Length > 0)
            Section(text, "ARGUMENTS");
        AppendValues(text, page);
        Section(text, "OPTIONS");
        AppendOptions(text, page);
    }

    static void AppendValues(StringBuilder text, CommandPage page)
    {
        foreach (CommandValue value in page.Values)
            Entry(text, $"\\fI{RoffText.Typed(value.Name)}\\fR", value.Description);
    }

    static void AppendOptions(StringBuilder text, CommandPage page)
    {
        foreach (CommandOption option in page.Options.Where(one => page.Words.Length < 3 || one.LongName != "--help"))
        {
            string names = string.Join(", ", option.Names.Select(name => $"\\fB{RoffText.Typed(name)}\\fR"));
            string value = option.Value is { } taken ? $" \\fI{RoffText.Typed(taken.Name)}\\fR" : "";
            string fallback = option.Default is { Length: > 0 } known ? $" [default: {known}]" : "";
            Entry(text, names + value, option.Description + fallback);
        }
    }

    static void AppendCommands(StringBuilder text, CommandPage page, bool isRoot)
    {
        Section(text, "COMMANDS");
        foreach (CommandPage one in page.Commands)
        {
            if (isRoot)
            {
                Entry(text, $"\\fB{RoffText.Typed(one.FileName)}\\fR(1)", one.Description);
                continue;
            }
            Line(text, ".SS " + RoffText.Argument(RoffText.Typed(one.Line)));
            Line(text, RoffText.Prose(one.Description));
            AppendValues(text, one);
            AppendOptions(text, one);
        }
    }

    static void AppendExitCodes(StringBuilder text)
    {
        Section(text, "EXIT STATUS");
        foreach ((int code, string meaning) in ExitCode.Meanings)
            Entry(text, Phrases.Text($"\\fB{code}\\fR"), meaning);
    }

    static void AppendNotes(StringBuilder text, string section, CommandPage page, ManNote[] notes)
    {
        ManNote[] told = [.. notes.Where(note => note.IsAbout(page))];
        if (told.Length > 0)
            Section(text, section);
        foreach (ManNote note in told)
            Entry(text, $"\\fI{RoffText.Typed(note.Name)}\\fR", note.Meaning);
    }

    static void AppendExamples(StringBuilder text, CommandPage page)
    {
        if (page.Examples.Length == 0)
            return;
        Section(text, "EXAMPLES");
        Line(text, ".nf");
        foreach (string line in page.Examples)
            Line(text, RoffText.Typed(line));
        Line(text, ".fi");
    }

    static void AppendSeeAlso(StringBuilder text, CommandPage page, CommandPage root)
    {
        Section(text, "SEE ALSO");
        CommandPage[] others = page == root ? root.Commands : [root];
        Line(text, string.Join(",\n", others.Select(one => $".BR {RoffText.Typed(one.FileName)} (1)")));
    }

    /// <summary>As whatis(1) shows it: without the full stop.</summary>
    static string Title(string description) => description.TrimEnd('.');

    static void Section(StringBuilder text, string name) => Line(text, $".SH {RoffText.Argument(name)}");

    static void Entry(StringBuilder text, string what, string meaning)
    {
        Line(text, ".TP");
        Line(text, what);
        Line(text, RoffText.Prose(meaning));
    }

    static void Line(StringBuilder text, string line) => text.Append(line).Append('\n');
}
