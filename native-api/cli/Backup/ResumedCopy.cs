// What is left of an unfinished copy, by its record: whether that is of this disk and this file, and what has been
// written to the disk since. The result is the disk as of now, whole: what was copied and not written since is as it is
// now.
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Tracking.Resume;

namespace FastBackup.Cli;

/// <param name="Subject">As its record says.</param>
/// <param name="File">The record; owned by whoever goes on with it.</param>
/// <param name="Left">To be copied; owned by the job's maker.</param>
/// <param name="ChangedBytes">Of it, copied before and written to since.</param>
sealed record ResumedCopy(CopySubject Subject, ResumeFile File, HierarchicalBitmap Left, ulong ChangedBytes)
{
    /// <param name="records">Where its record is.</param>
    /// <param name="source">The disk, at rest.</param>
    /// <param name="target">The file or block device, open.</param>
    /// <param name="tracker">The disk's; null: none was given.</param>
    /// <param name="copy">Null when refused.</param>
    public static OpenRefusal TryOpen(
        RecordPlace records,
        IBlockDevice source,
        FileDevice target,
        BackupTracker? tracker,
        out ResumedCopy? copy
    )
    {
        copy = null;
        OpenRefusal refusal = records.TryOpen(out ResumeFile? file);
        if (file == null)
            return Refuse(refusal.Sentence);
        refusal = file.TryRead(out CopySubject? subject, out HierarchicalBitmap? left)
            ? Check(subject!, records, source, target, tracker, left!, out ulong changedBytes)
            : Refuse($"'{records.Path}' is no whole record of what is in '{records.CopyPath}'", out changedBytes);
        if (refusal.IsNone)
        {
            copy = new ResumedCopy(subject!, file, left!, changedBytes);
            return default;
        }
        file.Dispose();
        left?.Dispose();
        return refusal;
    }

    static OpenRefusal Check(
        CopySubject subject,
        RecordPlace records,
        IBlockDevice source,
        FileDevice target,
        BackupTracker? tracker,
        HierarchicalBitmap left,
        out ulong changedBytes
    )
    {
        changedBytes = 0;
        if (source is not FileDevice disk)
            return Refuse(
                $"source '{source.Name}' is a server's disk or an image: nobody can tell whether it has changed"
            );
        Fault fault = CopySubject.TryTake(
            disk.Fd,
            disk.Limits.CapacityBytes,
            target.Fd,
            subject.ClusterBytes,
            (subject.Point, subject.PointNs),
            out CopySubject? now
        );
        if (fault.IsFault)
            return Refuse($"nobody can tell whether source '{source.Name}' was written to since ({fault})");
        if (!subject.IsOfSame(now!))
            return Refuse($"'{records.Path}' is of a copy of another disk, or {Elsewhere(target)}");
        if (subject.Point.Length > 0 && tracker != null)
        {
            ulong before = left.CountBytes();
            if (tracker.TryAddSince(subject.Point, subject.PointNs, left))
            {
                changedBytes = left.CountBytes() - before;
                return default;
            }
        }
        if (subject.IsUnchanged(now!))
            return default;
        string advice = tracker == null ? " and no --tracker was given" : ", and its tracker does not tell where";
        return Refuse($"source '{source.Name}' was written to since the copy was interrupted{advice}");
    }

    static string Elsewhere(FileDevice target) => target.IsBlockDevice ? "onto another target" : "into another file";

    static OpenRefusal Refuse(string why) =>
        OpenRefusal.Rule($"{why}: it cannot be resumed; give --force instead of --resume to start anew");

    static OpenRefusal Refuse(string why, out ulong changedBytes)
    {
        changedBytes = 0;
        return Refuse(why);
    }
}
