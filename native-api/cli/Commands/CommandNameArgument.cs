// COMMAND of commands that are about others: one of those of the root, or left out for all of them.
using System.CommandLine;
using System.CommandLine.Completions;
using System.Linq;

namespace FastBackup.Cli;

static class CommandNameArgument
{
    /// <param name="root">Commands that are added later count as well.</param>
    /// <param name="description">For its help.</param>
    public static Argument<string?> Create(RootCommand root, string description)
    {
        Argument<string?> name = new("COMMAND")
        {
            Description = description,
            Arity = ArgumentArity.ZeroOrOne,
            HelpName = "COMMAND", // not all that it may be
        };
        name.CompletionSources.Add(_ => root.Subcommands.Select(one => new CompletionItem(one.Name)));
        name.Validators.Add(result =>
        {
            string asked = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
            string[] names = [.. root.Subcommands.Select(one => one.Name)];
            if (asked.Length > 0 && !names.Contains(asked))
                result.AddError($"command '{asked}' is not known; the commands are {string.Join(", ", names)}");
        });
        return name;
    }
}
