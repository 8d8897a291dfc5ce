// The points of a disk's tracker that a plan makes, all at its instant: of x-checkpoint-add, and with persistent
// bitmaps. What takes time comes before (new maps are made durable) and after it (the points are named). Whatever fails
// before the instant leaves none of them, and after it the tracker is inconsistent.
using System;
using System.Collections.Generic;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Native.Errors;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Monitor.Plans;

/// <summary>Threads: the reactor's, unless a member says otherwise.</summary>
/// <param name="disk">Of the tracker.</param>
/// <param name="points">In hand; given back at the end.</param>
sealed class PlannedPoints(DiskObject disk, DiskPoints points)
{
    const int ReadyMaxMs = 30_000;

    readonly List<(string Name, bool IsBitmap)> _names = [];
    readonly ulong _nowNs = PointClock.NowNs();
    readonly List<Action> _onSettled = [];
    bool _hasSwapped;
    bool _hasEnded;
    bool _isGivenBack;

    public DiskObject Disk => disk;

    public ulong GranuleBytes => points.GranuleBytes;

    /// <summary>The first of them that is a checkpoint, and when it was made; null: there is none.</summary>
    public (string Name, ulong CreatedNs)? Checkpoint =>
        _names.Find(one => !one.IsBitmap).Name is { } name ? (name, _nowNs) : null;

    /// <summary>Why they are not durable, once they have ended.</summary>
    public Fault Fault { get; private set; }

    /// <summary>Threads: one that may wait, before Prepare.</summary>
    public void Include(string name, bool isBitmap) => _names.Add((name, isBitmap));

    /// <summary>Threads: one that may wait.</summary>
    /// <returns>Null, or why not: then Abandon.</returns>
    public QmpError? Prepare(MonitorTurns turns)
    {
        OpenRefusal refusal = points.PrepareAdd(_names, _nowNs);
        if (!refusal.IsNone)
            return QmpError.Of(refusal);
        ManualResetEventSlim ready = new(); // not disposed of: the engine may set it later than anybody waits
        bool hasBegun = false;
        Answer answer = turns.RunUnlessStopped(() =>
        {
            hasBegun = points.TryBegin(ready.Set, OnEnd);
            return Answer.Ok;
        });
        if (!answer.IsOk)
            return QmpError.Of(answer);
        if (!hasBegun)
            return Failed();
        return ready.Wait(ReadyMaxMs) ? null : QmpError.Generic("the tracker's storage does not answer");
    }

    QmpError Failed() => QmpError.Generic($"tracker '{disk.Tracker!.Path}' is inconsistent: its storage has failed");

    public QmpError? WhatIsWrongNow() => points.IsReady ? null : Failed();

    /// <summary>The instant, for all of them.</summary>
    public void Apply()
    {
        if (!_hasSwapped)
            Check.That(points.TrySwap());
        _hasSwapped = true;
    }

    /// <returns>False: it has ended.</returns>
    public bool BeginSettling(Action onSettled)
    {
        if (!_hasEnded)
            _onSettled.Add(onSettled);
        return !_hasEnded;
    }

    void OnEnd(Fault fault)
    {
        (_hasEnded, Fault) = (true, fault);
        GiveBack();
        foreach (Action onSettled in _onSettled)
            onSettled();
    }

    /// <summary>There will be no instant.</summary>
    public void Abandon() => GiveBack();

    void GiveBack()
    {
        if (!_isGivenBack)
            PointsInHand.GiveBack(disk, points);
        _isGivenBack = true;
    }
}
