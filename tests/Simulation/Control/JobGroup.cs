// Jobs that were started as one transaction.
using System.Collections.Generic;
using FastBackup.Jobs;

namespace FastBackup.Tests.Simulation.Control;

sealed class JobGroup(bool isSequential)
{
    public readonly List<JobRun> Members = [];
    public Transaction Transaction = null!;

    public bool IsSequential { get; } = isSequential;

    /// <summary>A member was cancelled or failed: the others may be cancelled with it.</summary>
    public bool IsFailed;

    /// <summary>Changes of any disk so far, when the first member's T0 was taken.</summary>
    public ulong? ChangesAtT0;
}
