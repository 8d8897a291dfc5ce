// The part of backup that is about a repository in TARGET's place: its options, which of the others go with it, and the
// request. All arguments are disks then.
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Linq;
using FastBackup.Repositories;
using FastBackup.Runtime;

namespace FastBackup.Cli;

sealed class BackupToRepository
{
    readonly Option<string?> _repository = RepositoryOptions.CreateRepositoryOption();
    readonly Option<string?> _password = RepositoryOptions.CreatePasswordFile();
    readonly Option<string?> _host = RepositoryOptions.CreateName("--host", "With --repo: whose disk; this machine.");
    readonly Option<string[]> _disk = new("--disk")
    {
        Description = "With --repo: its name; SOURCE's file name. Of several disks once for each, in their order.",
        HelpName = "NAME",
    };
    readonly Argument<string[]> _more = new("DISK")
    {
        Description = "With --repo: further disks of the same point.",
        Arity = ArgumentArity.ZeroOrMore,
    };
    readonly Option<ulong?> _chunk = RepositoryOptions.CreateChunk();
    readonly Option<ulong?> _pack = RepositoryOptions.CreatePack();
    readonly Option<string[]> _tags = new("--tag")
    {
        Description = "With --repo: a tag of the point; may be given several times.",
        HelpName = "TAG",
    };

    readonly Option<double?> _requestsPrice = RepositoryOptions.CreatePrice(
        "--price-requests",
        "With --repo s3:...: what 1000 PUT requests cost, for an estimate before the backup begins."
    );
    readonly Option<double?> _monthPrice = RepositoryOptions.CreatePrice(
        "--price-month",
        "With --repo s3:...: what a GiB costs a month, for that estimate."
    );

    readonly Option<bool> _dry = FlagOption.Create(
        "--dry-run",
        "With --repo: only say what would be read and why, and what at most be stored."
    );

    /// <param name="command">That has a target.</param>
    /// <param name="source">The first disk.</param>
    /// <param name="target">Which is left out then, or the second disk.</param>
    /// <param name="tracker">Of one disk.</param>
    /// <param name="others">Options about a target.</param>
    public void AddTo(
        Command command,
        Argument<string> source,
        Argument<string> target,
        Option<string?> tracker,
        Option[] others
    )
    {
        Option[] mine = [_password, _host, _disk, _chunk, _pack, _tags, _requestsPrice, _monthPrice, _dry];
        target.Arity = ArgumentArity.ZeroOrOne;
        command.Add(_more);
        command.Add(_repository);
        foreach (Option option in mine)
            command.Add(option);
        _more.Validators.Add(result =>
        {
            foreach (Token token in result.Tokens)
                if (PathName.CheckDisk(token.Value) is { } wrong)
                    result.AddError($"DISK '{token.Value}' {wrong}");
        });
        _disk.Validators.Add(result =>
        {
            foreach (Token token in result.Tokens)
                if (DiskNames.Check(token.Value) is { } wrong)
                    result.AddError($"--disk '{token.Value}' {wrong}");
        });
        command.Validators.Add(result =>
        {
            bool isMeant = result.GetResult(_repository) != null;
            if (!isMeant && result.GetResult(target) is not { Tokens.Count: > 0 })
                result.AddError("TARGET is missing");
            else if (!isMeant && result.GetResult(_more) is { Tokens: [{ } first, ..] })
                result.AddError($"'{first.Value}' is one argument too many");
            else if (isMeant && CheckNames(result, source, target, tracker) is { } wrong)
                result.AddError(wrong);
            Option? odd = (isMeant ? others : mine).FirstOrDefault(one => result.GetResult(one) is { Implicit: false });
            if (odd != null)
                result.AddError(
                    isMeant ? $"{odd.Name} is about a TARGET: leave it out with --repo" : $"{odd.Name} goes with --repo"
                );
        });
    }

    string? CheckNames(CommandResult result, Argument<string> source, Argument<string> target, Option<string?> tracker)
    {
        string[] paths =
        [
            .. new Argument[] { source, target, _more }
                .SelectMany(one => result.GetResult(one)?.Tokens ?? [])
                .Select(token => token.Value),
        ];
        string[] given = [.. result.GetResult(_disk)?.Tokens.Select(token => token.Value) ?? []];
        if (paths.Length > 1 && result.GetResult(tracker) != null)
            return "--tracker is of one disk: give one SOURCE, or all with their trackers to 'fastbackup run'";
        if (given.Length > 0 && given.Length != paths.Length)
            return Phrases.Text($"--disk names {given.Length} disks and there are {paths.Length}: ")
                + "give it once for each SOURCE, in their order";
        string[] names = given.Length > 0 ? given : [.. paths.Select(DiskNames.Of)];
        string? twice = names.GroupBy(name => name).FirstOrDefault(group => group.Count() > 1)?.Key;
        return twice == null ? null : $"two disks would be called '{twice}'; give --disk NAME for each";
    }

    public bool IsMeant(ParseResult parsed) => parsed.GetValue(_repository) != null;

    public int Run(
        ParseResult parsed,
        Argument<string> source,
        Argument<string> target,
        Option<string?> tracker,
        Option<ulong?> memory
    )
    {
        string[] paths =
        [
            parsed.GetRequiredValue(source),
            .. parsed.GetValue(target) is { } second ? (string[])[second] : [],
            .. parsed.GetValue(_more) ?? [],
        ];
        string[] names = parsed.GetValue(_disk) is { Length: > 0 } given ? given : [.. paths.Select(DiskNames.Of)];
        PointBackupRequest request = new()
        {
            Place = new RepositoryPlace(parsed.GetValue(_repository)!, parsed.GetValue(_password)),
            Sources =
            [
                .. paths.Select(
                    (path, i) =>
                        new PointSourceRequest(
                            path,
                            names[i],
                            parsed.GetValue(tracker),
                            parsed.GetValue(CommonOptions.Format)
                        )
                ),
            ],
            Host = parsed.GetValue(_host) ?? DiskNames.Host(),
            ChunkBytes = parsed.GetValue(_chunk),
            PackBytes = (int)(parsed.GetValue(_pack) ?? PointHead.PackBytesUsual),
            Tags = parsed.GetValue(_tags) ?? [],
            MemoryBytes = parsed.GetValue(memory) ?? MemoryOption.BytesDefault(),
            UsualMemoryBytes = parsed.GetValue(memory) == null ? Engine.BufferBytesUsual : null,
            RequestsPrice = parsed.GetValue(_requestsPrice),
            MonthPrice = parsed.GetValue(_monthPrice),
            IsLockIgnored = parsed.GetValue(CommonOptions.IgnoreLocks),
            IsTrial = parsed.GetValue(_dry),
        };
        using Interruption interruption = new();
        using RepositoryWork work = new(request.Place, CommonOptions.CreateOutput(parsed), interruption);
        return new PointBackupRun(request, work).Execute();
    }
}
