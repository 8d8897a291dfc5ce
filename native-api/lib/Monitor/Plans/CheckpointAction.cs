// x-checkpoint-add: a point of a disk's tracker, at the instant of its plan. What takes time comes before (the new map
// is made durable) and after it (the point is named); the command is answered when the point is durable.
using System;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Native.Errors;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Monitor.Plans;

sealed class CheckpointAction(string node, string name) : PlanAction
{
    const int ReadyMaxMs = 30_000;

    DiskObject? _disk;
    DiskPoints? _points;
    Action? _onSettled;
    bool _hasEnded;

    public override string Type => "x-checkpoint-add";

    public override bool IsPatient => true;

    public override DiskObject? Subject => _disk;

    public override QmpError? Prepare(PlanContext plan)
    {
        if (TakePoints(plan, node, ref _disk, out _points) is { } error)
            return error;
        OpenRefusal refusal = _points!.PrepareAdd(name, PointClock.NowNs());
        return refusal.IsNone ? AwaitReady(plan) : QmpError.Of(refusal);
    }

    QmpError? AwaitReady(PlanContext plan)
    {
        ManualResetEventSlim ready = new(); // not disposed of: the engine may set it later than anybody waits
        bool hasBegun = false;
        Answer answer = plan.Turns.RunUnlessStopped(() =>
        {
            hasBegun = _points!.TryBegin(ready.Set, OnEnd);
            return Answer.Ok;
        });
        if (!answer.IsOk)
            return QmpError.Of(answer);
        if (!hasBegun)
            return Failed();
        return ready.Wait(ReadyMaxMs) ? null : QmpError.Generic("the tracker's storage does not answer");
    }

    QmpError Failed() => QmpError.Generic($"tracker '{_disk!.Tracker!.Path}' is inconsistent: its storage has failed");

    public override QmpError? Check(PlanContext plan, PlanState state) => null;

    public override QmpError? WhatIsWrongNow() => _points!.IsReady ? null : Failed();

    public override void Apply(PlanContext plan) => Base.Check.That(_points!.TrySwap());

    public override bool BeginSettling(PlanContext plan, Action onSettled)
    {
        _onSettled = onSettled;
        return !_hasEnded;
    }

    void OnEnd(Fault fault)
    {
        _hasEnded = true;
        SettleError = fault.IsNone
            ? null
            : QmpError.Generic($"checkpoint '{name}' is not durable, and its tracker is inconsistent: {fault}");
        PointsInHand.GiveBack(_disk!, _points!);
        _onSettled?.Invoke();
    }

    public override void Abandon(PlanContext plan)
    {
        if (_points != null)
            PointsInHand.GiveBack(_disk!, _points);
        _points = null;
    }
}
