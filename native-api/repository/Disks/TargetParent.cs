// The point that a job's target goes on from: what the job does not copy is taken from there. So it must be of this
// disk, cut alike, and whole: nobody can read the disk as it was later on.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace FastBackup.Repositories;

static class TargetParent
{
    /// <param name="repository">With its index, locked.</param>
    /// <param name="points">All, oldest first.</param>
    /// <param name="options">With a parent.</param>
    /// <exception cref="RepositoryException">There is none, or it cannot be gone on from.</exception>
    public static PointDisk Find(OpenedRepository repository, List<StoredPoint> points, PointTargetOptions options)
    {
        string path = options.Host + "/" + options.Disk;
        StoredPoint[] fitting =
        [
            .. points.Where(one =>
                (one.Document.Paths ?? []).Any(two => two.TrimStart('/') == path)
                && (
                    options.Parent == PointTargetOptions.Latest
                    || one.Id.ToString().StartsWith(options.Parent!, StringComparison.Ordinal)
                )
            ),
        ];
        if (options.Parent == PointTargetOptions.Latest && fitting.Length > 1)
            fitting = [fitting[^1]];
        if (fitting.Length != 1)
            throw new RepositoryException(
                fitting.Length == 0 ? RepositoryError.NotFound : RepositoryError.Refused,
                Say($"repository '{repository.Store.Name}' has {fitting.Length} points of disk '{path}' that are ")
                    + $"'{options.Parent}'; {(fitting.Length == 0 ? "the first has no parent" : "give more digits")}"
            );
        PointDisk parent = PointDisk.Find(repository, fitting[0], path);
        if (Refuse(parent, options) is { } reason)
            throw new RepositoryException(
                RepositoryError.Refused,
                $"point {parent.Snapshot.Id.Short} of '{path}' cannot be gone on from: {reason}; make a whole one, "
                    + "without a parent"
            );
        return parent;
    }

    static string? Refuse(PointDisk parent, PointTargetOptions options)
    {
        if (parent.Document is not { } document)
            return "its disk.json is damaged";
        if (document.SizeBytes != options.SizeBytes)
            return Say($"the disk had {document.SizeBytes} bytes then, and has {options.SizeBytes}");
        if (options.ChunkBytes is { } wanted && wanted != document.ChunkBytes)
            return Say($"it has chunks of {document.ChunkBytes} bytes, not of {wanted}");
        if (options.Parent == PointTargetOptions.Latest && document.Checkpoint == null)
            return "it has no checkpoint by which its T0 is known; where a bitmap tells what has changed since, "
                + "give its name instead of 'latest'";
        int lost = 0;
        for (int part = 0; part < parent.PartCount; part++)
            lost += parent.Load(part).Count(extent => !extent.IsKnown);
        return lost > 0 ? Say($"{lost} of its chunks are lost") : null;
    }

    static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
