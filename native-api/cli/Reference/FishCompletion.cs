// Completion for fish: a line for each command and option, that holds where the words before it name its command.
// Source: complete(1) of fish.
using System;
using System.Linq;
using System.Text;

namespace FastBackup.Cli;

static class FishCompletion
{
    const string Head = """
        # fish completion of fastbackup, written by: fastbackup completion fish

        # The line begins with these words.
        function __fastbackup_at
            set -l line (commandline -opc)
            set -e line[1]
            test (count $line) -ge (count $argv); or return 1
            for i in (seq (count $argv))
                test "$line[$i]" = "$argv[$i]"; or return 1
            end
        end

        # The line has these words and no more before the cursor.
        function __fastbackup_after
            __fastbackup_at $argv; and test (count (commandline -opc)) -eq (math (count $argv) + 1)
        end

        complete -c fastbackup -f

        """;

    /// <param name="root">The whole tree.</param>
    public static string Write(CommandPage root)
    {
        StringBuilder text = new(Head);
        foreach (CommandPage page in root.All)
            Append(text, page);
        return text.ToString();
    }

    static void Append(StringBuilder text, CommandPage page)
    {
        string words = string.Concat(page.Words.Skip(1).Select(word => " " + word));
        string place = page.Commands.Length > 0 ? "after" : "at"; // options of a group stand before its commands
        string at = $"complete -c fastbackup -n '__fastbackup_{place}{words}'";
        foreach (CommandPage one in page.Commands)
            _ = text.Append($"complete -c fastbackup -n '__fastbackup_after{words}' -a {one.Words[^1]}")
                .Append($" -d {Quote(one.Description)}\n");
        foreach (CommandOption option in page.Options)
            _ = text.Append($"{at} -l {option.LongName[2..]}{Takes(option.Value)} -d {Quote(option.Description)}\n");
        foreach (CommandValue value in page.Values)
            if (Completes(value) is { Length: > 0 } how)
                _ = text.Append($"{at}{how}\n");
    }

    static string Takes(CommandValue? value) =>
        value == null ? ""
        : value.Kind is ValueKind.File or ValueKind.Folder ? " -r" + Completes(value)
        : " -x" + Completes(value);

    static string Completes(CommandValue value) =>
        value.Kind switch
        {
            ValueKind.Word => "",
            ValueKind.File => " -F",
            ValueKind.Folder => " -a '(__fish_complete_directories (commandline -ct))'",
            _ => $" -a {Quote(string.Join(' ', value.Choices))}",
        };

    static string Quote(string text) =>
        "'" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal) + "'";
}
