// The part of backup that is about the image that TARGET becomes: --target-format, and what goes with qcow2 only.
using System.CommandLine;
using System.CommandLine.Parsing;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Jobs;

namespace FastBackup.Cli;

sealed class ImageTargetOptions
{
    /// <summary>What an image is based on is read in whole clusters of the image, and only by its readers.</summary>
    const ulong ClusterBytesMin = 64 * Units.KiB;

    readonly Option<ImageFormat?> _format = new("--target-format")
    {
        Description = "What TARGET becomes; without it qcow2 where TARGET ends in .qcow2, but for --format raw.",
        CustomParser = ParseFormat,
        HelpName = "raw|qcow2",
    };
    readonly Option<string?> _backing = new("--backing")
    {
        Description = "TARGET is a new qcow2 image of what has changed, based on this copy, which is only read.",
        HelpName = "COPY",
    };
    readonly Option<FormatRule> _backingFormat = new("--backing-format")
    {
        Description = "What the copy of --backing is taken for; without it what it looks like.",
        CustomParser = ParseBackingFormat,
        HelpName = "raw|qcow2",
    };

    /// <summary>That are about a target.</summary>
    public Option[] All => [_format, _backing, _backingFormat];

    /// <param name="command">That has a target.</param>
    /// <param name="target">Of it.</param>
    /// <param name="sync">What of the source is copied ...</param>
    /// <param name="changes">... or what else says so.</param>
    /// <param name="cluster">Of the copy.</param>
    public void AddTo(
        Command command,
        Argument<string> target,
        Option<BackupSync> sync,
        Option[] changes,
        Option<ulong?> cluster
    )
    {
        foreach (Option option in All)
            command.Add(option);
        command.Validators.Add(result =>
        {
            if (result.GetResult(_backing) is not { } backing)
            {
                if (result.GetResult(_backingFormat) != null)
                    result.AddError("--backing-format is about the copy of --backing: give that, too");
                return;
            }
            if (backing.Tokens.Count == 1 && backing.Tokens[0].Value.Length == 0)
                result.AddError("--backing is empty; give the copy that TARGET is to be based on");
            if (result.GetResult(target) is { Tokens.Count: > 0 } given && !IsQcow2(result, given.Tokens[0].Value))
                result.AddError("--backing is about a qcow2 image: give --target-format qcow2, too");
            bool isPart = result.ValueIfReadable(sync) == BackupSync.Top;
            foreach (Option option in changes)
                isPart |= result.GetResult(option) != null;
            if (!isPart)
                result.AddError("--backing takes what has changed: give --tracker, --bitmap or --sync top, too");
            if (result.ValueIfReadable(cluster) is < ClusterBytesMin)
                result.AddError("--backing takes clusters of 64KiB at least: leave --cluster out");
        });
    }

    public ImageTarget? Read(ParseResult parsed, Argument<string> target) =>
        IsQcow2(parsed.CommandResult, parsed.GetRequiredValue(target))
            ? new ImageTarget { Backing = parsed.GetValue(_backing), BackingFormat = parsed.GetValue(_backingFormat) }
            : null;

    bool IsQcow2(CommandResult result, string target) =>
        Qcow2Target.IsMeant(result.ValueIfReadable(_format), target, result.ValueIfReadable(CommonOptions.Format));

    static ImageFormat? ParseFormat(ArgumentResult result) =>
        Parse(result, "--target-format") ? ImageFormat.Qcow2 : ImageFormat.Raw;

    static FormatRule ParseBackingFormat(ArgumentResult result) =>
        Parse(result, "--backing-format") ? FormatRule.Qcow2 : FormatRule.Raw;

    static bool Parse(ArgumentResult result, string name)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        if (text is not ("raw" or "qcow2"))
            result.AddError($"{name} '{text}' is not known; it is 'raw' or 'qcow2'");
        return text == "qcow2";
    }
}
