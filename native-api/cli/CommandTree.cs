// The whole command line as a tree, and what happens with one that does not parse: one sentence, exit code 2.
using System;
using System.Collections.Generic;
using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Linq;

namespace FastBackup.Cli;

static class CommandTree
{
    /// <summary>Names are names: a leading @ is no file of further arguments, a leading [ no directive.</summary>
    static readonly ParserConfiguration s_configuration = new()
    {
        ResponseFileTokenReplacer = null,
        EnablePosixBundling = false,
    };

    public static int Run(string[] arguments)
    {
        ParseResult parsed = Create([]).Parse(arguments, s_configuration);
        string? wrong =
            CommandLineWords.CheckBytes(arguments)
            ?? CommandLineWords.CheckOptions(parsed, arguments)
            ?? (parsed.Errors.Count > 0 ? Explain(parsed) : MissingParts.Check(parsed));
        if (wrong != null)
            return Refuse(parsed, wrong);
        if (MissingLibrary.Check(parsed) is { } missing)
        {
            Console.Error.WriteLine("fastbackup: " + missing);
            return ExitCode.OfFailure(arguments);
        }
        // Signals are Interruption's affair, not the parser's.
        InvocationConfiguration configuration = new()
        {
            ProcessTerminationTimeout = null,
            EnableDefaultExceptionHandler = false,
        };
        return parsed.Invoke(configuration);
    }

    /// <summary>The tree as pages of a reference.</summary>
    public static CommandPage Reference()
    {
        Dictionary<Command, string[]> examples = [];
        return CommandPage.Of(Create(examples), examples);
    }

    /// <param name="examples">Takes the command lines of each command.</param>
    static RootCommand Create(Dictionary<Command, string[]> examples)
    {
        Command backup = BackupCommand.Create();
        Command compare = CompareCommand.Create();
        Command demo = DemoCommand.Create();
        Command doctor = DoctorCommand.Create();
        Command ctl = CtlCommand.Create();
        Command top = TopCommand.Create();
        Command live = LiveBackupCommand.Create();
        Command serve = ServeCommand.Create();
        Command track = TrackCommand.Create();
        Command checkpoint = CheckpointCommand.Create();
        Command repo = RepoCommand.Create();
        Command run = RunCommand.Create();
        Command info = InfoCommand.Create();
        Command map = MapCommand.Create();
        Command check = CheckCommand.Create();
        RootCommand root = new("Fast backups of disks: images and block devices, holes kept, verified by compare.")
        {
            backup,
            compare,
            demo,
            doctor,
            ctl,
            top,
            live,
            serve,
            track,
            checkpoint,
            repo,
            run,
            info,
            map,
            check,
        };
        root.Directives.Clear();
        examples[root] = [DemoCommand.Examples[0], BackupCommand.Examples[0], CompareCommand.Examples[0]];
        examples[backup] = BackupCommand.Examples;
        examples[compare] = CompareCommand.Examples;
        examples[demo] = DemoCommand.Examples;
        examples[doctor] = DoctorCommand.Examples;
        examples[ctl] = CtlCommand.Examples;
        examples[top] = TopCommand.Examples;
        examples[live] = LiveBackupCommand.Examples;
        examples[serve] = ServeCommand.Examples;
        examples[track] = TrackCommand.Examples;
        examples[checkpoint] = CheckpointCommand.Examples;
        examples[repo] = RepoCommand.Examples;
        examples[run] = RunCommand.Examples;
        examples[info] = InfoCommand.Examples;
        examples[map] = MapCommand.Examples;
        examples[check] = CheckCommand.Examples;
        CompletionCommand.AddTo(root, examples);
        ManCommand.AddTo(root, examples);
        HelpCommand.AddTo(root, s_configuration);
        CommandExamples.Attach(root, examples);
        return root;
    }

    static int Refuse(ParseResult parsed, string wrong)
    {
        CommandResult command = parsed.CommandResult;
        string name = command.Command is RootCommand ? "fastbackup" : command.Command.Name;
        for (SymbolResult? above = command.Parent; above is CommandResult parent; above = above.Parent)
            name = (parent.Command is RootCommand ? "fastbackup" : parent.Command.Name) + " " + name;
        Console.Error.WriteLine($"fastbackup: {Phrases.OneLine(wrong)}; see '{name} --help'");
        return ExitCode.Usage;
    }

    static string Explain(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        string names = string.Join(", ", command.Subcommands.Select(one => one.Name));
        // A value that an option or an argument refused comes first: it is what the person meant to say.
        foreach (ParseError error in parsed.Errors)
            if (error.SymbolResult is OptionResult or ArgumentResult { Tokens.Count: > 0 })
                return Sentence(error);
        foreach (string token in parsed.UnmatchedTokens)
            return command.Subcommands.Count > 0
                ? $"command '{token}' is not known{Meant(token, command)}; the commands are {names}"
                : $"'{token}' is one argument too many";
        if (command.Subcommands.Count > 0)
            return $"no command was given; the commands are {names}";
        Argument? missing = command.Arguments.FirstOrDefault(one =>
            one.Arity.MinimumNumberOfValues > 0 && parsed.GetResult(one)?.Tokens.Count is null or 0
        );
        return missing != null ? $"{missing.Name} is missing" : Sentence(parsed.Errors[0]);
    }

    static string Meant(string word, Command command) =>
        Spelling.Nearest(word, command.Subcommands.Select(one => one.Name)) is { } near
            ? $" (did you mean '{near}'?)"
            : "";

    static string Sentence(ParseError error) => error.Message.TrimEnd('.', ' ').ReplaceLineEndings(" ");
}
