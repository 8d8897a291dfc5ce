// What all commands about a repository have in common: password, output, signals, and who carries them out.
using System;
using System.CommandLine;

namespace FastBackup.Cli;

static class RepositoryAction
{
    /// <summary>Completes a command: what all have, and who carries it out.</summary>
    public static Command Complete(
        Command command,
        Argument<string> repository,
        Option<string?> password,
        Func<ParseResult, RepositoryWork, int> run
    ) => Complete(command, repository, password, (parsed, work, _) => run(parsed, work));

    /// <summary>The same, of one that waits for signals itself.</summary>
    public static Command Complete(
        Command command,
        Argument<string> repository,
        Option<string?> password,
        Func<ParseResult, RepositoryWork, Interruption, int> run
    )
    {
        command.Add(password);
        command.Add(CommonOptions.Json);
        command.Add(CommonOptions.Quiet);
        command.SetAction(parsed =>
        {
            RepositoryPlace place = new(parsed.GetRequiredValue(repository), parsed.GetValue(password));
            using Interruption interruption = new();
            using RepositoryWork work = new(place, CommonOptions.CreateOutput(parsed), interruption);
            return run(parsed, work, interruption);
        });
        return command;
    }
}
