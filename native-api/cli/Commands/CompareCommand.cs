// fastbackup compare A B: the verdict in words, as exit code and as JSON.
using System;
using System.CommandLine;
using FastBackup.Devices.Opening;

namespace FastBackup.Cli;

static class CompareCommand
{
    public static readonly string[] Examples =
    [
        "fastbackup compare disk.img backup.img",
        "fastbackup compare /dev/vg0/web backup.img --json",
    ];

    public static Command Create()
    {
        Argument<string> left = PathName.CreateDiskArgument("A", "Disk image, block device or NBD URI.");
        Argument<string> right = PathName.CreateDiskArgument("B", "Disk image, block device or NBD URI.");
        Option<uint?> reconnect = ReconnectOption.Create();
        Command command = new("compare", "Say whether two disks hold the same bytes, and where they first differ.")
        {
            left,
            right,
            reconnect,
            CommonOptions.IgnoreLocks,
            CommonOptions.Format,
            CommonOptions.Json,
            CommonOptions.Quiet,
        };
        command.SetAction(parsed =>
            Run(
                parsed.GetRequiredValue(left),
                parsed.GetRequiredValue(right),
                parsed.GetValue(CommonOptions.IgnoreLocks),
                parsed.GetValue(CommonOptions.Format),
                ReconnectOption.Options(parsed.GetValue(reconnect)),
                CommonOptions.CreateOutput(parsed)
            )
        );
        return command;
    }

    static int Run(
        string left,
        string right,
        bool isLockIgnored,
        FormatRule format,
        RemoteOpenOptions remote,
        Output output
    )
    {
        using Interruption interruption = new();
        CompareResult result = new CompareRun(
            left,
            right,
            isLockIgnored,
            format,
            remote,
            output,
            interruption
        ).Execute();
        if (result.Sentence != null)
            output.Error(result.Sentence, result.Fault);
        else
            output.Line(Describe(result));
        output.Event(
            new CompareDoneEvent(
                "done",
                "compare",
                result.Word,
                result.ExitCode,
                left,
                right,
                result.SourceBytes,
                result.TargetBytes,
                result.FirstDifference,
                result.Progress.DoneBytes,
                result.Progress.SkippedBytes ?? 0,
                Math.Round(result.Seconds, 6),
                Math.Round(result.CpuSeconds, 6),
                Math.Round(result.BytesPerSecond)
            ),
            JsonEvents.Readable.CompareDoneEvent
        );
        return result.ExitCode;
    }

    /// <summary>One line; begins with the verdict.</summary>
    public static string Describe(CompareResult result)
    {
        if (result.FirstDifference == null)
            return $"identical: {ByteSize.Format(result.Progress.DoneBytes)} in {Phrases.Duration(result.Seconds)} "
                + $"({Phrases.Rate(result.BytesPerSecond)}), "
                + $"{ByteSize.Format(result.Progress.SkippedBytes ?? 0)} of it holes in both";
        string sizes =
            result.SourceBytes == result.TargetBytes
                ? ""
                : Phrases.Text($"; sizes differ: {result.SourceBytes} and {result.TargetBytes} bytes");
        bool isCommonEqual = result.FirstDifference == Math.Min(result.SourceBytes, result.TargetBytes);
        return isCommonEqual
            ? Phrases.Text(
                $"different: one disk ends at offset {result.FirstDifference}, up to there they are the same"
            ) + sizes
            : Phrases.Text($"different: first at offset {result.FirstDifference}") + sizes;
    }
}
