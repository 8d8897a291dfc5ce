// One action of a plan. It is checked twice, with the same eyes: when the command comes, and when its turn has come,
// since jobs and hosts may have changed things in between. What takes time comes before the moment or after it.
//
//   Prepare     before all else, of patient ones: on a thread that may wait for storage
//   Find        the monitor's part begins: which disk is meant
//   TakeMemory  on the monitor's thread
//   Check       twice
//   MakeReady   in parts, while guests write
//   WhatIsWrongNow, Apply   in the quiesced moment: O(1)
//   BeginSettling   right after it: what ends later, and is waited for by the answer
//   Abandon     instead of Apply
//   Release     on the monitor's thread, at the end
using System;
using FastBackup.Native.Errors;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;
using FastBackup.Tracking.Storage;

namespace FastBackup.Native.Monitor.Plans;

/// <summary>Threads: the reactor's, unless a member says otherwise.</summary>
abstract class PlanAction
{
    /// <summary>QMP's name of it.</summary>
    public abstract string Type { get; }

    /// <summary>It has something to prepare.</summary>
    public virtual bool IsPatient => false;

    /// <summary>What a patient one has in hand stays open until it is abandoned; null: nothing.</summary>
    public virtual DiskObject? Subject => null;

    /// <summary>Threads: one that may wait. Before anything else of the plan.</summary>
    /// <returns>Null, or why not: then all of the plan's actions are abandoned.</returns>
    public virtual QmpError? Prepare(PlanContext plan) => null;

    /// <summary>Looks for what its memory depends on; a check says later what is wrong.</summary>
    public virtual void Find(PlanContext plan) { }

    /// <summary>Threads: the monitor's.</summary>
    public virtual void TakeMemory() { }

    /// <summary>Whether it can be carried out after those before it; says what it will change.</summary>
    /// <param name="plan">What it is part of.</param>
    /// <param name="state">As the actions before leave it.</param>
    /// <returns>Null, or why not.</returns>
    public abstract QmpError? Check(PlanContext plan, PlanState state);

    /// <summary>All of the plan was checked, and nobody changes its disks' bitmaps until it was carried out.</summary>
    /// <returns>True when nothing is left to be done; false after 0.1 ms at most.</returns>
    public virtual bool MakeReady() => true;

    /// <summary>What others than the disks' changes may have changed since the check.</summary>
    /// <returns>Null, or what.</returns>
    public virtual QmpError? WhatIsWrongNow() => null;

    /// <summary>All of the plan is right and all its disks are quiet.</summary>
    public abstract void Apply(PlanContext plan);

    /// <summary>It was carried out; whether something of it ends later.</summary>
    /// <param name="plan">What it is part of.</param>
    /// <param name="onSettled">Then told once, in a later turn.</param>
    public virtual bool BeginSettling(PlanContext plan, Action onSettled) => false;

    /// <summary>What went wrong after the moment; null: nothing.</summary>
    public virtual QmpError? SettleError => null;

    /// <summary>It will not be carried out: what the check has taken goes back.</summary>
    public virtual void Abandon(PlanContext plan) { }

    /// <summary>It is over. Threads: the monitor's.</summary>
    /// <param name="wasDone">It was carried out.</param>
    /// <param name="isLeft">
    /// And the moment is over: nobody uses what it took from the disks. False when a bug has stopped the engine in it.
    /// </param>
    /// <returns>True when memory waits to be collected.</returns>
    public virtual bool Release(bool wasDone, bool isLeft) => false;

    /// <summary>
    /// Finds a disk with the first check, and keeps to it: a disk of a plan that waits is not closed, but its name may
    /// come to mean another one.
    /// </summary>
    protected static QmpError? Resolve(PlanContext plan, string node, ref DiskObject? disk)
    {
        if (disk != null)
            return null;
        QmpError? error = plan.Nodes.FindSource(node, out disk);
        if (error == null)
            plan.MeanDisk(disk!);
        return error;
    }

    /// <summary>Finds a disk and takes its tracker's points in hand. Threads: one that may wait, in Prepare.</summary>
    /// <returns>Null, or why there are none.</returns>
    protected static QmpError? TakePoints(PlanContext plan, string node, ref DiskObject? disk, out DiskPoints? points)
    {
        DiskObject? found = disk;
        DiskPoints? taken = null;
        QmpError? error = null;
        Answer answer = plan.Turns.RunUnlessStopped(() =>
        {
            error = Resolve(plan, node, ref found);
            return error == null ? PointsInHand.TryTake(found!, out taken) : Answer.Ok;
        });
        (disk, points) = (found, taken);
        return answer.IsOk ? error : QmpError.Of(answer);
    }

    /// <summary>Finds a disk, and the points that the plan makes there. Threads: as above, in Prepare.</summary>
    /// <returns>Null, or why there are none.</returns>
    protected static QmpError? PlanPoints(
        PlanContext plan,
        string node,
        ref DiskObject? disk,
        out PlannedPoints? points
    )
    {
        DiskObject? found = disk;
        QmpError? error = null;
        Answer answer = plan.Turns.RunUnlessStopped(() =>
        {
            error = Resolve(plan, node, ref found);
            return Answer.Ok;
        });
        (disk, points) = (found, found == null ? null : plan.FindPoints(found));
        if (!answer.IsOk)
            return QmpError.Of(answer);
        if (points != null || error != null)
            return error;
        error = TakePoints(plan, node, ref disk, out DiskPoints? taken);
        if (error == null)
            points = plan.AddPoints(new PlannedPoints(found!, taken!));
        return error;
    }

    /// <summary>A second descriptor of a target: see UnfinishedCopy. Threads: one that may wait, in Prepare.</summary>
    /// <param name="plan">What the action is part of.</param>
    /// <param name="node">Of the target.</param>
    /// <param name="source">The disk that goes there.</param>
    /// <param name="target">Its device.</param>
    /// <param name="fd">The caller's; -1 after an error.</param>
    protected static QmpError? OpenAgain(
        PlanContext plan,
        string node,
        DiskObject source,
        out DeviceObject? target,
        out int fd
    )
    {
        DeviceObject? found = null;
        QmpError? error = null;
        int again = -1;
        Answer answer = plan.Turns.RunUnlessStopped(() =>
        {
            error = plan.Nodes.FindTarget(node, source, out found);
            again = error == null ? UnfinishedCopy.OpenAgain(found!) : -1;
            return Answer.Ok;
        });
        (target, fd) = (found, Math.Max(-1, again));
        if (!answer.IsOk)
            return QmpError.Of(answer);
        return error
            ?? (fd >= 0 ? null : QmpError.Generic($"Node '{node}' is no file or block device that can be written to"));
    }

    /// <summary>Only jobs can end together.</summary>
    protected QmpError? RefuseGrouped(PlanContext plan) =>
        plan.IsGrouped
            ? QmpError.Generic($"Action '{Type}' does not support Transaction property completion-mode = grouped")
            : null;
}
