// What a job must be to make a point in a repository: all of the disk or what has changed since the parent, and nothing
// that would let it count as done with less.
using FastBackup.Jobs;
using FastBackup.Repositories;

namespace FastBackup.Native.Objects;

/// <summary>Threads: the reactor's.</summary>
static class PointRules
{
    /// <param name="disk">The source.</param>
    /// <param name="target">A point that is to be made.</param>
    /// <param name="options">Of the job.</param>
    /// <returns>Null, or why not.</returns>
    public static string? Refuse(DiskObject disk, PointTarget target, BackupOptions options)
    {
        if (options.Sync is BackupSync.Top or BackupSync.None)
            return $"sync {BackupWords.Sync.Of(options.Sync)} copies no whole disk, and a point is one";
        if (options.OnSourceError == ErrorPolicy.Ignore || options.OnTargetError == ErrorPolicy.Ignore)
            return "a point has all of the disk: no error can be ignored on the way to it";
        if (options.BitmapMode == BitmapMode.Always)
            return "a point is made as a whole or not at all: bitmap-mode always has no meaning for it";
        return target.Refuse(options.Sync is BackupSync.Incremental or BackupSync.Bitmap) ?? RefuseParent(disk, target);
    }

    /// <summary>The last point is gone on from only if its T0 is a checkpoint of this disk, and no other one of that
    /// name.</summary>
    static string? RefuseParent(DiskObject disk, PointTarget target)
    {
        if (target is not { IsParentLatest: true, Parent: { } parent })
            return null;
        string name = parent.Document!.Checkpoint!;
        bool isThere =
            disk.Tracker is { IsOver: false, Points: { } points }
            && points.TryGetTime(name, out ulong createdNs)
            && createdNs == parent.Document.CheckpointNs;
        return isThere
            ? null
            : $"point {parent.Snapshot.Id.Short} is of checkpoint '{name}', which disk '{disk.Core.Name}' has not: "
                + "what has changed since is not known; copy all, without a parent";
    }
}
