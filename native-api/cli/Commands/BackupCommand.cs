// fastbackup backup SOURCE TARGET: the options, their rules, and the words at the end.
using System;
using System.CommandLine;
using System.CommandLine.Parsing;
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Pacing;
using FastBackup.Runtime;

namespace FastBackup.Cli;

static class BackupCommand
{
    const ulong ClusterBytesMin = 4 * Units.KiB;
    const ulong ClusterBytesMax = Units.GiB;

    /// <summary>No disk is near it: a larger number is a slip of the pen.</summary>
    const ulong SpeedMax = Units.TiB;

    static readonly BackupToRepository s_repository = new();
    static readonly ImageTargetOptions s_image = new();

    public static readonly string[] Examples =
    [
        "fastbackup backup disk.img backup.img",
        "fastbackup backup /dev/vg0/web backup.img --speed 200MiB",
        "fastbackup backup disk.img backup.img --force --json",
        "fastbackup backup backup.img /dev/vg0/web --force        (restore)",
        "fastbackup backup nbd://host/web backup.img",
        "fastbackup backup nbd://host/web backup.img --bitmap daily      (what is marked in it)",
        "fastbackup backup vm.qcow2 mon.qcow2 --backing sun.qcow2 --bitmap b0 --clear-bitmap b0",
        "fastbackup backup disk.img copy.img --tracker disk.img.track   (what has changed)",
        "fastbackup backup disk.img copy.img --tracker disk.img.track --since monday --checkpoint tuesday",
        "fastbackup backup disk.img inc1.qcow2 --backing full.qcow2 --tracker disk.img.track",
        "fastbackup backup disk.img --repo /backup/repo --tracker disk.img.track     (a point in time)",
    ];

    public static Command Create()
    {
        Argument<string> source = PathName.CreateDiskArgument(
            "SOURCE",
            "Disk image, block device or NBD URI to copy; only read."
        );
        Argument<string> target = PathName.CreateDiskArgument(
            "TARGET",
            "New file (written as TARGET.partial, renamed when whole), block device or NBD URI."
        );
        Option<BackupSync> sync = CreateSync();
        Option<ulong?> speed = SizeOption.Create("--speed", "At most so many bytes a second.", CheckSpeed);
        Option<GuestPriority?> guestPriority = GuestPriorityOption.Create();
        Option<ulong?> cluster = CreateCluster();
        Option<ulong?> memory = MemoryOption.Create("32MiB by default (64MiB into a repository)");
        (Option<bool> force, Option<bool> resume) = CreateReplacing();
        Option<string?> record = CreateRecordOption();
        Option<string?> tracker = TrackCommand.CreateTrackerOption(
            "Tracker of SOURCE: into a TARGET that exists, the last copy, goes only what has changed since."
        );
        (Option<string?> since, Option<string?> checkpoint) = CreatePoints();
        Option<string?> bitmap = CreateBitmapOption([tracker, sync, resume, record, force]);
        Option<string?> cleared = CreateClearOption(bitmap, [tracker, resume], sync);
        Option<uint?> reconnect = ReconnectOption.Create();
        Command command = new("backup", "Copy a disk to a file or another disk, or into a repository.")
        {
            source,
            target,
            sync,
            speed,
            guestPriority,
            cluster,
            memory,
            force,
            resume,
            record,
            tracker,
            since,
            checkpoint,
            bitmap,
            cleared,
            reconnect,
            CommonOptions.IgnoreLocks,
            CommonOptions.Format,
            CommonOptions.Json,
            CommonOptions.Quiet,
        };
        command.Validators.Add(result => CheckPoints(result, tracker, [since, checkpoint], resume));
        s_image.AddTo(command, target, sync, [tracker, bitmap], cluster);
        Option[] others =
        [
            sync,
            speed,
            guestPriority,
            cluster,
            force,
            resume,
            record,
            since,
            checkpoint,
            bitmap,
            cleared,
            reconnect,
        ];
        s_repository.AddTo(command, source, target, tracker, [.. others, .. s_image.All]);
        command.SetAction(parsed =>
            s_repository.IsMeant(parsed)
                ? s_repository.Run(parsed, source, target, tracker, memory)
                : Run(
                    new BackupRequest
                    {
                        Source = parsed.GetRequiredValue(source),
                        Target = parsed.GetRequiredValue(target),
                        Tracker = parsed.GetValue(tracker),
                        Since = parsed.GetValue(since),
                        Checkpoint = parsed.GetValue(checkpoint),
                        Bitmap = parsed.GetValue(bitmap),
                        ClearedBitmap = parsed.GetValue(cleared),
                        Remote = ReconnectOption.Options(parsed.GetValue(reconnect)),
                        Sync = parsed.GetValue(sync),
                        SpeedBytesPerSecond = parsed.GetValue(speed) ?? 0,
                        GuestPriority = parsed.GetValue(guestPriority) ?? GuestPriority.Balanced,
                        ClusterBytes = (uint)(parsed.GetValue(cluster) ?? FilterOptions.ClusterBytesDefault),
                        MemoryBytes = parsed.GetValue(memory) ?? MemoryOption.BytesDefault(MemoryOption.CopyBytes),
                        UsualMemoryBytes = parsed.GetValue(memory) == null ? MemoryOption.CopyBytes : null,
                        IsForced = parsed.GetValue(force),
                        IsResumed = parsed.GetValue(resume),
                        Record = parsed.GetValue(record),
                        IsLockIgnored = parsed.GetValue(CommonOptions.IgnoreLocks),
                        Format = parsed.GetValue(CommonOptions.Format),
                        Image = s_image.Read(parsed, target),
                    },
                    CommonOptions.CreateOutput(parsed)
                )
        );
        return command;
    }

