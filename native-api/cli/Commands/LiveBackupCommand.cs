// fastbackup live-backup SOCKET TARGET...: the options, their rules, and the words at the end.
using System;
using System.Collections.Generic;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Linq;
using FastBackup.Base;
using FastBackup.Jobs;

namespace FastBackup.Cli;

static class LiveBackupCommand
{
    const ulong SpeedMax = Units.TiB;

    public static readonly string[] Examples =
    [
        "fastbackup live-backup /run/vm7.sock /backup/vm7/",
        "fastbackup live-backup /run/vm7.sock vda=/backup/system.img vdb=/backup/data.img --speed 200MiB",
        "fastbackup live-backup /run/vm7.sock /backup/ --freeze 'virsh domfsfreeze vm7' --thaw 'virsh domfsthaw vm7'",
    ];

    public static Command Create()
    {
        Argument<string> socket = PathName.CreateArgument("SOCKET", "Path of the monitor's socket of a running host.");
        Argument<string[]> targets = new("TARGET")
        {
            Description = "DISK=FILE for each disk, or one folder for all (DISK.img in it); made as FILE.partial.",
            Arity = ArgumentArity.OneOrMore,
        };
        targets.Validators.Add(CheckTargets);
        Option<string?> freeze = CreateHook("--freeze", "Freezes guests; it may take 5 s. Needs --thaw.");
        Option<string?> thaw = CreateHook("--thaw", "Thaws them, within 10 s from the freeze whatever happens.");
        Option<ulong?> speed = SizeOption.Create(
            "--speed",
            "At most so many bytes a second for each disk.",
            CheckSpeed
        );
        Option<string?> bitmap = new("--bitmap")
        {
            Description = "Adds a dirty bitmap to each disk from the same instant on, for later incremental backups.",
            HelpName = "NAME",
        };
        Option<uint?> warm = NumberOption.Create(
            "--warm",
            "MS",
            $"How long the host looks at what guests write before the instant, 0 to {WarmUp.MsMax} ms; 0: not at all. "
                + "Left out: up to 200 ms, where it pays. Not for QEMU's hosts.",
            WarmUp.MsMax,
            $"a number of ms from 0 to {WarmUp.MsMax}; give for example 200"
        );
        Option<bool> force = FlagOption.Create("--force", "Replace files and left-over .partial ones.");
        Command command = new("live-backup", "Back up all disks of a running host at one instant, over its monitor.")
        {
            socket,
            targets,
            freeze,
            thaw,
            speed,
            bitmap,
            warm,
            force,
            CommonOptions.IgnoreLocks,
            CommonOptions.Format,
            CommonOptions.Json,
            CommonOptions.Quiet,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(freeze) is null != result.GetValue(thaw) is null)
                result.AddError("--freeze and --thaw belong together; give both or neither");
        });
        command.SetAction(parsed =>
            Run(
                new LiveBackupRequest
                {
                    Socket = parsed.GetRequiredValue(socket),
                    Targets = parsed.GetRequiredValue(targets),
                    IsForced = parsed.GetValue(force),
                    IsLockIgnored = parsed.GetValue(CommonOptions.IgnoreLocks),
                    Format = parsed.GetValue(CommonOptions.Format),
                    SpeedBytesPerSecond = parsed.GetValue(speed) ?? 0,
                    Bitmap = parsed.GetValue(bitmap),
                    WarmMs = parsed.GetValue(warm),
                    Freeze = parsed.GetValue(freeze),
                    Thaw = parsed.GetValue(thaw),
                },
                CommonOptions.CreateOutput(parsed)
            )
        );
        return command;
    }

    static int Run(LiveBackupRequest request, Output output)
    {
        using Interruption interruption = new();
        using LiveBackupRun run = new(request, output, interruption);
        LiveBackupResult result = run.Execute();
        if (result.Sentence != null)
            output.Error(result.Sentence);
        else
            output.Line(Describe(result));
        int exitCode = result.Status.ExitCode();
        output.Event(
            new LiveBackupDoneEvent(
                "done",
                "live-backup",
                result.Status.Word(),
                exitCode,
                [.. result.Disks.Select(disk => disk.Picture())],
                result.DoneBytes,
                result.TotalBytes,
                Math.Round(result.Seconds, 6),
                result.FrozenSeconds is { } frozen ? Math.Round(frozen, 3) : null
            ),
            JsonEvents.Readable.LiveBackupDoneEvent
        );
        return exitCode;
    }

    static string Describe(LiveBackupResult result)
    {
        string disks = Phrases.Number(result.Disks.Count, "disk");
        string text =
            $"live-backup done: {disks}, {ByteSize.Format(result.TotalBytes)} in {Phrases.Duration(result.Seconds)} "
            + $"({Phrases.Rate(result.TotalBytes / Math.Max(result.Seconds, 1e-9))})";
        if (result.FrozenSeconds is { } frozen)
            text += Phrases.Text($", guests frozen for {frozen:0.00} s at most");
        foreach (LiveDisk disk in result.Disks)
            text +=
                $"\n  {disk.Name}: {ByteSize.Format(disk.SizeBytes)}, {
                ByteSize.Format(disk.SkippedBytes)} skipped as zero, flushed to '{disk.Target}'";
        return text;
    }

    static Option<string?> CreateHook(string name, string description)
    {
        Option<string?> hook = new(name) { Description = description, HelpName = "COMMAND" };
        hook.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: "" }])
                result.AddError($"{name} is empty; give a command for the shell");
        });
        return hook;
    }

    static void CheckTargets(ArgumentResult result)
    {
        foreach (Token token in result.Tokens)
            if (PathName.Check(token.Value) is { } wrong)
                result.AddError($"TARGET {wrong}");
    }

    static string? CheckSpeed(ulong bytesPerSecond) =>
        bytesPerSecond == 0 ? "is zero; give a size above zero, or leave --speed out for no limit"
        : bytesPerSecond > SpeedMax ? "is above 1TiB a second; leave --speed out for no limit"
        : null;
}
