// The whole command line as a tree, and what happens with one that does not parse: one sentence, exit code 2.
using System;
using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Linq;

namespace FastBackup.Cli;

static class CommandTree
{
    public static int Run(string[] arguments)
    {
        ParseResult parsed = Create().Parse(arguments);
        if (parsed.Errors.Count > 0)
            return Refuse(parsed);
        // Signals are Interruption's affair, not the parser's.
        InvocationConfiguration configuration = new()
        {
            ProcessTerminationTimeout = null,
            EnableDefaultExceptionHandler = false,
        };
        return parsed.Invoke(configuration);
    }

    static RootCommand Create()
    {
        Command backup = BackupCommand.Create();
        Command compare = CompareCommand.Create();
        Command demo = DemoCommand.Create();
        Command doctor = DoctorCommand.Create();
        Command ctl = CtlCommand.Create();
        Command top = TopCommand.Create();
        RootCommand root = new("Fast backups of disks: images and block devices, holes kept, verified by compare.")
        {
            backup,
            compare,
            demo,
            doctor,
            ctl,
            top,
        };
        CommandExamples.Attach(
            root,
            new()
            {
                [root] = [DemoCommand.Examples[0], BackupCommand.Examples[0], CompareCommand.Examples[0]],
                [backup] = BackupCommand.Examples,
                [compare] = CompareCommand.Examples,
                [demo] = DemoCommand.Examples,
                [doctor] = DoctorCommand.Examples,
                [ctl] = CtlCommand.Examples,
                [top] = TopCommand.Examples,
            }
        );
        return root;
    }

    static int Refuse(ParseResult parsed)
    {
        CommandResult command = parsed.CommandResult;
        string name = command.Command is RootCommand ? "fastbackup" : "fastbackup " + command.Command.Name;
        Console.Error.WriteLine($"fastbackup: {Explain(parsed)}; see '{name} --help'");
        return ExitCode.Usage;
    }

    static string Explain(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        string names = string.Join(", ", command.Subcommands.Select(one => one.Name));
        // A value that an option refused comes first: it is what the person meant to say.
        foreach (ParseError error in parsed.Errors)
            if (error.SymbolResult is OptionResult or ArgumentResult { Parent: OptionResult })
                return Sentence(error);
        foreach (string token in parsed.UnmatchedTokens)
            return token.StartsWith('-') ? $"option '{token}' is not known"
                : command is RootCommand ? $"command '{token}' is not known; the commands are {names}"
                : $"'{token}' is one argument too many";
        if (command is RootCommand)
            return $"no command was given; the commands are {names}";
        Argument? missing = command.Arguments.FirstOrDefault(one => parsed.GetResult(one)?.Tokens.Count is null or 0);
        return missing != null ? $"{missing.Name} is missing" : Sentence(parsed.Errors[0]);
    }

    static string Sentence(ParseError error) => error.Message.TrimEnd('.', ' ').ReplaceLineEndings(" ");
}
