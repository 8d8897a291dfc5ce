// Options that mean the same for every command.
using System.CommandLine;
using System.CommandLine.Parsing;
using FastBackup.Devices.Opening;

namespace FastBackup.Cli;

static class CommonOptions
{
    public static readonly Option<bool> Json = FlagOption.Create(
        "--json",
        "Write one JSON object per line to stdout; the last one has \"event\":\"done\"."
    );

    public static readonly Option<bool> Quiet = FlagOption.Create(
        "--quiet",
        "No progress and no result for people; errors, and doubts about the result, still go to stderr."
    );

    public static readonly Option<bool> IgnoreLocks = FlagOption.Create(
        "--ignore-locks",
        "Neither ask whether a disk is in use (locks, mounts, loop devices, swap) nor lock it."
    );

    public static readonly Option<FormatRule> Format = new("--format")
    {
        Description =
            "raw: images are raw, whatever they look like. qcow2: what looks so is qcow2, with all files it names.",
        HelpName = "raw|qcow2",
        CustomParser = ParseFormat,
    };

    public static Output CreateOutput(ParseResult parsed) => new(parsed.GetValue(Json), parsed.GetValue(Quiet));

    static FormatRule ParseFormat(ArgumentResult result)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        if (text is not ("raw" or "qcow2"))
            result.AddError($"--format '{text}' is not known; it is 'raw' or 'qcow2'");
        return text == "qcow2" ? FormatRule.Qcow2 : FormatRule.Raw;
    }
}
