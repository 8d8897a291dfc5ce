// The tracker of a disk that becomes larger, so that it stays: its checkpoints are taken in hand, what does not change
// any more is written for the new size while guests write, and behind the moment in which the disk grows, with all
// writes held, the rest. That takes milliseconds, and some tenths of a second for a disk of many TiB.
//
//   caller   TryTake, Prepare
//   loop     Hold, in the moment; OnGrown, behind it
//   a thread of its own: when no step is under way the file is made that of the larger disk; then guests go on
//
// A tracker whose storage fails here is inconsistent, as ever: the disk has grown all the same.
using System;
using System.Diagnostics;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Native.Errors;
using FastBackup.Ports.Linux;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Objects;

/// <summary>Threads: the reactor's, unless a member says otherwise.</summary>
sealed class TrackerEnlargement
{
    const int HeldMaxMs = 20_000; // above the longest wait of a write

    static readonly PatientThreads s_threads = new(atOnceMax: 16);

    readonly DiskObject _disk;
    readonly DiskTracker _tracker;
    readonly DiskPoints _points;
    bool _isHeld;

    TrackerEnlargement(DiskObject disk, DiskTracker tracker, DiskPoints points) =>
        (_disk, _tracker, _points) = (disk, tracker, points);

    /// <param name="disk">Stays open until the end.</param>
    /// <param name="tracker">Null: there is none, or one that has failed already.</param>
    /// <returns>Ok, or who has its checkpoints in hand.</returns>
    public static Answer TryTake(DiskObject disk, out TrackerEnlargement? tracker)
    {
        tracker = null;
        if (disk.Tracker is not { IsOver: false } attached)
            return Answer.Ok;
        Answer answer = PointsInHand.TryTake(disk, out DiskPoints? points);
        if (answer.IsOk)
            tracker = new TrackerEnlargement(disk, attached, points!);
        return answer;
    }

    /// <summary>Threads: any that may wait, but not the engine's.</summary>
    public Answer Prepare(ulong sizeBytes)
    {
        OpenRefusal refusal = _points.PrepareGrowth(sizeBytes);
        return refusal.IsNone ? Answer.Ok : Answer.Of(refusal);
    }

    /// <summary>In the moment.</summary>
    public void Hold() => _isHeld = _points.TryGrow();

    /// <summary>Nothing comes of it.</summary>
    public void GiveBack() => PointsInHand.GiveBack(_disk, _points);

    /// <summary>The disk has grown.</summary>
    /// <param name="onDone">Told once, when guests write again, maybe in this call.</param>
    public void OnGrown(Action onDone)
    {
        if (_isHeld && s_threads.TryRun("fb-grow", () => Follow(onDone)))
            return;
        if (_isHeld)
            _tracker.FailGrowth(new Fault(FaultKind.NoMemory));
        GiveBack();
        onDone();
    }

    /// <summary>On a thread of its own.</summary>
    void Follow(Action onDone)
    {
        Fault fault = WaitHeld() ? _tracker.Grow() : new Fault(FaultKind.TimedOut);
        bool isRight = false;
        _ = InTurn(() => isRight = _tracker.EndGrowth(fault));
        if (!isRight)
            _tracker.GiveUpFile();
        _ = InTurn(() =>
        {
            GiveBack();
            onDone();
        });
    }

    /// <summary>No step of the tracker's is under way; false: it has failed, or its storage does not answer.</summary>
    bool WaitHeld()
    {
        long start = Stopwatch.GetTimestamp();
        bool isHeld = false;
        bool isOver = false;
        void Look() => (isHeld, isOver) = (_tracker.IsHeld, _tracker.IsOver);
        while (InTurn(Look) && !isHeld && !isOver && Stopwatch.GetElapsedTime(start).TotalMilliseconds < HeldMaxMs)
            Thread.Sleep(1);
        return isHeld;
    }

    /// <returns>False: the engine has stopped.</returns>
    bool InTurn(Action action)
    {
        Answer answer = _disk.Engine!.RunUnlessStopped(
            _disk,
            () =>
            {
                action();
                return Answer.Ok;
            }
        );
        return answer.IsOk;
    }
}
