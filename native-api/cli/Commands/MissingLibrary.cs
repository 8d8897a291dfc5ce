// What of this command needs a library that is not part of it: OpenSSL, for digests, encryption and TLS. Asked before
// anything is opened, since the runtime ends the process where it looks in vain.
using System;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Linq;
using FastBackup.Interop.Linux;

namespace FastBackup.Cli;

static class MissingLibrary
{
    static readonly string[] s_commands = ["track", "checkpoint", "repo", "run"];
    static readonly string[] s_options =
    [
        "--tracker",
        "--since",
        "--checkpoint",
        "--track",
        "--repo",
        "--tls-certificates",
    ];

    /// <returns>Null, or a sentence.</returns>
    public static string? Check(ParseResult parsed) =>
        Needs(parsed) is { } what && !OpenSsl.IsThere
            ? $"'{what}' needs OpenSSL, which is not on this machine; install it, on Debian the package libssl3"
            : null;

    static string? Needs(ParseResult parsed)
    {
        OptionResult[] given = [.. parsed.CommandResult.Children.OfType<OptionResult>().Where(one => !one.Implicit)];
        if (given.Any(one => one.Option.Name == "--help"))
            return null;
        for (SymbolResult? at = parsed.CommandResult; at is CommandResult command; at = at.Parent)
            if (s_commands.Contains(command.Command.Name))
                return command.Command.Name;
        return given.FirstOrDefault(one => s_options.Contains(one.Option.Name))?.Option.Name
            ?? parsed
                .Tokens.FirstOrDefault(one => one.Value.StartsWith("nbds", StringComparison.Ordinal))
                ?.Value.Split(':')[0];
    }
}
