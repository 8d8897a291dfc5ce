// fastbackup repo init|list|show|restore|verify|mount-nbd|forget|keys|add-key|remove-key REPO: options only.
using System;
using System.CommandLine;
using System.Linq;

namespace FastBackup.Cli;

static class RepoCommand
{
    public static readonly string[] Examples =
    [
        "fastbackup repo init /backup/repo --password-file secret",
        "fastbackup backup disk.img --repo /backup/repo --password-file secret --tracker disk.img.track",
        "fastbackup repo list /backup/repo --password-file secret",
        "fastbackup repo restore /backup/repo new.img --at latest --password-file secret",
        "fastbackup repo verify /backup/repo --read-data --password-file secret",
        "fastbackup repo mount-nbd /backup/repo --at latest --socket disk.sock --password-file secret",
        "fastbackup repo forget /backup/repo --keep-daily 7 --keep-weekly 5 --password-file secret",
    ];

    static readonly Option<string?> s_password = RepositoryOptions.CreatePasswordFile();

    public static Command Create() =>
        new("repo", "Points in time of disks in a restic repository: make, list, verify, restore, forget.")
        {
            CreateInit(),
            CreateList(),
            CreateShow(),
            RepoRestoreCommand.Create(s_password),
            RepoVerifyCommand.Create(s_password),
            RepoMountCommand.Create(s_password),
            CreateForget(),
            CreateKeys(),
            CreateAddKey(),
            CreateRemoveKey(),
        };

    static Command CreateInit()
    {
        Argument<string> repository = RepositoryOptions.CreateRepository();
        Command command = new("init", "Make a repository (format version 2 of restic).") { repository };
        return RepositoryAction.Complete(command, repository, s_password, (_, work) => new KeyRun(work).Init());
    }

    static Command CreateList()
    {
        Argument<string> repository = RepositoryOptions.CreateRepository();
        Option<string?> disk = RepositoryOptions.CreateDisk("Only points of this disk: HOST/DISK or DISK.");
        Command command = new("list", "List the points in time.") { repository, disk };
        return RepositoryAction.Complete(
            command,
            repository,
            s_password,
            (parsed, work) => new PointListRun(work).List(parsed.GetValue(disk))
        );
    }

    static Command CreateShow()
    {
        Argument<string> repository = RepositoryOptions.CreateRepository();
        Option<string?> at = RepositoryOptions.CreateAt();
        Option<string?> disk = RepositoryOptions.CreateDisk("Of which disk the point is.");
        Command command = new("show", "Say what a point holds, and how it was made.") { repository, at, disk };
        return RepositoryAction.Complete(
            command,
            repository,
            s_password,
            (parsed, work) =>
                new PointListRun(work).Show(parsed.GetValue(at) ?? PointChoice.Latest, parsed.GetValue(disk))
        );
    }

    static Command CreateForget()
    {
        Argument<string> repository = RepositoryOptions.CreateRepository();
        Argument<string[]> points = new("POINT")
        {
            Description = "Points to forget, instead of rules: the first digits of their names.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        points.Validators.Add(result =>
        {
            foreach (System.CommandLine.Parsing.Token token in result.Tokens)
                if (PointChoice.Check(token.Value) is { } wrong)
                    result.AddError($"POINT '{token.Value}' {wrong}");
        });
        Option<string?> disk = RepositoryOptions.CreateDisk("Only points of this disk: HOST/DISK or DISK.");
        Option<int?> last = RepositoryOptions.CreateKeep("--keep-last", "Keep the newest N.");
        Option<int?> daily = RepositoryOptions.CreateKeep("--keep-daily", "Keep the newest of N days.");
        Option<int?> weekly = RepositoryOptions.CreateKeep("--keep-weekly", "Keep the newest of N weeks.");
        Option<int?> monthly = RepositoryOptions.CreateKeep("--keep-monthly", "Keep the newest of N months.");
        Option<int?> yearly = RepositoryOptions.CreateKeep("--keep-yearly", "Keep the newest of N years.");
        Option<string[]> tags = new("--keep-tag") { Description = "Keep points with this tag.", HelpName = "TAG" };
        Option<bool> dry = FlagOption.Create("--dry-run", "Only say which points would be forgotten.");
        Option<int?>[] rules = [last, daily, weekly, monthly, yearly];
        Command command = new("forget", "Forget points by rules, per disk; 'restic prune' gives their space back.")
        {
            repository,
            points,
            disk,
            last,
            daily,
            weekly,
            monthly,
            yearly,
            tags,
            dry,
        };
        command.Validators.Add(result =>
        {
            bool hasRule = rules.Any(one => result.GetResult(one) != null) || result.GetResult(tags) != null;
            bool hasPoint = result.GetResult(points) is { Tokens.Count: > 0 };
            if (!hasRule && !hasPoint)
                result.AddError("nothing says what to forget: give --keep-last or another --keep, or points");
            if (hasRule && hasPoint)
                result.AddError("give either points to forget or --keep rules, not both");
        });
        return RepositoryAction.Complete(
            command,
            repository,
            s_password,
            (parsed, work) =>
                new ForgetRun(
                    new ForgetRequest(
                        parsed.GetValue(points) ?? [],
                        parsed.GetValue(disk),
                        parsed.GetValue(last) ?? 0,
                        parsed.GetValue(daily) ?? 0,
                        parsed.GetValue(weekly) ?? 0,
                        parsed.GetValue(monthly) ?? 0,
                        parsed.GetValue(yearly) ?? 0,
                        parsed.GetValue(tags) ?? [],
                        parsed.GetValue(dry)
                    ),
                    work
                ).Execute()
        );
    }

    static Command CreateKeys()
    {
        Argument<string> repository = RepositoryOptions.CreateRepository();
        Command command = new("keys", "List the keys: each is a password that opens the repository.") { repository };
        return RepositoryAction.Complete(command, repository, s_password, (_, work) => new PointListRun(work).Keys());
    }

    static Command CreateAddKey()
    {
        Argument<string> repository = RepositoryOptions.CreateRepository();
        Option<string?> newPassword = RepositoryOptions.CreatePasswordFile("--new-password-file", "the new password");
        Command command = new("add-key", "Add a password.") { repository, newPassword };
        return RepositoryAction.Complete(
            command,
            repository,
            s_password,
            (parsed, work) => new KeyRun(work).Add(parsed.GetValue(newPassword))
        );
    }

    static Command CreateRemoveKey()
    {
        Argument<string> repository = RepositoryOptions.CreateRepository();
        Argument<string> key = new("KEY") { Description = "The first digits of its name, as 'repo keys' shows it." };
        Command command = new("remove-key", "Remove a password.") { repository, key };
        return RepositoryAction.Complete(
            command,
            repository,
            s_password,
            (parsed, work) => new KeyRun(work).Remove(parsed.GetRequiredValue(key))
        );
    }
}
