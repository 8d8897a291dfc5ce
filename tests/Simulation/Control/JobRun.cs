// One job of the world and what the oracle knows of it. Judges its end: success must be right and durable, failure
// must have a cause that the world really gave, and the bitmap must be what the table says.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.Oracle;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed class JobRun(Simulation world, string id, GuestDisk disk, TargetSlot target, BackupOptions options)
    : IJobListener
{
    readonly ulong _sourceFaults = disk.Image.HardFaultCount;
    readonly ulong _targetFaults = target.Image.HardFaultCount;
    JobStatus _lastStatus = JobStatus.Created;
    ulong _lastDone;

    public string Id { get; } = id;

    /// <summary>Whose data it copies; for a fleecing copy the disk under the snapshot.</summary>
    public GuestDisk Source { get; } = disk;
    public TargetSlot Target { get; } = target;
    public BackupOptions Options { get; } = options;
    public ScratchSlot? Scratch { get; init; }
    public BackupJob Job = null!;
    public JobGroup Group = null!;
    public PointInTime? Point;

    /// <summary>A fleecing copy: the job whose snapshot is its source, and the disk over its view.</summary>
    public JobRun? Base;
    public Disk? ViewDisk;

    /// <summary>Copies that read this job's snapshot.</summary>
    public readonly List<JobRun> Dependents = [];
    public BitmapModel? Bitmap;
    public bool WasCancelled;
    public bool WasTimedOut;
    public bool HadDiscard;
    public bool IsInternallyPaused;
    public bool IsSpeedLifted;
    public bool IsEnded;
    public bool WasChainValid;
    public int ReadsInFlight;

    public bool HasBegun => Point != null;

    public bool IsBrokenOrEnded => IsEnded || Job.Filter.IsBroken;

    public void OnJobEvent(Job job, in JobEvent jobEvent)
    {
        world.Log?.Invoke($"job {Id}: {jobEvent.Kind} {jobEvent.Status} {jobEvent.Fault}");
        switch (jobEvent.Kind)
        {
            case JobEventKind.StatusChanged:
                if (!JobLife.IsEdge(_lastStatus, jobEvent.Status))
                    throw new SimulationFailure("O13", $"{Id}: {_lastStatus} to {jobEvent.Status} is no edge");
                _lastStatus = jobEvent.Status;
                break;
            case JobEventKind.DeviceError:
                world.Tallies.Count(
                    jobEvent.Action == ErrorPolicy.Ignore ? Branch.PolicyIgnore
                    : jobEvent.Action == ErrorPolicy.Stop ? Branch.PolicyStop
                    : Branch.PolicyReport
                );
                break;
            case JobEventKind.Completed:
                OnSuccess();
                break;
            case JobEventKind.Failed:
            case JobEventKind.Cancelled:
                OnFailure(jobEvent);
                break;
            default:
                break;
        }
    }

    /// <summary>After each step of the world.</summary>
    public void CheckProgress()
    {
        JobProgress progress = Job.Query();
        if (progress.DoneBytes < _lastDone)
            throw new SimulationFailure("O10", $"{Id}: progress goes backwards");
        if (progress.DoneBytes + progress.InFlightBytes > progress.TotalBytes && Options.Sync != BackupSync.None)
            if (!HadDiscard)
                throw new SimulationFailure("O10", $"{Id}: {progress.DoneBytes} done of {progress.TotalBytes}");
        _lastDone = progress.DoneBytes;
        if (IsInternallyPaused && Job.Status == JobStatus.Running)
            throw new SimulationFailure("O13", $"{Id} runs although it is paused internally");
    }

    void OnSuccess()
    {
        IsEnded = true;
        world.Tallies.Count(Branch.JobSucceeded);
        if (Point == null)
            throw new SimulationFailure("O1", $"{Id} succeeded without a point in time");
        if (Group.IsFailed)
            throw new SimulationFailure("O7", $"{Id} succeeded in a group that failed");
        Point.CheckTarget(Id, Target.Chain != null && WasChainValid);
        JobProgress progress = Job.Query();
        if (progress.DoneBytes != progress.TotalBytes && !HadDiscard)
            throw new SimulationFailure("O10", $"{Id}: ends at {progress.DoneBytes} of {progress.TotalBytes}");
        if (Job.Todo.CountBits() != 0 && !HadDiscard)
            throw new SimulationFailure("O1", $"{Id}: succeeded with {Job.Todo.CountBits()} clusters to do");
        if (Bitmap != null)
        {
            if (Mode == BitmapMode.Never)
                Bitmap.Reclaim();
            else
                Bitmap.Abdicate();
            Bitmap.Check("O7", $"after success of {Id}");
        }
        if (Target.Chain != null)
        {
            if (WasChainValid)
                world.Tallies.Count(Branch.ChainVerified);
            Target.IsChainValid = Bitmap!.IsEnabled && (WasChainValid || Options.Sync == BackupSync.Full);
        }
        world.OnJobSucceeded(this);
    }

    void OnFailure(in JobEvent jobEvent)
    {
        IsEnded = true;
        Group.IsFailed = true;
        bool isCancel = jobEvent.Kind == JobEventKind.Cancelled;
        world.Tallies.Count(isCancel ? Branch.JobCancelled : Branch.JobFailed);
        CheckCause(jobEvent);
        if (Bitmap == null || Point == null)
            return;
        if (Mode == BitmapMode.Always)
        {
            Bitmap.KeepRest(Point, Job.Todo);
            world.Tallies.Count(Branch.BitmapKeptRest);
        }
        else
        {
            Bitmap.Reclaim();
        }
        Bitmap.Check("O7", $"after failure of {Id}");
    }

    /// <summary>O4: the error told is the first cause, and the world gave it.</summary>
    void CheckCause(in JobEvent jobEvent)
    {
        Fault fault = jobEvent.Fault;
        bool hasSourceFault = Source.Image.HardFaultCount > _sourceFaults;
        bool hasTargetFault = Target.Image.HardFaultCount > _targetFaults;
        hasTargetFault |= Scratch != null && Scratch.Image.HardFaultCount > 0; // counted from its job's start
        bool hasBaseFault =
            Base != null && (Base.IsBrokenOrEnded || Base.Target.Image.HardFaultCount > Base._targetFaults);
        string? wrong = fault.Kind switch
        {
            FaultKind.Canceled => WasCancelled || Group.Members.Count > 1 ? null : "nobody cancelled it",
            FaultKind.TimedOut => WasTimedOut || hasBaseFault ? null : "nothing timed out",
            FaultKind.SnapshotLost => Base != null ? null : "it has no snapshot as its source",
            FaultKind.State => HasBegun ? "it had begun" : null,
            _ => hasSourceFault || hasTargetFault || hasBaseFault ? null : "no device failed",
        };
        bool isSoft = fault.Errno is Errnos.EINVAL or Errnos.EOPNOTSUPP or Errnos.EAGAIN or Errnos.EINTR;
        if (isSoft || fault.Kind == FaultKind.None)
            wrong = "this is not an error of a device";
        bool isDeviceFault = fault.Kind is FaultKind.Io or FaultKind.NoSpace or FaultKind.Truncated;
        if (
            isDeviceFault
            && Base == null
            && hasSourceFault != hasTargetFault
            && jobEvent.IsSourceFault != hasSourceFault
        )
            wrong = hasSourceFault ? "the source failed, not the target" : "the target failed, not the source";
        if (wrong != null)
            throw new SimulationFailure("O4", $"{Id} ended with '{fault}', but {wrong}");
    }

    BitmapMode Mode => Options.BitmapMode ?? BitmapMode.OnSuccess;
}
