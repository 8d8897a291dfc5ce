// A point of a disk's tracker, made at the instant of a plan: of x-checkpoint-add, or with a persistent bitmap. What
// takes time comes before (the new map is made durable) and after it (the point is named).
using System;
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
/// <param name="what">What it is to people.</param>
/// <param name="name">Its name.</param>
sealed class PlannedPoint(DiskObject disk, DiskPoints points, string what, string name)
{
    const int ReadyMaxMs = 30_000;

    Action? _onSettled;
    bool _hasEnded;
    bool _isGivenBack;

    /// <summary>Why it is not durable; null: it is.</summary>
    public QmpError? Error { get; private set; }

    /// <summary>Threads: one that may wait.</summary>
    /// <returns>Null, or why not: then Abandon.</returns>
    public QmpError? Prepare(PlanContext plan, bool isBitmap)
    {
        ulong nowNs = PointClock.NowNs();
        OpenRefusal refusal = points.PrepareAdd(name, nowNs, isBitmap);
        if (refusal.IsNone && !isBitmap)
            plan.AddPoint(disk, name, nowNs);
        return refusal.IsNone ? AwaitReady(plan) : QmpError.Of(refusal);
    }

    QmpError? AwaitReady(PlanContext plan)
    {
        ManualResetEventSlim ready = new(); // not disposed of: the engine may set it later than anybody waits
        bool hasBegun = false;
        Answer answer = plan.Turns.RunUnlessStopped(() =>
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

    /// <summary>The instant.</summary>
    public void Apply() => Check.That(points.TrySwap());

    /// <returns>False: it has ended.</returns>
    public bool BeginSettling(Action onSettled)
    {
        _onSettled = onSettled;
        return !_hasEnded;
    }

    void OnEnd(Fault fault)
    {
        _hasEnded = true;
        Error = fault.IsNone
            ? null
            : QmpError.Generic($"{what} '{name}' is not durable, and its tracker is inconsistent: {fault}");
        GiveBack();
        _onSettled?.Invoke();
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
