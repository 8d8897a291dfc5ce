// The tracker of a disk that is backed up into a repository: what has changed since the parent point, by a checkpoint
// of the tracker that was made at that point's T0 and that its disk.json names. So backups into files and into
// several repositories do not disturb each other.
//
// A new checkpoint is made before the first chunk is read, and the old one goes when the new point is durable: whatever
// ends in between leaves one checkpoint too many, which the next run takes away, and never one too few.
using System;
using System.Linq;
using System.Security.Cryptography;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Repositories;
using FastBackup.Runtime;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Storage;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class PointTracker : IDisposable
{
    readonly Engine _engine;
    readonly TrackerFile _file;
    readonly FileDevice _disk;
    readonly string _prefix;
    TrackedChanges _changes;

    PointTracker(Engine engine, TrackerFile file, FileDevice disk, TrackedChanges changes, string prefix) =>
        (_engine, _file, _disk, _changes, _prefix) = (engine, file, disk, changes, prefix);

    /// <summary>Since the parent; null: all is to be read.</summary>
    public HierarchicalBitmap? Changed { get; private set; }

    /// <summary>Why all is to be read; null: it is not.</summary>
    public string? FullReason { get; private set; }

    /// <summary>Made at T0; empty: there is none, so the next one will be full.</summary>
    public string Checkpoint { get; private set; } = "";

    public ulong CheckpointNs { get; private set; }

    /// <param name="engine">Drives it.</param>
    /// <param name="path">Of the tracker.</param>
    /// <param name="source">Its disk, at rest.</param>
    /// <param name="repository">Whose points.</param>
    /// <param name="tracker">Null when refused.</param>
    public static OpenRefusal TryOpen(
        Engine engine,
        string path,
        IBlockDevice source,
        OpenedRepository repository,
        out PointTracker? tracker
    )
    {
        OpenRefusal refusal = RestingTracker.TryOpen(engine, path, source, out RestingTracker? opened, out _);
        string prefix = $"repository {repository.Config.Id[..16]} ";
        tracker = opened == null ? null : new PointTracker(engine, opened.File, opened.Disk, opened.Changes, prefix);
        return refusal;
    }

    /// <summary>What has changed since the parent; nothing is written.</summary>
    public void Look(DiskDocument? parent)
    {
        if (_changes.Refusal != TrackerRefusal.None)
            FullReason = TrackerRefusals.Words.Of(_changes.Refusal);
        else if (parent == null)
            FullReason = "first";
        else if (!Has(parent))
            FullReason = "checkpoint";
        else
            Changed = _changes.Since(parent.Checkpoint!);
    }

    /// <summary>The same, and the checkpoint of now. Nobody writes to the disk.</summary>
    public void Begin(DiskDocument? parent)
    {
        Look(parent);
        if (_changes.Refusal != TrackerRefusal.None)
        {
            // The tracker cannot tell; all is read now, and from here on it can.
            if (_file.Reset(_disk, _changes).IsFault || !TryRefresh())
                return;
        }
        foreach (TrackedPoint point in _changes.Points.ToArray())
            if (point.Name.StartsWith(_prefix, StringComparison.Ordinal) && point.Name != parent?.Checkpoint)
                Delete(point.Name);
        if (_changes.Points.Count >= TrackedPoint.CountMax)
            return;
        string name = _prefix + RandomNumberGenerator.GetHexString(8, lowercase: true);
        ulong nowNs = PointWords.NowNs();
        if (_file.AddPoint(_disk, _changes, name, nowNs).IsNone && TryRefresh())
            (Checkpoint, CheckpointNs) = (name, nowNs);
    }

    /// <summary>The new point is durable: the parent's checkpoint is needed no more.</summary>
    public void Commit(DiskDocument? parent)
    {
        if (Checkpoint.Length > 0 && parent?.Checkpoint is { Length: > 0 } old && _changes.Has(old))
            Delete(old);
    }

    public void Dispose()
    {
        Changed?.Dispose();
        _changes.Dispose();
        _engine.Reactor.Invoke(_file.Dispose);
    }

    bool Has(DiskDocument parent) =>
        parent.Checkpoint is { } name
        && _changes.Points.Any(point => point.Name == name && point.CreatedNs == parent.CheckpointNs);

    void Delete(string name)
    {
        if (_file.DeletePoint(_disk, _changes, name).IsNone)
            _ = TryRefresh();
    }

    /// <summary>What was read before a change can be changed no more.</summary>
    bool TryRefresh()
    {
        if (!_file.Read(_disk, out TrackedChanges? fresh).IsNone)
            return false;
        _changes.Dispose();
        _changes = fresh!;
        return _changes.Refusal == TrackerRefusal.None;
    }
}
