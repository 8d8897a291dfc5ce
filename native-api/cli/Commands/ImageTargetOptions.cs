// The part of backup that is about the image that TARGET becomes: --target-format, and what goes with qcow2 only.
using System;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Formats.Qcow2;
using FastBackup.Jobs;

namespace FastBackup.Cli;

sealed class ImageTargetOptions
{
    /// <summary>Of the image: what is packed or based on another is written in whole ones.</summary>
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

    readonly Option<NewImagePacking?> _compress = new("--compress")
    {
        Description = "TARGET is a new qcow2 image of packed clusters; LEVEL 1, the fastest, to 19 (zlib 9).",
        CustomParser = ParsePacking,
        HelpName = "zstd|zlib[:LEVEL]",
    };

    readonly Option<ImagePreallocation> _preallocation = new("--preallocation")
    {
        Description = "TARGET is a new qcow2 image; metadata: all its clusters have a place, for a guest to write to.",
        CustomParser = ParsePreallocation,
        HelpName = "off|metadata",
    };

    /// <summary>That are about a target.</summary>
    public Option[] All => [_format, _backing, _backingFormat, _compress, _preallocation];

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
            bool isQcow2 =
                result.GetResult(target) is not { Tokens.Count: > 0 } given || IsQcow2(result, given.Tokens[0].Value);
            bool isPreallocated = result.ValueIfReadable(_preallocation) == ImagePreallocation.Metadata;
            foreach (Option option in (Option[])[_backing, _compress, _preallocation])
                if (result.GetResult(option) == null)
                    continue;
                else if (!isQcow2)
                    result.AddError($"{option.Name} is about a qcow2 image: give --target-format qcow2, too");
                else if (option == _preallocation)
                    continue;
                else if (isPreallocated)
                    result.AddError(
                        $"{option.Name} leaves clusters without a place of their own: leave --preallocation out"
                    );
                else if (result.ValueIfReadable(cluster) is < ClusterBytesMin)
                    result.AddError($"{option.Name} takes clusters of 64KiB at least: leave --cluster out");
            CheckBacking(result, sync, changes);
        });
    }

    void CheckBacking(CommandResult result, Option<BackupSync> sync, Option[] changes)
    {
        if (result.GetResult(_backing) is not { } backing)
        {
            if (result.GetResult(_backingFormat) != null)
                result.AddError("--backing-format is about the copy of --backing: give that, too");
            return;
        }
        if (backing.Tokens.Count == 1 && backing.Tokens[0].Value.Length == 0)
            result.AddError("--backing is empty; give the copy that TARGET is to be based on");
        bool isPart = result.ValueIfReadable(sync) == BackupSync.Top;
        foreach (Option option in changes)
            isPart |= result.GetResult(option) != null;
        if (!isPart)
            result.AddError("--backing takes what has changed: give --tracker, --bitmap or --sync top, too");
    }

    public ImageTarget? Read(ParseResult parsed, Argument<string> target) =>
        IsQcow2(parsed.CommandResult, parsed.GetRequiredValue(target))
            ? new ImageTarget
            {
                Backing = parsed.GetValue(_backing),
                BackingFormat = parsed.GetValue(_backingFormat),
                Packing = parsed.GetValue(_compress),
                IsPreallocated = parsed.GetValue(_preallocation) == ImagePreallocation.Metadata,
            }
            : null;

    bool IsQcow2(CommandResult result, string target) =>
        Qcow2Target.IsMeant(result.ValueIfReadable(_format), target, result.ValueIfReadable(CommonOptions.Format));

    static ImageFormat? ParseFormat(ArgumentResult result) =>
        Parse(result, "--target-format") ? ImageFormat.Qcow2 : ImageFormat.Raw;

    static FormatRule ParseBackingFormat(ArgumentResult result) =>
        Parse(result, "--backing-format") ? FormatRule.Qcow2 : FormatRule.Raw;

    static NewImagePacking? ParsePacking(ArgumentResult result)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string name = colon < 0 ? text : text[..colon];
        Qcow2Compression type = name == "zlib" ? Qcow2Compression.Zlib : Qcow2Compression.Zstd;
        if (name is not ("zlib" or "zstd"))
            result.AddError($"--compress '{text}' is not known; it is 'zstd' or 'zlib', and a level as in 'zstd:3'");
        int level = 1;
        int levelMax = NewImagePacking.LevelMax(type);
        bool isNumber =
            colon < 0
            || int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out level);
        if (name is "zlib" or "zstd" && (!isNumber || level < 1 || level > levelMax))
            result.AddError(Phrases.Text($"--compress '{text}' has no level of 1 to {levelMax}"));
        return new NewImagePacking(type, level);
    }

    static ImagePreallocation ParsePreallocation(ArgumentResult result)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        if (text is not ("off" or "metadata"))
            result.AddError($"--preallocation '{text}' is not there; it is 'off' or 'metadata'");
        return text == "metadata" ? ImagePreallocation.Metadata : ImagePreallocation.Off;
    }

    static bool Parse(ArgumentResult result, string name)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        if (text is not ("raw" or "qcow2"))
            result.AddError($"{name} '{text}' is not known; it is 'raw' or 'qcow2'");
        return text == "qcow2";
    }
}
