// What this command does not have on Windows yet: what rests on unix sockets, and trackers. Said before anything is
// opened, by name; the rest is the same there.
using System;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Linq;

namespace FastBackup.Cli;

static class MissingParts
{
    static readonly string[] s_commands = ["ctl", "top", "live-backup", "track", "checkpoint", "repo"];
    static readonly string[] s_options =
    [
        "--socket",
        "--monitor",
        "--track",
        "--tracker",
        "--since",
        "--checkpoint",
        "--repo",
    ];

    /// <returns>Null, or what is asked for and missing here, as a sentence.</returns>
    public static string? Check(ParseResult parsed)
    {
        if (!OperatingSystem.IsWindows())
            return null;
        OptionResult[] given = [.. parsed.CommandResult.Children.OfType<OptionResult>().Where(one => !one.Implicit)];
        if (given.Any(one => one.Option.Name == "--help"))
            return null;
        for (SymbolResult? at = parsed.CommandResult; at is CommandResult command; at = at.Parent)
            if (s_commands.Contains(command.Command.Name))
                return $"'{command.Command.Name}' is not there on Windows yet";
        OptionResult? missing = given.FirstOrDefault(one => s_options.Contains(one.Option.Name));
        return missing == null ? null : $"{missing.Option.Name} is not there on Windows yet";
    }
}
