// Points are forgotten: their snapshots are removed, alone in the repository. What only they needed stays until
// 'restic prune' takes it, which is made for that and trusted with it.
using System.Collections.Generic;
using System.Linq;
using FastBackup.Repositories;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class ForgetRun(ForgetRequest request, RepositoryWork work)
{
    public int Execute() => work.Run(new RepositoryDoneEvent("done", "repo", "forget"), Run);

    RepositoryDoneEvent Run(RepositoryDoneEvent done) =>
        done with
        {
            Points = [.. ForgetPoints().Select(PointListRun.EntryOf)],
        };

    /// <summary>As a part of a larger run.</summary>
    /// <returns>How many.</returns>
    /// <exception cref="RepositoryException">Locked, Forbidden ...: some may be gone.</exception>
    public int Forget() => ForgetPoints().Length;

    StoredPoint[] ForgetPoints()
    {
        OpenedRepository repository = work.Open();
        if (!request.IsDry)
            _ = work.TakeLock(isExclusive: true);
        StoredPoint[] gone = request.Points.Length > 0 ? Named(repository) : ByRules(repository.LoadSnapshots());
        work.Warn();
        foreach (StoredPoint point in gone)
        {
            work.Cancel.ThrowIfCancellationRequested();
            if (!request.IsDry)
                repository.Store.Remove(StoreKind.Snapshot, point.Id.ToString());
            work.Output.Line(
                $"{(request.IsDry ? "would forget" : "forgot")} {point.Id.Short}  {point.Document.Time}  "
                    + string.Join(", ", PointChoice.PathsOf(point))
            );
        }
        work.Output.Line(
            $"{Phrases.Number(gone.Length, "point")} forgotten{(request.IsDry ? " if this were no trial" : "")}; "
                + "'restic prune' gives back the space of what nobody needs any more"
        );
        return gone;
    }

    StoredPoint[] Named(OpenedRepository repository) =>
        [.. request.Points.Select(at => PointChoice.Find(repository, at, request.Disk)).DistinctBy(one => one.Id)];

    StoredPoint[] ByRules(List<StoredPoint> all)
    {
        List<StoredPoint> gone = [];
        foreach (
            IGrouping<string, StoredPoint> ofDisk in all.GroupBy(one =>
                one.Document.Hostname + " " + string.Join(" ", PointChoice.PathsOf(one))
            )
        )
        {
            StoredPoint[] points = [.. ofDisk];
            if (request.Disk != null && !PointChoice.PathsOf(points[0]).Any(path => IsDisk(path, request.Disk)))
                continue;
            if (request.Only != null && PointChoice.PathsOf(points[0]).Any(path => !request.Only.Contains(path)))
                continue;
            HashSet<BlobId> kept = Retention.Keep(points, request);
            gone.AddRange(points.Where(one => !kept.Contains(one.Id)));
        }
        return [.. gone];
    }

    static bool IsDisk(string path, string disk) =>
        path == disk.Trim('/') || path.EndsWith("/" + disk.Trim('/'), System.StringComparison.Ordinal);
}
