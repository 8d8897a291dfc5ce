// fastbackup track add|info|map|grow|remove DISK: options only; TrackRun does the work.
using System.CommandLine;
using FastBackup.Base;

namespace FastBackup.Cli;

static class TrackCommand
{
    const ulong GranuleBytesMin = 4 * Units.KiB;
    const ulong GranuleBytesMax = 4 * Units.MiB;

    public static readonly string[] Examples =
    [
        "fastbackup track add disk.img",
        "fastbackup track info disk.img --json",
        "fastbackup track grow disk.img 40GiB",
        "fastbackup track map /dev/vg0/web --tracker /var/lib/fastbackup/web.track",
        "fastbackup backup disk.img copy.img --tracker disk.img.track",
    ];

    public static Command Create()
    {
        Command command = new("track", "Keep and read the file that says what has changed on a disk.")
        {
            CreateAction(TrackAction.Add, "add", "Make a tracker; at first everything counts as changed."),
            CreateAction(TrackAction.Info, "info", "Say how much has changed, or why the tracker cannot tell."),
            CreateAction(TrackAction.Map, "map", "Draw where it has changed."),
            CreateAction(TrackAction.Grow, "grow", "Make a disk that is a file larger, and keep its tracker."),
            CreateAction(TrackAction.Remove, "remove", "Remove a tracker; the disk stays."),
        };
        return command;
    }

    static Command CreateAction(TrackAction action, string name, string description)
    {
        Argument<string> disk = PathName.CreateArgument(
            "DISK",
            action == TrackAction.Grow ? "Disk image that nobody uses." : "Disk image or block device; only read."
        );
        Argument<ulong> size = SizeOption.CreateArgument("SIZE", "Of the disk from now on: 40GiB, or bytes.");
        Option<string?> tracker = CreateTrackerOption("Path of the tracker; DISK.track when left out.");
        Option<ulong?> granularity = SizeOption.Create(
            "--granularity",
            "What is told apart: a power of two, 4KiB..4MiB; 64KiB by default.",
            CheckGranularity
        );
        Command command = new(name, description) { disk, tracker };
        if (action == TrackAction.Add)
            command.Add(granularity);
        if (action == TrackAction.Grow)
            command.Add(size);
        command.Add(CommonOptions.IgnoreLocks);
        command.Add(CommonOptions.Format);
        command.Add(CommonOptions.Json);
        command.Add(CommonOptions.Quiet);
        command.SetAction(parsed =>
        {
            string path = parsed.GetRequiredValue(disk);
            TrackRequest request = new(
                action,
                path,
                parsed.GetValue(tracker) ?? TrackRequest.DefaultPath(path),
                action == TrackAction.Add ? parsed.GetValue(granularity) ?? 0 : 0,
                action == TrackAction.Grow ? parsed.GetValue(size) : 0,
                parsed.GetValue(CommonOptions.IgnoreLocks),
                parsed.GetValue(CommonOptions.Format)
            );
            return new TrackRun(request, CommonOptions.CreateOutput(parsed)).Execute();
        });
        return command;
    }

    public static Option<string?> CreateTrackerOption(string description)
    {
        Option<string?> option = new("--tracker") { Description = description, HelpName = "PATH" };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && PathName.Check(result.Tokens[0].Value) is { } wrong)
                result.AddError($"--tracker {wrong}");
        });
        return option;
    }

    static string? CheckGranularity(ulong bytes) =>
        Units.IsPowerOfTwo(bytes) && bytes is >= GranuleBytesMin and <= GranuleBytesMax
            ? null
            : "is not a power of two of 4KiB to 4MiB";
}
