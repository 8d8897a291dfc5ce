// The checkpoints of a disk's tracker, in one pair of hands at a time: the disk and its tracker stay until they are
// given back.
using System;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Native.Errors;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Objects;

/// <summary>Threads: the reactor's, unless a member says otherwise.</summary>
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

    /// <summary>As GiveBack, in a turn of the disk, which stays. Threads: any.</summary>
    public static void GiveBackInTurn(DiskObject disk, DiskPoints points) =>
        _ = disk.Engine!.Run(
            disk,
            () =>
            {
                GiveBack(disk, points);
                return Answer.Ok;
            }
        );

    /// <summary>Deletes a point, and gives all of them back, whatever comes of it. Threads: any that may wait, but not
    /// the engine's.</summary>
    /// <param name="disk">Of the tracker.</param>
    /// <param name="points">In hand.</param>
    /// <param name="name">Of the point.</param>
    /// <param name="onEnd">Told once in a turn of the disk, if the answer is true: it is durable, or the tracker is
    /// inconsistent.</param>
    /// <param name="answer">Why not, if it is false; Ok: the tracker has failed.</param>
    public static bool TryBeginDelete(
        DiskObject disk,
        DiskPoints points,
        string name,
        Action<Fault> onEnd,
        out Answer answer
    )
    {
        void End(Fault fault)
        {
            GiveBack(disk, points);
            onEnd(fault);
        }
        OpenRefusal refusal = points.PrepareDelete(name);
        bool hasBegun = false;
        Answer Begin()
        {
            hasBegun = points.TryName(End);
            return Answer.Ok;
        }
        answer = refusal.IsNone ? disk.Engine!.RunUnlessStopped(disk, Begin) : Answer.Of(refusal);
        if (!hasBegun)
            GiveBackInTurn(disk, points);
        return hasBegun;
    }
}
