// fastbackup repo restore REPO TARGET: options only; RestoreRun does the work.
using System.CommandLine;

namespace FastBackup.Cli;

static class RepoRestoreCommand
{
    public static Command Create(Option<string?> password)
    {
        Argument<string> repository = RepositoryOptions.CreateRepository();
        Argument<string> target = PathName.CreateDiskArgument(
            "TARGET",
            "New file (written as TARGET.partial, renamed when whole), block device or NBD URI."
        );
        Option<string?> at = RepositoryOptions.CreateAt();
        Option<string?> disk = RepositoryOptions.CreateDisk(
            "Which disk: HOST/DISK, DISK, or a file that restic stored."
        );
        Option<bool> all = FlagOption.Create(
            "--all",
            "All disks of the point: TARGET is a folder, files have their names."
        );
        Option<bool> onto = FlagOption.Create("--onto", "TARGET is a disk: read it, and write only what differs.");
        Option<bool> force = FlagOption.Create(
            "--force",
            "Replace an existing TARGET or left-over TARGET.partial; overwrite a block device or remote disk."
        );
        Option<bool> resume = FlagOption.Create("--resume", "Go on with the TARGET.partial of an interrupted run.");
        Command command = new("restore", "Make a disk of a point in time; holes stay holes.")
        {
            repository,
            target,
            at,
            disk,
            all,
            onto,
            force,
            resume,
            CommonOptions.IgnoreLocks,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(onto) != null && result.GetResult(resume) != null)
                result.AddError("--onto goes on by itself: leave --resume out");
            if (result.GetValue(all) && result.GetResult(disk) != null)
                result.AddError("--all is of all disks: leave --disk out");
            if (result.GetValue(all) && result.GetValue(onto))
                result.AddError("--onto is for one disk: leave --all out");
        });
        return RepositoryAction.Complete(
            command,
            repository,
            password,
            (parsed, work) =>
            {
                RestoreRequest request = new(
                    parsed.GetValue(at) ?? PointChoice.Latest,
                    parsed.GetValue(disk),
                    parsed.GetRequiredValue(target),
                    parsed.GetValue(onto),
                    parsed.GetValue(force),
                    parsed.GetValue(resume),
                    parsed.GetValue(CommonOptions.IgnoreLocks)
                );
                return parsed.GetValue(all)
                    ? new RestoreAllRun(request, work).Execute()
                    : new RestoreRun(request, work).Execute();
            }
        );
    }
}
