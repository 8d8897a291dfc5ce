// All disks of a point, each into a file of its name in a folder. One that fails leaves the others alone.
using System.Collections.Generic;
using System.IO;
using System.Linq;
using FastBackup.Repositories;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
/// <param name="request">Its target is the folder; of all its disks.</param>
/// <param name="work">On the repository.</param>
sealed class RestoreAllRun(RestoreRequest request, RepositoryWork work)
{
    public int Execute() => work.Run(new RepositoryDoneEvent("done", "repo", "restore"), Run);

    RepositoryDoneEvent Run(RepositoryDoneEvent done)
    {
        OpenedRepository repository = work.Open();
        StoredPoint point = PointChoice.Find(repository, request.At, null);
        repository.LoadIndex();
        string[] disks = [.. PointDisk.FindAll(repository, point).Select(disk => disk.Path)];
        string? twice = disks.GroupBy(NameOf).FirstOrDefault(group => group.Count() > 1)?.Key;
        if (twice != null)
            throw new RepositoryException(
                RepositoryError.Refused,
                $"point {point.Id.Short} has several disks called '{twice}'; restore one at a time with --disk"
            );
        MakeFolder();
        List<DiskDoneEntry> ended = [];
        foreach (string disk in disks)
        {
            work.Cancel.ThrowIfCancellationRequested();
            RestoreRequest one = request with
            {
                At = point.Id.ToString(),
                Disk = disk,
                Target = Path.Combine(request.Target, NameOf(disk)),
            };
            RepositoryDoneEvent part = new RestoreRun(one, work).ExecutePart();
            ended.Add(
                new DiskDoneEntry(disk, one.Target, part.Status)
                {
                    Error = part.Error,
                    Bytes = part.Bytes,
                    ReadBytes = part.ReadBytes,
                    ZeroBytes = part.ZeroBytes,
                    SameBytes = part.SameBytes,
                    Seconds = part.Seconds,
                }
            );
        }
        bool isWhole = ended.All(one => one.Error == null);
        return done with
        {
            Point = point.Id.ToString(),
            Target = request.Target,
            Backups = ended,
            Status = isWhole ? "" : RunStatus.Failed.Word(),
            Error = ended.FirstOrDefault(one => one.Error != null)?.Error,
        };
    }

    void MakeFolder()
    {
        try
        {
            _ = Directory.CreateDirectory(request.Target);
        }
        catch (System.Exception exception) when (exception is IOException or System.UnauthorizedAccessException)
        {
            throw new RepositoryException(
                RepositoryError.Refused,
                $"cannot make folder '{request.Target}': {FileTrouble.Describe(exception)}; give another TARGET",
                exception
            );
        }
    }

    static string NameOf(string disk) => disk[(disk.LastIndexOf('/') + 1)..];
}
