// The part of backup that is about a repository in TARGET's place: its options, which of the others go with it, and the
// request.
using System.CommandLine;
using System.Linq;
using FastBackup.Repositories;
using FastBackup.Runtime;

namespace FastBackup.Cli;

sealed class BackupToRepository
{
    readonly Option<string?> _repository = RepositoryOptions.CreateRepositoryOption();
    readonly Option<string?> _password = RepositoryOptions.CreatePasswordFile();
    readonly Option<string?> _host = RepositoryOptions.CreateName("--host", "With --repo: whose disk; this machine.");
    readonly Option<string?> _disk = RepositoryOptions.CreateName(
        "--disk",
        "With --repo: its name; SOURCE's file name."
    );
    readonly Option<ulong?> _chunk = RepositoryOptions.CreateChunk();
    readonly Option<ulong?> _pack = RepositoryOptions.CreatePack();
    readonly Option<string[]> _tags = new("--tag")
    {
        Description = "With --repo: a tag of the point; may be given several times.",
        HelpName = "TAG",
    };

    /// <param name="command">That has a target.</param>
    /// <param name="target">Which is left out then.</param>
    /// <param name="others">Options about a target.</param>
    public void AddTo(Command command, Argument<string> target, Option[] others)
    {
        Option[] mine = [_password, _host, _disk, _chunk, _pack, _tags];
        target.Arity = ArgumentArity.ZeroOrOne;
        command.Add(_repository);
        foreach (Option option in mine)
            command.Add(option);
        command.Validators.Add(result =>
        {
            bool isMeant = result.GetResult(_repository) != null;
            bool hasTarget = result.GetResult(target) is { Tokens.Count: > 0 };
            if (!isMeant && !hasTarget)
                result.AddError("TARGET is missing");
            if (isMeant && hasTarget)
                result.AddError("give either TARGET or --repo, not both");
            Option? odd = (isMeant ? others : mine).FirstOrDefault(one => result.GetResult(one) is { Implicit: false });
            if (odd != null)
                result.AddError(
                    isMeant ? $"{odd.Name} is about a TARGET: leave it out with --repo" : $"{odd.Name} goes with --repo"
                );
        });
    }

    public bool IsMeant(ParseResult parsed) => parsed.GetValue(_repository) != null;

    public int Run(ParseResult parsed, Argument<string> source, Option<string?> tracker, Option<ulong?> memory)
    {
        string path = parsed.GetRequiredValue(source);
        PointBackupRequest request = new()
        {
            Place = new RepositoryPlace(parsed.GetValue(_repository)!, parsed.GetValue(_password)),
            Source = path,
            Host = parsed.GetValue(_host) ?? DiskNames.Host(),
            Disk = parsed.GetValue(_disk) ?? DiskNames.Of(path),
            Tracker = parsed.GetValue(tracker),
            ChunkBytes = parsed.GetValue(_chunk),
            PackBytes = (int)(parsed.GetValue(_pack) ?? BackupPlan.PackBytesUsual),
            Tags = parsed.GetValue(_tags) ?? [],
            MemoryBytes = parsed.GetValue(memory) ?? MemoryOption.BytesDefault(),
            UsualMemoryBytes = parsed.GetValue(memory) == null ? Engine.BufferBytesUsual : null,
            IsLockIgnored = parsed.GetValue(CommonOptions.IgnoreLocks),
            Format = parsed.GetValue(CommonOptions.Format),
        };
        using Interruption interruption = new();
        using RepositoryWork work = new(request.Place, CommonOptions.CreateOutput(parsed), interruption);
        return new PointBackupRun(request, work).Execute();
    }
}