    /// <summary>Checkpoints are a tracker's.</summary>
    static void CheckPoints(CommandResult result, Option tracker, Option[] points, Option resume)
    {
        if (result.GetResult(tracker) == null)
            foreach (Option point in points)
                if (result.GetResult(point) != null)
                {
                    result.AddError($"{point.Name} is about a tracker's checkpoints: give --tracker, too");
                    break;
                }
        if (result.GetResult(resume) != null && result.GetResult(points[0]) != null)
            result.AddError("--resume goes on with a full copy: leave --since out");
    }

    static (Option<string?> Since, Option<string?> Checkpoint) CreatePoints() =>
        (
            CheckpointCommand.CreateOption("--since", "With --tracker: TARGET is the copy of this checkpoint."),
            CheckpointCommand.CreateOption(
                "--checkpoint",
                "With --tracker: makes this checkpoint when the copy is whole."
            )
        );

    static Option<string?> CreateRecordOption()
    {
        Option<string?> option = new("--record")
        {
            Description = "Onto a block device: keep in FILE what is left, so that --resume can go on.",
            HelpName = "FILE",
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && result.Tokens[0].Value.Length == 0)
                result.AddError("--record is empty; give the name of a file");
        });
        return option;
    }

    /// <param name="others">That make no sense beside it.</param>
    static Option<string?> CreateBitmapOption(Option[] others)
    {
        Option<string?> option = new("--bitmap")
        {
            Description = "Into TARGET, an earlier copy, goes only what this dirty bitmap of SOURCE marks.",
            HelpName = "NAME",
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && result.Tokens[0].Value.Length == 0)
                result.AddError(
                    "--bitmap is empty; give the name of a dirty bitmap of SOURCE, an image or a server's disk"
                );
            foreach (Option other in others)
                if (result.GetResult(other) is { Implicit: false })
                    result.AddError($"--bitmap completes an earlier copy by itself: leave {other.Name} out");
        });
        return option;
    }

    /// <summary>A copy of less than the bitmap marks does not make it begin anew.</summary>
    static Option<string?> CreateClearOption(Option<string?> bitmap, Option[] others, Option<BackupSync> sync)
    {
        Option<string?> option = new("--clear-bitmap")
        {
            Description = "This dirty bitmap of SOURCE, a qcow2 image, begins anew when the copy is whole.",
            HelpName = "NAME",
        };
        option.Validators.Add(result =>
        {
            string name = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
            if (name.Length == 0)
                result.AddError("--clear-bitmap is empty; give the name of a dirty bitmap of SOURCE");
            foreach (Option other in others)
                if (result.GetResult(other) is { Implicit: false })
                    result.AddError($"--clear-bitmap goes with a full copy or with --bitmap: leave {other.Name} out");
            if (result.GetResult(sync) != null && result.GetValue(sync) != BackupSync.Full)
                result.AddError("--clear-bitmap goes with a full copy or with --bitmap: leave --sync top out");
            if (result.GetResult(bitmap) is { Tokens: [{ Value: var copied }] } && copied != name)
                result.AddError(
                    $"--bitmap copies what '{copied}' marks: --clear-bitmap cannot clear '{name}' for that"
                );
        });
        return option;
    }

    static int Run(BackupRequest request, Output output)
    {
        string? sentence = MemoryOption.Check(request.MemoryBytes, request.ClusterBytes);
        if (sentence != null)
        {
            Console.Error.WriteLine("fastbackup: " + sentence + " or a smaller --cluster");
            return ExitCode.Usage;
        }
        using Interruption interruption = new();
        using BackupRun run = new(request, output, interruption);
        BackupResult result = run.Execute();
        if (result.Sentence != null)
            output.Error(result.Sentence, result.Fault);
        else
            output.Line(Describe(request, result));
        int exitCode = result.Status.ExitCode();
        WriteDone(request, result, output, exitCode);
        return exitCode;
    }

    /// <summary>Two lines: what was done and how fast, then where the bytes went.</summary>
    public static string Describe(BackupRequest request, BackupResult result) =>
        $"backup done: {ByteSize.Format(result.Progress.DoneBytes)} in {Phrases.Duration(result.Seconds)} "
        + $"({Phrases.Rate(result.BytesPerSecond)}), "
        + Phrases.Text($"{result.CpuSeconds:0.00} s of CPU\n")
        + $"  {ByteSize.Format(result.Progress.WrittenBytes)} written, "
        + $"{ByteSize.Format(result.SkippedBytes)} skipped as zero, flushed to '{request.Target}'";

    static void WriteDone(BackupRequest request, BackupResult result, Output output, int exitCode) =>
        output.Event(
            new BackupDoneEvent(
                "done",
                "backup",
                result.Status.Word(),
                exitCode,
                request.Source,
                request.Target,
                result.PartialPath,
                result.Progress.DoneBytes,
                result.Progress.TotalBytes,
                result.Progress.WrittenBytes,
                result.Progress.SkippedZeroBytes,
                result.Progress.WrittenZeroBytes,
                Math.Round(result.Seconds, 6),
                Math.Round(result.CpuSeconds, 6),
                Math.Round(result.BytesPerSecond)
            ),
            JsonEvents.Readable.BackupDoneEvent
        );

    static Option<ulong?> CreateCluster() =>
        SizeOption.Create("--cluster", "Unit of copying: a power of two, 4KiB..1GiB; 64KiB by default.", CheckCluster);

    static (Option<bool> Force, Option<bool> Resume) CreateReplacing() =>
        (
            FlagOption.Create(
                "--force",
                "Replace an existing TARGET or left-over TARGET.partial; overwrite a block device or remote disk."
            ),
            FlagOption.Create(
                "--resume",
                "Go on with the TARGET.partial of an interrupted run, if there is one; TARGET becomes SOURCE as of now."
            )
        );

    static Option<BackupSync> CreateSync() =>
        new("--sync")
        {
            Description = "full (default): everything. top: what is allocated; the rest of TARGET is left alone.",
            CustomParser = ParseSync,
            HelpName = "full|top",
        };

    static BackupSync ParseSync(ArgumentResult result)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        if (BackupWords.Sync.TryRead(text, out BackupSync sync) && sync is BackupSync.Full or BackupSync.Top)
            return sync;
        result.AddError($"--sync '{text}' is not known; it is 'full' or 'top'");
        return default;
    }

    static string? CheckSpeed(ulong bytesPerSecond) =>
        bytesPerSecond == 0 ? "is zero; give a size above zero, or leave --speed out for no limit"
        : bytesPerSecond > SpeedMax ? "is above 1TiB a second; leave --speed out for no limit"
        : null;

    static string? CheckCluster(ulong bytes) =>
        bytes == 0 ? "is zero; give a power of two of 4KiB or more"
        : bytes > ClusterBytesMax ? "is above the largest, 1GiB"
        : bytes < ClusterBytesMin ? "is below the smallest, 4KiB"
        : !Units.IsPowerOfTwo(bytes) ? "is not a power of two; give for example 64KiB or 128KiB"
        : null;
}
