// Going on with an interrupted copy, or making that possible for one that begins: its record, and the checkpoint of the
// tracker at which it began.
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Devices.Targets;
using FastBackup.Jobs;
using FastBackup.Runtime;

namespace FastBackup.Cli;

/// <summary>Threads: the command's.</summary>
/// <param name="request">Of the copy.</param>
/// <param name="place">Of the copy.</param>
/// <param name="tracker">Of the disk; null: none was given.</param>
sealed class Resumption(BackupRequest request, TargetPlace place, BackupTracker? tracker)
{
    readonly RecordPlace _records = new(place, request.Record);

    /// <summary>Null: the copy cannot be gone on with.</summary>
    public CopyRecord? Record { get; private set; }

    /// <summary>Null: the copy begins.</summary>
    public ResumedCopy? Resumed { get; private set; }

    /// <summary>Of the tracker, at which the copy began; empty: there is none.</summary>
    public string Point { get; private set; } = "";

    /// <summary>Before the copy's first write.</summary>
    /// <param name="engine">Runs it.</param>
    /// <param name="source">The disk, at rest.</param>
    /// <param name="target">The file or block device.</param>
    public OpenRefusal TryBegin(Engine engine, IBlockDevice source, FileDevice target)
    {
        if (place.IsResumed)
            return TryGoOn(engine, source, target);
        bool isFull = request.Sync == BackupSync.Full;
        if (!isFull || (place.PartialPath == null && request.Record == null))
            return request.Record == null
                ? default
                : OpenRefusal.Rule("only a full copy has a record: leave --record out");
        ulong pointNs = 0;
        string name = "unfinished copy " + _records.CopyPath;
        if (tracker?.TryBeginPoint(name, out pointNs) == true)
            Point = name;
        OpenRefusal refusal = CopyRecord.TryBegin(
            source,
            target,
            request.ClusterBytes,
            (Point, pointNs),
            engine,
            _records,
            out CopyRecord? record
        );
        Record = record;
        return refusal;
    }

    OpenRefusal TryGoOn(Engine engine, IBlockDevice source, FileDevice target)
    {
        OpenRefusal refusal = ResumedCopy.TryOpen(_records, source, target, tracker, out ResumedCopy? copy);
        if (copy == null)
            return refusal;
        Resumed = copy;
        Point = copy.Subject.Point;
        Record = CopyRecord.TryGoOn(copy, target, engine, _records);
        return Record == null ? OpenRefusal.Rule($"'{_records.CopyPath}' cannot be opened once more") : default;
    }

    /// <summary>Nothing was copied.</summary>
    public void Withdraw()
    {
        Record?.Withdraw();
        if (Resumed == null)
            tracker?.EndPoint(Point);
    }

    /// <summary>How people go on with the copy; null: they cannot.</summary>
    public string? Advice =>
        Record is not { IsKept: true } ? null
        : place.PartialPath is { } partial
            ? $"the unfinished copy is kept in '{partial}'; run again with --resume to go on with it, "
                + "or with --force to start anew"
        : $"'{place.Path}' holds an unfinished copy; run again with --resume and --record '{_records.Path}' to go on "
            + "with it, or with --force to start anew";

    public void WriteResume(ulong diskBytes, Output output)
    {
        if (Resumed is not { } copy)
            return;
        ulong leftBytes = copy.Left.CountBytes();
        string changed = copy.ChangedBytes > 0 ? $", {ByteSize.Format(copy.ChangedBytes)} of it changed since" : "";
        output.Line($"resumed: {ByteSize.Format(leftBytes)} of {ByteSize.Format(diskBytes)} left{changed}");
        output.Event(
            new ResumeEvent("resume", _records.CopyPath, leftBytes, copy.ChangedBytes, diskBytes),
            JsonEvents.Readable.ResumeEvent
        );
    }
}
