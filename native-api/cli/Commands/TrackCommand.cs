// fastbackup track add|info|map|grow|remove|expect|export|import DISK: options only; TrackRun does the work.
using System.CommandLine;
using FastBackup.Base;
using FastBackup.Tracking.Format;

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
        "fastbackup track map disk.img --svg disk.svg",
        "fastbackup track expect disk.img",
        "fastbackup track export disk.img disk.token --to WORD",
        "fastbackup track import disk.img disk.token",
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
            CreateMove(
                TrackAction.Expect,
                "expect",
                "Wait for the tracker of a disk on another host; says a word for it."
            ),
            CreateMove(TrackAction.Export, "export", "Give a tracker to the host that waits, as a signed token."),
            CreateMove(TrackAction.Import, "import", "Take a tracker over, once, by the token for it."),
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
        Option<string?> picture = CreateFileOption("--svg", "Write the picture to this SVG file, too; replaced.");
        Command command = new(name, description) { disk, tracker };
        if (action == TrackAction.Map)
            command.Add(picture);
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
                Move: null,
                action == TrackAction.Map ? parsed.GetValue(picture) : null,
                parsed.GetValue(CommonOptions.IgnoreLocks),
                parsed.GetValue(CommonOptions.Format)
            );
            return new TrackRun(request, CommonOptions.CreateOutput(parsed)).Execute();
        });
        return command;
    }

    static Command CreateMove(TrackAction action, string name, string description)
    {
        Argument<string> disk = PathName.CreateArgument(
            "DISK",
            action == TrackAction.Expect
                ? "Disk image or block device, which need not be there yet."
                : "Disk image or block device that nobody uses; only read."
        );
        Argument<string> token = PathName.CreateArgument(
            "TOKEN",
            action == TrackAction.Export ? "New file for the token." : "Token that 'track export' has made."
        );
        Option<string?> tracker = CreateTrackerOption("Path of the tracker; DISK.track when left out.");
        Option<string> word = new("--to")
        {
            Description = "What 'track expect' says on the other host.",
            HelpName = "WORD",
        };
        word.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && MoveWord.TryParse(result.Tokens[0].Value) == null)
                result.AddError($"--to '{result.Tokens[0].Value}' is no word of 'track expect', or a letter is wrong");
        });
        Option<bool> shared = FlagOption.Create("--shared", "The other host has the same disk, not a copy of it.");
        Command command = new(name, description) { disk, tracker };
        if (action != TrackAction.Expect)
            command.Add(token);
        if (action == TrackAction.Export)
        {
            command.Add(word);
            command.Add(shared);
            command.Validators.Add(result =>
            {
                if (result.GetResult(word) == null)
                    result.AddError("--to is missing: the word that 'track expect' says on the other host");
            });
        }
        if (action != TrackAction.Expect)
        {
            command.Add(CommonOptions.IgnoreLocks);
            command.Add(CommonOptions.Format);
        }
        command.Add(CommonOptions.Json);
        if (action != TrackAction.Expect) // which says a word, or there is no use in it
            command.Add(CommonOptions.Quiet);
        command.SetAction(parsed =>
        {
            bool isExport = action == TrackAction.Export;
            string path = parsed.GetRequiredValue(disk);
            TrackRequest request = new(
                action,
                path,
                parsed.GetValue(tracker) ?? TrackRequest.DefaultPath(path),
                GranuleBytes: 0,
                SizeBytes: 0,
                action == TrackAction.Expect
                    ? null
                    : new MoveRequest(
                        parsed.GetRequiredValue(token),
                        isExport ? MoveWord.TryParse(parsed.GetRequiredValue(word)) ?? default : default,
                        isExport && parsed.GetValue(shared)
                    ),
                Picture: null,
                parsed.GetValue(CommonOptions.IgnoreLocks),
                parsed.GetValue(CommonOptions.Format)
            );
            return new TrackRun(request, CommonOptions.CreateOutput(parsed)).Execute();
        });
        return command;
    }

    public static Option<string?> CreateTrackerOption(string description) => CreateFileOption("--tracker", description);

    static Option<string?> CreateFileOption(string name, string description)
    {
        Option<string?> option = new(name) { Description = description, HelpName = "PATH" };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && PathName.Check(result.Tokens[0].Value) is { } wrong)
                result.AddError($"{name} {wrong}");
        });
        return option;
    }

    static string? CheckGranularity(ulong bytes) =>
        Units.IsPowerOfTwo(bytes) && bytes is >= GranuleBytesMin and <= GranuleBytesMax
            ? null
            : "is not a power of two of 4KiB to 4MiB";
}
