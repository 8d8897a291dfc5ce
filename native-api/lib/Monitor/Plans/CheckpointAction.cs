// x-checkpoint-add: a point of a disk's tracker, at the instant of its plan. The command is answered when the point is
// durable.
using System;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Plans;

sealed class CheckpointAction(string node, string name) : PlanAction
{
    DiskObject? _disk;
    PlannedPoint? _point;

    public override string Type => "x-checkpoint-add";

    public override bool IsPatient => true;

    public override DiskObject? Subject => _disk;

    public override QmpError? Prepare(PlanContext plan)
    {
        if (PlanPoints(plan, node, ref _disk, out PlannedPoints? points) is { } error)
            return error;
        points!.Include(name, isBitmap: false);
        _point = new PlannedPoint(points, "checkpoint", name);
        return null;
    }

    public override QmpError? Check(PlanContext plan, PlanState state) => null;

    public override QmpError? WhatIsWrongNow() => _point!.WhatIsWrongNow();

    public override void Apply(PlanContext plan) => _point!.Apply();

    public override bool BeginSettling(PlanContext plan, Action onSettled) => _point!.BeginSettling(onSettled);

    public override QmpError? SettleError => _point?.Error;

    public override void Abandon(PlanContext plan) => _point?.Abandon();
}
