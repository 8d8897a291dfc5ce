// --target-format: what the target of a backup becomes.
using System.CommandLine;
using System.CommandLine.Parsing;

namespace FastBackup.Cli;

static class TargetFormatOption
{
    public static Option<ImageFormat?> Create() =>
        new("--target-format")
        {
            Description = "What TARGET becomes; without it qcow2 where TARGET ends in .qcow2, but for --format raw.",
            CustomParser = Parse,
            HelpName = "raw|qcow2",
        };

    public static bool IsQcow2(ParseResult parsed, Option<ImageFormat?> option, Argument<string> target) =>
        Qcow2Target.IsMeant(
            parsed.GetValue(option),
            parsed.GetRequiredValue(target),
            parsed.GetValue(CommonOptions.Format)
        );

    static ImageFormat? Parse(ArgumentResult result)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        if (text is not ("raw" or "qcow2"))
            result.AddError($"--target-format '{text}' is not known; it is 'raw' or 'qcow2'");
        return text == "qcow2" ? ImageFormat.Qcow2 : ImageFormat.Raw;
    }
}
