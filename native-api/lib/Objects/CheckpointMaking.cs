// Checkpoints of one name on several disks, at one instant, by themselves or with the start of jobs.
//
//   caller   TryPrepare: the disks' checkpoints are taken in hand, new maps made durable, the moment made ready for
//   loop     BeginAlone, or as the work of a transaction's start; DoQuiesced in the moment; OnEnd a disk, durable
//
// Whatever ends before the moment leaves the trackers as they were.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Native.Errors;
using FastBackup.Repositories;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Objects;

/// <summary>Threads: the reactor's, but for TryPrepare and GiveUp.</summary>
sealed class CheckpointMaking : IStartWork
{
    const int ReadyMaxMs = 30_000;

    readonly EngineObject _engine;
    readonly DiskObject[] _disks;
    readonly List<DiskPoints> _inHand = []; // of the first disks
    QueueSlot? _slot;
    Fault _fault;
    int _leftCount;
    string _name = "";
    ulong _createdNs;

    CheckpointMaking(EngineObject engine, DiskObject[] disks) => (_engine, _disks) = (engine, disks);

    public Disk[] Disks => Array.ConvertAll(_disks, disk => disk.Core);

    /// <summary>All that takes time before the moment. Threads: any that may wait, but not the engine's.</summary>
    /// <param name="engine">Of all disks.</param>
    /// <param name="disks">At least one, each once.</param>
    /// <param name="name">Of the checkpoint.</param>
    /// <param name="making">Null when the answer is not Ok. Else GiveUp, BeginAlone, or a transaction's.</param>
    public static Answer TryPrepare(EngineObject engine, DiskObject[] disks, string name, out CheckpointMaking? making)
    {
        making = new CheckpointMaking(engine, disks);
        Answer answer = making.Prepare(name);
        if (answer.IsOk)
            return answer;
        making.GiveUp();
        making = null;
        return answer;
    }

    Answer Prepare(string name)
    {
        Answer answer = _engine.RunUnlessStopped(_disks[0], TakeAll);
        ulong nowNs = PointClock.NowNs();
        (_name, _createdNs) = (name, nowNs);
        for (int i = 0; answer.IsOk && i < _disks.Length; i++)
        {
            OpenRefusal refusal = _inHand[i].PrepareAdd([(name, false)], nowNs);
            answer = refusal.IsNone ? Answer.Ok : Answer.Of(refusal);
        }
        if (answer.IsOk)
            answer = _engine.RunUnlessStopped(_disks[0], MakeReady);
        if (!answer.IsOk)
            return answer;
        bool isInTime = EngineTurns.WaitUntil(_engine, _disks[0], () => AreReady || FindFailed() != null, ReadyMaxMs);
        return !isInTime ? Answer.Of(new Fault(FaultKind.TimedOut))
            : FindFailed() is { } failed ? PointsInHand.Inconsistent(failed)
            : Answer.Ok;
    }

    Answer TakeAll()
    {
        foreach (DiskObject disk in _disks)
        {
            if (disk.IsClosed)
                return Answer.Handle(DiskObject.Noun);
            Answer answer = PointsInHand.TryTake(disk, out DiskPoints? points);
            if (!answer.IsOk)
                return answer;
            _inHand.Add(points!);
        }
        return Answer.Ok;
    }

    Answer MakeReady()
    {
        for (int i = 0; i < _disks.Length; i++)
        {
            int index = i;
            if (!_inHand[i].TryBegin(onReady: () => { }, fault => OnEnd(index, fault)))
                return PointsInHand.Inconsistent(_disks[i].Tracker!);
        }
        return Answer.Ok;
    }

    DiskTracker? FindFailed() => Array.Find(_disks, disk => disk.Tracker!.IsOver)?.Tracker;

    bool AreReady => _inHand.TrueForAll(points => points.IsReady);

    /// <summary>Nothing comes of it, and nobody is told. Threads: any but the engine's.</summary>
    public void GiveUp() =>
        _engine.Run(
            _disks[0],
            () =>
            {
                GiveBackAll();
                return Answer.Ok;
            }
        );

    void GiveBackAll()
    {
        for (int i = 0; i < _inHand.Count; i++)
            PointsInHand.GiveBack(_disks[i], _inHand[i]);
        _inHand.Clear();
    }

    /// <summary>Whom the end is told.</summary>
    public void SetStarter(QueueSlot slot) => _slot = slot;

    /// <summary>Jobs that start in the same instant: their points in repositories say so. Threads: any, before it.
    /// </summary>
    public void Name(JobObject job)
    {
        if (job.Target.Device is PointTarget point && Array.IndexOf(_disks, job.Disk) >= 0)
            point.Checkpoint = (_name, _createdNs);
    }

    /// <summary>As soon as the disks are quiet.</summary>
    public void BeginAlone() => new QuiescedChange(_engine.Reactor, Disks, () => _ = DoQuiesced()).Begin();

    public Fault DoQuiesced()
    {
        if (!AreReady)
        {
            Fault fault = new(FaultKind.Io, Errnos.EIO);
            GiveBackAll();
            _slot!.Complete(fault);
            return fault;
        }
        _leftCount = _inHand.Count;
        foreach (DiskPoints points in _inHand)
            Check.That(points.TrySwap());
        return Fault.None;
    }

    void OnEnd(int index, Fault fault)
    {
        if (_fault.IsNone)
            _fault = fault;
        PointsInHand.GiveBack(_disks[index], _inHand[index]);
        if (--_leftCount == 0)
            _slot!.Complete(_fault);
    }

    public void Abandon()
    {
        GiveBackAll();
        _slot!.Complete(new Fault(FaultKind.Canceled));
    }
}
