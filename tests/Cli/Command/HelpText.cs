// What --help says of a command, in its parts, for tests that hold other texts against it.
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using Xunit;

namespace FastBackup.Tests.Cli.Command;

/// <param name="Words">What names the command, without the program: none, backup, repo init.</param>
/// <param name="Entries">Arguments, options and commands, each with its description.</param>
/// <param name="Commands">The names of those below it.</param>
sealed partial record HelpText(string[] Words, (string Name, string Description)[] Entries, string[] Commands)
{
    public string[] Options =>
        [
            .. Entries
                .SelectMany(one => one.Name.Split(' ', ','))
                .Where(word => word.StartsWith("--", System.StringComparison.Ordinal)),
        ];

    /// <summary>Of every command, from the top.</summary>
    public static IEnumerable<HelpText> ReadAll(string workFolder, params string[] words)
    {
        HelpText help = Read(workFolder, words);
        return help.Commands.SelectMany(one => ReadAll(workFolder, [.. words, one])).Prepend(help);
    }

    static HelpText Read(string workFolder, string[] words)
    {
        string text = Programs.Fastbackup(workFolder, [.. words, "--help"]).Expect(0).Output;
        string list = text.Split("\nUsage:")[1].Split("\nExamples:")[0].Split("\nExit codes:")[0];
        (string, string)[] entries =
        [
            .. EntryPattern().Matches(list).Select(match => (match.Groups[1].Value, match.Groups[2].Value)),
        ];
        Assert.NotEmpty(entries);
        string commands = list.Contains("\nCommands:", System.StringComparison.Ordinal)
            ? list.Split("\nCommands:")[1]
            : "";
        return new HelpText(
            words,
            entries,
            [.. EntryPattern().Matches(commands).Select(match => match.Groups[1].Value.Split(' ')[0])]
        );
    }

    [GeneratedRegex(@"^  (\S.*?)  +(\S.*)$", RegexOptions.Multiline)]
    private static partial Regex EntryPattern();
}
