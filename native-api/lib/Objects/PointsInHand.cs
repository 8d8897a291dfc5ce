// The checkpoints of a disk's tracker, in one pair of hands at a time: the disk and its tracker stay until they are
// given back.
using FastBackup.Native.Errors;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Objects;

/// <summary>Threads: the reactor's.</summary>
static class PointsInHand
{
    public static Answer TryTake(DiskObject disk, out DiskPoints? points)
    {
        points = null;
        if (disk.Tracker is not { Points: { } found } tracker)
            return Answer.State($"disk '{disk.Core.Name}' has no tracker: it has no checkpoints");
        if (tracker.IsOver)
            return Inconsistent(tracker);
        if (!found.TryReserve())
            return Answer.State($"the checkpoints of disk '{disk.Core.Name}' are in use by another operation");
        disk.ChangeCount++;
        points = found;
        return Answer.Ok;
    }

    public static Answer Inconsistent(DiskTracker tracker) =>
        Answer.State($"tracker '{tracker.Path}' is inconsistent: its storage has failed, or was too slow");

    public static void GiveBack(DiskObject disk, DiskPoints points)
    {
        points.Release();
        disk.ChangeCount--;
    }
}
