// --guest-priority: who comes first when a backup and guests want the same disk. Null when it is not given, because a
// default here would be shown by --help in the spelling of the code.
using System.CommandLine;
using System.CommandLine.Parsing;
using FastBackup.Pacing;

namespace FastBackup.Cli;

static class GuestPriorityOption
{
    public static Option<GuestPriority?> Create() =>
        new("--guest-priority")
        {
            Description =
                "balanced (default): guests on the disk keep nearly their latency. strict: even at the cost of speed. "
                + "off: the backup takes what it can.",
            CustomParser = Parse,
            HelpName = "strict|balanced|off",
        };

    static GuestPriority? Parse(ArgumentResult result)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        if (GuestPriorityWords.Table.TryRead(text, out GuestPriority priority))
            return priority;
        result.AddError($"--guest-priority '{text}' is not known; it is 'strict', 'balanced' or 'off'");
        return null;
    }
}
