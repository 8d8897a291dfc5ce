// One action of a plan. It is checked twice, with the same eyes: when the command comes, and in the quiesced moment in
// which it is carried out, since jobs and hosts may have changed things in between.
using System.Collections.Generic;
using FastBackup.Native.Disks;

namespace FastBackup.Native.Monitor.Plans;

/// <summary>Threads: the reactor's.</summary>
abstract class PlanAction
{
    /// <summary>QMP's name of it.</summary>
    public abstract string Type { get; }

    /// <summary>Disks that must be quiet for it; known once it was checked.</summary>
    public HashSet<DiskObject> Disks { get; } = [];

    /// <summary>Whether it can be carried out after those before it; says what it will change.</summary>
    /// <param name="plan">What it is part of.</param>
    /// <param name="state">As the actions before leave it.</param>
    /// <returns>Null, or why not.</returns>
    public abstract QmpError? Check(Plan plan, PlanState state);

    /// <summary>All of the plan was checked a moment ago and all its disks are quiet.</summary>
    public abstract void Apply(Plan plan);

    /// <summary>It will not be carried out: what the check has taken goes back.</summary>
    public virtual void Abandon(Plan plan) { }

    /// <summary>
    /// Finds a disk with the first check, and keeps to it: a disk of a plan that waits is not closed, but its name may
    /// come to mean another one.
    /// </summary>
    protected QmpError? Resolve(Plan plan, string node, ref DiskObject? disk)
    {
        if (disk != null)
            return null;
        QmpError? error = plan.Monitor.Nodes.FindSource(node, out disk);
        if (error == null)
            _ = Disks.Add(disk!);
        return error;
    }

    /// <summary>Only jobs can end together.</summary>
    protected QmpError? RefuseGrouped(Plan plan) =>
        plan.IsGrouped
            ? QmpError.Generic($"Action '{Type}' does not support Transaction property completion-mode = grouped")
            : null;
}
