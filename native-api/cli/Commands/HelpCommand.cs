// fastbackup help [COMMAND] and fastbackup version: what --help and --version say, for those who look for verbs.
using System.CommandLine;
using System.CommandLine.Completions;
using System.Linq;

namespace FastBackup.Cli;

static class HelpCommand
{
    /// <param name="root">Finished but for these two.</param>
    /// <param name="configuration">How the command line is parsed.</param>
    public static void AddTo(RootCommand root, ParserConfiguration configuration)
    {
        Argument<string?> name = new("COMMAND")
        {
            Description = "The command to explain; all of them when left out.",
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
        Command help = new("help", "Explain a command, or list them all: the same as --help.") { name };
        help.SetAction(parsed =>
            root.Parse(parsed.GetValue(name) is { } asked ? [asked, "--help"] : ["--help"], configuration).Invoke()
        );
        Command version = new("version", "Print the version: the same as --version.");
        version.SetAction(_ => root.Parse(["--version"], configuration).Invoke());
        root.Add(help);
        root.Add(version);
    }
}
