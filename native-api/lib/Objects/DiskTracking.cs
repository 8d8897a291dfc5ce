// A tracker of a disk's, for the host: attached before the first write, detached after the last one. What waits for
// storage is done on the caller's thread, the rest in turns of the engine's; see DiskTracker.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Native.Errors;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Objects;

/// <summary>Threads: any that may wait, but not the engine's.</summary>
static class DiskTracking
{
    const int IdleWaitMs = 20_000; // above the longest wait of a write

    public static Answer Attach(DiskObject disk, string path)
    {
        EngineObject engine = disk.Engine!;
        Answer answer = engine.RunUnlessStopped(disk, () => Reserve(disk));
        if (!answer.IsOk)
            return answer;
        OpenRefusal refusal = DiskTracker.TryOpen(
            disk.Core,
            path,
            DiskTracker.WaitMaxNsDefault,
            out DiskTracker? tracker
        );
        answer = refusal.IsNone ? Begin(disk, tracker!) : Answer.Of(refusal);
        _ = engine.Run(
            disk,
            () =>
            {
                disk.ChangeCount--;
                return Answer.Ok;
            }
        );
        return answer;
    }

    static Answer Reserve(DiskObject disk)
    {
        if (disk.Tracker != null)
            return Answer.State("the disk has a tracker already");
        if (disk.Core.WritesInFlight != 0 || disk.ChangeCount > 0)
            return Answer.State("writes or changes are under way: attach a tracker before the first one");
        disk.ChangeCount++; // it stays open
        return Answer.Ok;
    }

    static Answer Begin(DiskObject disk, DiskTracker tracker)
    {
        EngineObject engine = disk.Engine!;
        Answer answer = engine.RunUnlessStopped(disk, () => InMoment(disk, tracker.Hold));
        if (!answer.IsOk)
        {
            _ = engine.Run(disk, () => Do(tracker.Dispose));
            tracker.WaitClosed();
            return answer;
        }
        OpenRefusal refusal = tracker.Begin();
        List<DirtyBitmap> bitmaps = [];
        answer = refusal.IsNone ? Answer.Of(PersistentBitmaps.TryRead(tracker.Points!, bitmaps)) : Answer.Of(refusal);
        if (answer.IsOk)
            answer = engine.RunUnlessStopped(disk, () => Start(disk, tracker, bitmaps));
        foreach (DirtyBitmap bitmap in bitmaps)
            bitmap.Dispose(); // none, if they are the disk's
        if (answer.IsOk)
            return answer;
        tracker.GiveUpFile();
        _ = engine.Run(disk, () => InMoment(disk, () => TakeOff(tracker)));
        tracker.WaitClosed();
        return answer;
    }

    static Answer Start(DiskObject disk, DiskTracker tracker, List<DirtyBitmap> bitmaps)
    {
        Answer added = InMoment(disk, () => PersistentBitmaps.Add(disk, bitmaps)); // all writes wait
        if (!added.IsOk)
            return added;
        // What has gone wrong is asked for (fb_disk_query, fb_disk_tracker_detach); guests go on.
        if (!tracker.Start(onTrouble: _ => { }))
            return Answer.Of(new Fault(FaultKind.TimedOut));
        disk.Tracker = tracker;
        return Answer.Ok;
    }

    public static Answer Detach(DiskObject disk)
    {
        EngineObject engine = disk.Engine!;
        DiskTracker? tracker = null;
        bool isReleased = false;
        Answer answer = engine.RunUnlessStopped(
            disk,
            () =>
            {
                tracker = disk.Tracker;
                return tracker == null ? Answer.State("the disk has no tracker")
                    : tracker.Points is { IsReserved: true }
                        ? Answer.State("the disk's checkpoints are in use by another operation")
                    : InMoment(disk, () => isReleased = tracker.Release());
            }
        );
        if (!answer.IsOk)
            return answer;
        if (!EngineTurns.WaitUntil(engine, disk, () => tracker!.IsIdle, IdleWaitMs))
            return Answer.State("the tracker's storage does not answer");
        Fault fault = isReleased ? tracker!.End() : new Fault(FaultKind.Io, Errnos.EIO);
        bool isRight = false;
        answer = engine.RunUnlessStopped(
            disk,
            () =>
            {
                disk.Tracker = null;
                PersistentBitmaps.Leave(disk);
                return InMoment(disk, () => isRight = tracker!.Detach());
            }
        );
        if (answer.IsOk && !isRight)
            tracker!.GiveUpFile();
        _ = engine.Run(disk, () => Do(tracker!.Dispose));
        tracker!.WaitClosed();
        if (!answer.IsOk)
            return answer;
        return fault.IsNone && isRight
            ? Answer.Ok
            : new Answer(
                Status.Io,
                fault,
                $"tracker '{tracker!.Path}' is inconsistent: its storage has failed, or was too slow"
            );
    }

    static void TakeOff(DiskTracker tracker)
    {
        _ = tracker.Detach();
        tracker.Dispose();
    }

    /// <summary>In a quiesced moment that is now, or not at all.</summary>
    static Answer InMoment(DiskObject disk, Action change)
    {
        bool isMade = false;
        QuiescedChange moment = new(
            disk.Engine!.Reactor,
            [disk.Core],
            () =>
            {
                change();
                isMade = true;
            }
        );
        moment.Begin();
        moment.Withdraw();
        return isMade ? Answer.Ok : Answer.State("granted writes have not ended, or changes are under way");
    }

    static Answer Do(Action action)
    {
        action();
        return Answer.Ok;
    }
}
