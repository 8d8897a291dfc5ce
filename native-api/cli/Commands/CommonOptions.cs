// Options that mean the same for every command.
using System.CommandLine;

namespace FastBackup.Cli;

static class CommonOptions
{
    public static readonly Option<bool> Json = new("--json")
    {
        Description = "Write one JSON object per line to stdout; the last one has \"event\":\"done\".",
    };

    public static readonly Option<bool> Quiet = new("--quiet")
    {
        Description = "No progress and no result for people; errors still go to stderr.",
    };

    public static Output CreateOutput(ParseResult parsed) => new(parsed.GetValue(Json), parsed.GetValue(Quiet));
}
