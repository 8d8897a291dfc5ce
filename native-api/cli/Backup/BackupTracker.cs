// The tracker of a backup of a disk at rest: what is to be copied, and that it was.
//
//   the tracker tells, TARGET is there      incremental: what has changed, into TARGET, which is the last copy, or with
//                                           --since the copy of that checkpoint
//   it does not, or TARGET is new           full, and the reason
//
// Only when the copy is whole and durable the tracker forgets what it named, or makes the new checkpoint: whatever ends
// before leaves all of it. With --since the tracker forgets nothing: the last backup without it is still the last.
using System.Linq;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Runtime;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Storage;

namespace FastBackup.Cli;

/// <summary>Threads: one; disposed of on the reactor's.</summary>
sealed class BackupTracker
{
    readonly TrackerFile _file;
    TrackedChanges _changes;
    readonly FileDevice _disk;
    readonly string? _since;
    readonly string _checkpoint;
    HierarchicalBitmap? _changed; // owned where there is a point that it is since
    bool _isStale; // the file was changed since it was read

    BackupTracker(TrackerFile file, TrackedChanges changes, FileDevice disk, BackupRequest request, bool isTargetThere)
    {
        (_file, _changes, _disk) = (file, changes, disk);
        (_since, _checkpoint) = (request.Since, request.Checkpoint ?? "");
        bool isKnown = _since == null || changes.Has(_since);
        if (changes.Refusal == TrackerRefusal.None && isKnown)
            _changed = _since == null ? changes.Changed : changes.Since(_since);
        FullReason =
            changes.Refusal != TrackerRefusal.None ? TrackerRefusals.Words.Of(changes.Refusal)
            : !isKnown ? "epoch"
            : _since == null && _changed!.CountBits() == _changed.BitCount ? "new"
            : !isTargetThere ? "new-target"
            : null;
    }

    /// <summary>Null: an incremental backup.</summary>
    public string? FullReason { get; }

    /// <summary>What is to be copied.</summary>
    public ulong ChangedBytes => FullReason == null ? _changed!.CountBytes() : _disk.Limits.CapacityBytes;

    /// <param name="engine">Drives it.</param>
    /// <param name="path">Of the tracker.</param>
    /// <param name="source">Its disk.</param>
    /// <param name="request">What else was asked for.</param>
    /// <param name="isTargetThere">And is to be kept.</param>
    /// <param name="tracker">Null when refused.</param>
    /// <param name="reason">Why the tracker is refused, where it says; else null.</param>
    public static OpenRefusal TryOpen(
        Engine engine,
        string path,
        IBlockDevice source,
        BackupRequest request,
        bool isTargetThere,
        out BackupTracker? tracker,
        out string? reason
    )
    {
        tracker = null;
        OpenRefusal refusal = RestingTracker.TryOpen(engine, path, source, out RestingTracker? opened, out reason);
        if (opened == null)
            return refusal;
        if (request.Checkpoint is { } name && PointWords.CheckNew(opened.Changes, path, name) is { } wrong)
        {
            opened.Close(engine);
            return OpenRefusal.Rule(wrong);
        }
        tracker = new BackupTracker(opened.File, opened.Changes, opened.Disk, request, isTargetThere);
        return default;
    }

    /// <summary>An incremental backup copies all that lies behind this: a copy may end there.</summary>
    public bool NamesAllFrom(ulong offsetBytes)
    {
        HierarchicalBitmap changed = _changed!;
        ulong first = offsetBytes / changed.GranularityBytes;
        return changed.NextCleanBit(first, changed.BitCount) == HierarchicalBitmap.NotFound;
    }

    /// <summary>What an incremental backup copies.</summary>
    public HierarchicalBitmap Changed => _changed!;

    /// <summary>A checkpoint of now, for a full copy that may have to be gone on with; one of this name is replaced.
    /// </summary>
    /// <returns>False: there is none.</returns>
    public bool TryBeginPoint(string name, out ulong createdNs)
    {
        createdNs = PointWords.NowNs();
        if (_changes.Refusal != TrackerRefusal.None || !TrackedPoint.IsName(name))
            return false;
        EndPoint(name);
        if (!TryRefresh() || _changes.Points.Count >= TrackedPoint.CountMax)
            return false;
        _isStale = true;
        return _file.AddPoint(_disk, _changes, name, createdNs).IsNone;
    }

    /// <summary>The checkpoint is needed no more.</summary>
    public void EndPoint(string name)
    {
        if (name.Length == 0 || !TryRefresh() || _changes.Refusal != TrackerRefusal.None || !_changes.Has(name))
            return;
        _isStale = true;
        _ = _file.DeletePoint(_disk, _changes, name);
    }

    /// <summary>What was read before the last change can be changed no more.</summary>
    bool TryRefresh()
    {
        if (!_isStale)
            return true;
        OpenRefusal refusal = _file.Read(_disk, out TrackedChanges? fresh);
        if (!refusal.IsNone)
            return false;
        _changes.Dispose();
        _changes = fresh!;
        if (_since == null)
            _changed = fresh!.Changed;
        _isStale = false;
        return true;
    }

    /// <summary>Adds what has changed since a checkpoint.</summary>
    /// <returns>False: there is none, or the tracker cannot tell.</returns>
    public bool TryAddSince(string point, ulong createdNs, HierarchicalBitmap left)
    {
        bool isIt = _changes.Points.Any(one => one.Name == point && one.CreatedNs == createdNs);
        if (_changes.Refusal != TrackerRefusal.None || !isIt)
            return false;
        using HierarchicalBitmap since = _changes.Since(point);
        return left.Merge(since).IsNone;
    }

    /// <summary>The copy is whole and durable.</summary>
    public Fault Commit()
    {
        if (!TryRefresh())
            return new Fault(FaultKind.State);
        _isStale = true;
        if (_since == null || _changes.Refusal != TrackerRefusal.None)
            return _file.MoveBase(_disk, _changes, _checkpoint, PointWords.NowNs());
        return _checkpoint.Length > 0 ? _file.AddPoint(_disk, _changes, _checkpoint, PointWords.NowNs()) : Fault.None;
    }

    public void Dispose()
    {
        if (_since != null)
            _changed?.Dispose();
        _changes.Dispose();
        _file.Dispose();
    }
}
