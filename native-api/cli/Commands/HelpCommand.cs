// fastbackup help [COMMAND] and fastbackup version: what --help and --version say, for those who look for verbs.
using System.CommandLine;

namespace FastBackup.Cli;

static class HelpCommand
{
    /// <param name="root">Finished but for these two.</param>
    /// <param name="configuration">How the command line is parsed.</param>
    public static void AddTo(RootCommand root, ParserConfiguration configuration)
    {
        Argument<string?> name = CommandNameArgument.Create(root, "The command to explain; all of them when left out.");
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
