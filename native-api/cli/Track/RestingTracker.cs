// The tracker of a disk that a backup reads at rest, into a file or into a repository: opened, read, and known to tell
// what has changed, or to tell it again after a full backup.
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Runtime;
using FastBackup.Tracking.Format;
using FastBackup.Tracking.Storage;

namespace FastBackup.Cli;

/// <param name="File">Owner: whoever asked.</param>
/// <param name="Disk">The source.</param>
/// <param name="Changes">What the tracker says of it. Owner: whoever asked.</param>
sealed record RestingTracker(TrackerFile File, FileDevice Disk, TrackedChanges Changes)
{
    /// <param name="engine">Drives it.</param>
    /// <param name="path">Of the tracker.</param>
    /// <param name="source">Its disk.</param>
    /// <param name="tracker">Null when refused; then nothing is left open.</param>
    /// <param name="reason">Why the tracker is refused, where it says; else null.</param>
    public static OpenRefusal TryOpen(
        Engine engine,
        string path,
        IBlockDevice source,
        out RestingTracker? tracker,
        out string? reason
    )
    {
        (tracker, reason) = (null, null);
        if (source is not FileDevice disk)
            return OpenRefusal.Rule(
                $"source '{source.Name}' is a server's or an image: only raw files and block devices have trackers"
            );
        if (disk.UsedBy is { } use)
            return OpenRefusal.Rule($"source '{disk.Name}' is {use}: with --tracker it must be at rest");
        OpenRefusal refusal = TrackerFile.TryOpen(engine.Reactor, path, isReadOnly: false, out TrackerFile? file);
        if (!refusal.IsNone)
            return refusal;
        refusal = file!.Read(disk, out TrackedChanges? changes);
        if (refusal.IsNone && changes!.Refusal != TrackerRefusal.None && !changes.Refusal.IsHealedByFull())
        {
            refusal = OpenRefusal.Rule(TrackWords.Refused(path, changes.Refusal));
            reason = TrackerRefusals.Words.Of(changes.Refusal);
        }
        if (refusal.IsNone)
        {
            tracker = new RestingTracker(file, disk, changes!);
            return default;
        }
        changes?.Dispose();
        engine.Reactor.Invoke(file.Dispose);
        return refusal;
    }

    /// <summary>It is not wanted after all.</summary>
    public void Close(Engine engine)
    {
        Changes.Dispose();
        engine.Reactor.Invoke(File.Dispose);
    }
}
