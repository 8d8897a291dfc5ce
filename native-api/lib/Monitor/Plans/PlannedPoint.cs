// One action's point of a disk's tracker, at the instant of a plan, with all others that the plan makes on that disk.
using System;
using FastBackup.Native.Monitor.Commands;

namespace FastBackup.Native.Monitor.Plans;

/// <summary>Threads: the reactor's.</summary>
/// <param name="points">All of the plan on this disk.</param>
/// <param name="what">What it is to people.</param>
/// <param name="name">Its name.</param>
sealed class PlannedPoint(PlannedPoints points, string what, string name)
{
    /// <summary>Why it is not durable; null: it is.</summary>
    public QmpError? Error =>
        points.Fault.IsNone
            ? null
            : QmpError.Generic($"{what} '{name}' is not durable, and its tracker is inconsistent: {points.Fault}");

    public QmpError? WhatIsWrongNow() => points.WhatIsWrongNow();

    public void Apply() => points.Apply();

    /// <returns>False: it has ended.</returns>
    public bool BeginSettling(Action onSettled) => points.BeginSettling(onSettled);

    public void Abandon() => points.Abandon();
}
