// fastbackup checkpoint add|list|delete DISK [NAME]: options only; CheckpointRun does the work.
using System.CommandLine;

namespace FastBackup.Cli;

static class CheckpointCommand
{
    public static readonly string[] Examples =
    [
        "fastbackup checkpoint add disk.img monday",
        "fastbackup checkpoint list disk.img --json",
        "fastbackup checkpoint delete disk.img monday",
        "fastbackup backup disk.img copy.img --tracker disk.img.track --since monday --checkpoint tuesday",
    ];

    public static Command Create()
    {
        Command command = new("checkpoint", "Name points in time of a disk with a tracker: 64 at most.")
        {
            CreateAction(CheckpointAction.Add, "add", "Name the disk as it is now."),
            CreateAction(CheckpointAction.List, "list", "List the points, and how much has changed since each."),
            CreateAction(CheckpointAction.Delete, "delete", "Forget a point; the others lose nothing."),
        };
        return command;
    }

    static Command CreateAction(CheckpointAction action, string name, string description)
    {
        Argument<string> disk = PathName.CreateArgument("DISK", "Disk image or block device; only read.");
        Argument<string> point = new("NAME") { Description = "Of the checkpoint: 1 to 1023 bytes." };
        point.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && PointWords.CheckName(result.Tokens[0].Value) is { } wrong)
                result.AddError($"NAME {wrong}");
        });
        Option<string?> tracker = TrackCommand.CreateTrackerOption("Path of the tracker; DISK.track when left out.");
        Command command = new(name, description) { disk };
        if (action != CheckpointAction.List)
            command.Add(point);
        command.Add(tracker);
        command.Add(CommonOptions.IgnoreLocks);
        command.Add(CommonOptions.Format);
        command.Add(CommonOptions.Json);
        command.Add(CommonOptions.Quiet);
        command.SetAction(parsed =>
        {
            string path = parsed.GetRequiredValue(disk);
            CheckpointRequest request = new(
                action,
                path,
                action == CheckpointAction.List ? "" : parsed.GetRequiredValue(point),
                parsed.GetValue(tracker) ?? TrackRequest.DefaultPath(path),
                parsed.GetValue(CommonOptions.IgnoreLocks),
                parsed.GetValue(CommonOptions.Format)
            );
            return new CheckpointRun(request, CommonOptions.CreateOutput(parsed)).Execute();
        });
        return command;
    }

    /// <summary>An option that has the name of a point.</summary>
    public static Option<string?> CreateOption(string name, string description)
    {
        Option<string?> option = new(name) { Description = description, HelpName = "NAME" };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && PointWords.CheckName(result.Tokens[0].Value) is { } wrong)
                result.AddError($"{name} {wrong}");
        });
        return option;
    }
}
