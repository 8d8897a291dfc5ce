// fastbackup demo: options only; DemoRun does the work.
using System;
using System.CommandLine;
using System.IO;
using FastBackup.Base;
using FastBackup.Pacing;
using FastBackup.Runtime;

namespace FastBackup.Cli;

static class DemoCommand
{
    const ulong SizeBytesDefault = Units.GiB;
    const ulong SizeBytesMin = Units.MiB;
    const ulong SizeBytesMax = 16 * Units.TiB;

    /// <summary>Below it guests without scratch space would wait longer than a guest's write may.</summary>
    const ulong TargetSpeedMin = 4 * Units.MiB;

    public static readonly string[] Examples =
    [
        "fastbackup demo",
        "fastbackup demo --size 256MiB --dir .",
        "fastbackup demo --target-speed 50MiB --memory 16MiB --scratch /var/tmp",
    ];

    public static Command Create()
    {
        Option<ulong?> size = SizeOption.Create("--size", "Size of the disk; 1GiB by default.", CheckSize);
        Option<string?> folder = new("--dir")
        {
            Description = "Where its files lie meanwhile; the system's folder for temporary files by default.",
            HelpName = "DIR",
        };
        folder.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && PathName.Check(result.Tokens[0].Value) is { } wrong)
                result.AddError("--dir " + wrong);
        });
        Option<GuestPriority?> guestPriority = GuestPriorityOption.Create();
        Option<ulong?> memory = MemoryOption.Create();
        Option<ScratchOption?> scratch = ScratchOption.Create();
        Option<ulong?> targetSpeed = SizeOption.Create(
            "--target-speed",
            "While guests write the target takes so many bytes a second (zeroes are free): do they feel it?",
            CheckTargetSpeed
        );
        Option<bool> force = FlagOption.Create("--force", "The block device of --scratch may be overwritten.");
        Command command = new("demo", "Make a disk, back it up, compare, show the figures, remove everything.")
        {
            size,
            folder,
            guestPriority,
            memory,
            scratch,
            targetSpeed,
            force,
            CommonOptions.Json,
            CommonOptions.Quiet,
        };
        command.SetAction(parsed =>
            Run(
                new DemoRequest
                {
                    SizeBytes = parsed.GetValue(size) ?? SizeBytesDefault,
                    ParentFolder = parsed.GetValue(folder) ?? Path.GetTempPath(),
                    GuestPriority = parsed.GetValue(guestPriority) ?? GuestPriority.Balanced,
                    MemoryBytes = parsed.GetValue(memory) ?? MemoryOption.BytesDefault(),
                    UsualMemoryBytes = parsed.GetValue(memory) == null ? Engine.BufferBytesUsual : null,
                    ScratchPath = parsed.GetValue(scratch)?.Path,
                    ScratchLimitBytes = parsed.GetValue(scratch)?.LimitBytes ?? ulong.MaxValue,
                    IsForced = parsed.GetValue(force),
                    TargetBytesPerSecond = parsed.GetValue(targetSpeed) ?? 0,
                },
                CommonOptions.CreateOutput(parsed)
            )
        );
        return command;
    }

    static int Run(DemoRequest request, Output output)
    {
        string? sentence = MemoryOption.Check(request.MemoryBytes, DemoRequest.ClusterBytes);
        if (sentence != null)
        {
            Console.Error.WriteLine("fastbackup: " + sentence);
            return ExitCode.Usage;
        }
        using Interruption interruption = new();
        return new DemoRun(request, output, interruption).Execute();
    }

    static string? CheckSize(ulong bytes) =>
        bytes < SizeBytesMin ? "is below the smallest, 1MiB"
        : bytes > SizeBytesMax ? "is above the largest, 16TiB"
        : null;

    static string? CheckTargetSpeed(ulong bytesPerSecond) =>
        bytesPerSecond < TargetSpeedMin ? "is below the smallest, 4MiB a second"
        : bytesPerSecond > Units.TiB ? "is above 1TiB a second; leave --target-speed out for no limit"
        : null;
}
