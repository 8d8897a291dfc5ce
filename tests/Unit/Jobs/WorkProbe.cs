// Stands in for the job towards one part of it: answers what the test sets, and remembers what it is told.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Jobs;

namespace FastBackup.Tests.Unit.Jobs;

sealed class WorkProbe : IBackupWork
{
    public JobStatus Status { get; set; } = JobStatus.Running;

    public bool IsCopying { get; set; } = true;

    public bool IsBackingOff { get; set; }

    public int GoOnCount { get; private set; }

    public int GoOnLaterCount { get; private set; }

    public int SucceededCount { get; private set; }

    public int AbortedCount { get; private set; }

    public List<Fault> DeviceFaults { get; } = [];

    public List<Fault> Flushes { get; } = [];

    public bool MustBackOff() => IsBackingOff;

    public void GoOn() => GoOnCount++;

    public void GoOnLater() => GoOnLaterCount++;

    public void OnDeviceFault(Fault fault, bool isSource, bool isFinal) => DeviceFaults.Add(fault);

    public void OnFlushed(Fault fault) => Flushes.Add(fault);

    public void OnSucceeded() => SucceededCount++;

    public void OnAborted() => AbortedCount++;
}
