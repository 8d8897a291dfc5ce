// A command as a page of the reference: what --help tells of it, read from the same tree, for manual pages and shells.
// Takes what the parser has and adds nothing; what is hidden there is not here either.
using System;
using System.Collections.Generic;
using System.CommandLine;
using System.CommandLine.Completions;
using System.Globalization;
using System.Linq;

namespace FastBackup.Cli;

/// <param name="Words">What is typed to name it: fastbackup, repo, init.</param>
/// <param name="Description">One sentence or two.</param>
/// <param name="Values">Its arguments, in their order.</param>
/// <param name="Options">Its own, and those from above that it may be given.</param>
/// <param name="Commands">Those below it.</param>
/// <param name="Examples">Command lines, some with a remark in brackets.</param>
sealed record CommandPage(
    string[] Words,
    string Description,
    CommandValue[] Values,
    CommandOption[] Options,
    CommandPage[] Commands,
    string[] Examples
)
{
    /// <summary>The name of its manual page: fastbackup-repo.</summary>
    public string FileName => string.Join('-', Words);

    public string Line => string.Join(' ', Words);

    /// <summary>This one and all below, from the top.</summary>
    public IEnumerable<CommandPage> All => Commands.SelectMany(one => one.All).Prepend(this);

    /// <param name="root">Of the whole tree.</param>
    /// <param name="examples">Command lines, by command.</param>
    public static CommandPage Of(RootCommand root, IReadOnlyDictionary<Command, string[]> examples) =>
        Of(root, ["fastbackup"], [], examples);

    static CommandPage Of(
        Command command,
        string[] words,
        Option[] fromAbove,
        IReadOnlyDictionary<Command, string[]> examples
    )
    {
        Option[] options = [.. command.Options.Where(one => !one.Hidden), .. fromAbove];
        Option[] below = [.. options.Where(one => one.Recursive)];
        return new CommandPage(
            words,
            command.Description ?? "",
            [.. command.Arguments.Where(one => !one.Hidden).Select(Describe)],
            [.. options.Select(Describe)],
            [
                .. command
                    .Subcommands.Where(one => !one.Hidden)
                    .Select(one => Of(one, [.. words, one.Name], below, examples)),
            ],
            examples.GetValueOrDefault(command) ?? []
        );
    }

    static CommandValue Describe(Argument argument)
    {
        string name = argument.HelpName ?? argument.Name;
        IEnumerable<string> offered =
            argument.ValueType == typeof(string)
                ? argument.GetCompletions(CompletionContext.Empty).Select(one => one.Label)
                : [];
        return new CommandValue(
            name,
            argument.Description ?? "",
            argument.Arity.MinimumNumberOfValues == 0,
            argument.Arity.MaximumNumberOfValues > 1,
            ChoicesIn(name) is { Length: > 0 } choices ? choices : [.. offered]
        );
    }

    static CommandOption Describe(Option option)
    {
        string name = option.HelpName ?? option.Name.TrimStart('-').ToUpperInvariant();
        bool isFlag = option.Arity.MaximumNumberOfValues == 0 || option.ValueType == typeof(void);
        bool isRepeated = option.Arity.MaximumNumberOfValues > 1;
        return new CommandOption(
            [option.Name, .. option.Aliases.Where(one => one != option.Name && one != "-?")],
            option.Description ?? "",
            isFlag
                ? null
                : new CommandValue(name, "", option.Arity.MinimumNumberOfValues == 0, isRepeated, ChoicesIn(name)),
            !isFlag && option.HasDefaultValue
                ? Convert.ToString(option.GetDefaultValue(), CultureInfo.InvariantCulture)
                : null
        );
    }

    static string[] ChoicesIn(string name) => name.Contains('|', StringComparison.Ordinal) ? name.Split('|') : [];
}
