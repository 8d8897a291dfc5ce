// The tracker of a backup of a disk at rest: what is to be copied, and that it was.
//
//   the tracker tells, TARGET is there      incremental: what has changed, into TARGET, which is the last copy
//   it does not, or TARGET is new           full, and the reason
//
// Only when the copy is whole and durable the tracker forgets what it named: whatever ends before leaves all of it.
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
    readonly TrackedChanges _changes;
    readonly FileDevice _disk;

    BackupTracker(TrackerFile file, TrackedChanges changes, FileDevice disk, bool isTargetThere)
    {
        (_file, _changes, _disk) = (file, changes, disk);
        FullReason =
            changes.Refusal != TrackerRefusal.None ? TrackerRefusals.Words.Of(changes.Refusal)
            : changes.Changed!.CountBits() == changes.Changed.BitCount ? "all"
            : !isTargetThere ? "new-target"
            : null;
    }

    /// <summary>Null: an incremental backup.</summary>
    public string? FullReason { get; }

    public ulong ChangedBytes => _changes.Changed?.CountBytes() ?? _disk.Limits.CapacityBytes;

    public static OpenRefusal TryOpen(
        Engine engine,
        string path,
        IBlockDevice source,
        bool isTargetThere,
        out BackupTracker? tracker
    )
    {
        tracker = null;
        if (source is not FileDevice disk)
            return Refuse($"source '{source.Name}' is a server's: only files and block devices have trackers");
        if (disk.UsedBy is { } use)
            return Refuse($"source '{disk.Name}' is {use}: with --tracker it must be at rest");
        OpenRefusal refusal = TrackerFile.TryOpen(engine.Reactor, path, isReadOnly: false, out TrackerFile? file);
        if (!refusal.IsNone)
            return refusal;
        refusal = file!.Read(disk, out TrackedChanges? changes);
        if (refusal.IsNone && changes!.Refusal != TrackerRefusal.None && !changes.Refusal.IsHealedByFull())
            refusal = Refuse(TrackWords.Refused(path, changes.Refusal));
        if (refusal.IsNone)
            tracker = new BackupTracker(file, changes!, disk, isTargetThere);
        else
            engine.Reactor.Invoke(file.Dispose);
        return refusal;
    }

    /// <summary>A bitmap with what has changed.</summary>
    public Fault TryMakeBitmap(out DirtyBitmap? bitmap)
    {
        HierarchicalBitmap changed = _changes.Changed!;
        Fault fault = DirtyBitmap.TryCreate("tracker", changed.SizeBytes, changed.GranularityBytes, out bitmap);
        return fault.IsFault ? fault : bitmap!.Bits.CopyFrom(changed);
    }

    /// <summary>The copy is whole and durable.</summary>
    public Fault Reset() => _file.Reset(_disk, _changes);

    public void Dispose()
    {
        _changes.Dispose();
        _file.Dispose();
    }

    static OpenRefusal Refuse(string sentence) => new(new Fault(FaultKind.Invalid), sentence);
}
