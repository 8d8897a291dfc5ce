// One job of the world and what the oracle knows of it. Judges its end: success must be right and durable, failure
// must have a cause that the world really gave, and the bitmap must be what the table says.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Bitmaps;
using FastBackup.Copy;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.Oracle;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed class JobRun(Simulation world, string id, GuestDisk disk, TargetSlot target, BackupOptions options)
    : IJobListener
{
    const long MapBytes = 24 * 1024; // of one question: 1024 entries

    readonly ulong _sourceFaults = disk.Image.HardFaultCount;
    readonly ulong _mapFaults = disk.Image.MapFaultCount;
    readonly ulong _targetFaults = target.Image.HardFaultCount;
    readonly uint _targetFlushFaults = target.Image.FlushFaultCount;
    JobStatus _lastStatus = JobStatus.Created;
    ulong _lastDone;

    // How often the files had been resized when this job was at them last.
    uint _sourceResizeCount = uint.MaxValue;
    uint _targetResizeCount = uint.MaxValue;

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

    /// <summary>Memory of the system that was taken to make it.</summary>
    public long TakenBytes { get; init; }

    /// <summary>What its background may start.</summary>
    public PaceModel Pace { get; } = new();

    public bool HasBegun => Point != null;

    /// <summary>A verb; what it starts at once is under the new limit already.</summary>
    public Fault SetSpeed(ulong bytesPerSecond)
    {
        ulong before = Job.SpeedBytesPerSecond;
        bool isTaken = JobLife.Allows(Job.Status, JobVerb.SetSpeed) && bytesPerSecond <= long.MaxValue;
        if (isTaken)
            Pace.Set(bytesPerSecond, world.Clock.NowNs);
        Fault fault = Job.SetSpeed(bytesPerSecond);
        if (fault.IsNone != isTaken || (fault.IsFault && Job.SpeedBytesPerSecond != before))
            throw new SimulationFailure("O13", $"{Id}: speed {bytesPerSecond} answered '{fault}'");
        return fault;
    }

    /// <summary>
    /// O10: what was taken for the job comes back with it, but for what the kernel may still fill: that of an orphan,
    /// and of a source that has not told its map, which no end of a job waits for.
    /// </summary>
    public void Dispose()
    {
        long before = SystemMemory.TakenBytes;
        Job.Dispose();
        long givenBytes = before - SystemMemory.TakenBytes;
        bool isMapOut = Job.Disk.Device.InFlightCount > 0 && givenBytes == TakenBytes - MapBytes;
        if (givenBytes != TakenBytes && !isMapOut && !(Job.Filter.Engine.IsOrphaned && givenBytes < TakenBytes))
            throw new SimulationFailure("O10", $"{Id} gives {givenBytes} bytes of memory back, and took {TakenBytes}");
    }

    public void OnTargetChange(in Extent extent, ReadOnlySpan<byte> bytes)
    {
        _targetResizeCount = Target.Image.ResizeCount;
        Point?.CheckWrite(Id, extent, bytes);
    }

    /// <summary>
    /// O18: the limit counts what the background starts, but what is all zero, which may be a hole; and nothing passes
    /// it by but what guests have asked for.
    /// </summary>
    public void OnClaim(in Extent extent, CopyLane lane)
    {
        _sourceResizeCount = Source.Image.ResizeCount;
        Point!.OnClaim(extent);
        if (lane == CopyLane.Background && !Point.IsZero(extent))
            Pace.OnStart(Id, extent.LengthBytes, world.Clock.NowNs);
        bool isGuests = lane is CopyLane.CopyBeforeWrite or CopyLane.Rest;
        if (isGuests && !Point.IsAsked(extent))
            throw new SimulationFailure(
                "O18",
                $"{Id} copies {extent.OffsetBytes}+{extent.LengthBytes} for guests that have not asked for all of it"
            );
    }

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
        if (Base == null)
            CheckSize(Source.Image, Source.SizeBytes, _sourceResizeCount);
        CheckSize(Target.Image, Target.Image.CapacityBytes, _targetResizeCount);
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
            Bitmap.MaySpoil(Point, isAll: false); // top: a guest's copy failed, and then it was a hole
            Bitmap.Check("O7", $"after success of {Id}", WritesUnderWay());
        }
        if (Target.Chain != null)
        {
            if (WasChainValid)
                world.Tallies.Count(Branch.ChainVerified);
            Target.IsChainValid = Bitmap!.IsEnabled && (WasChainValid || Options.Sync == BackupSync.Full);
        }
        world.Judge.OnJobSucceeded(this);
    }

    /// <summary>O1: what has become shorter while the job was at it must have been noticed.</summary>
    void CheckSize(DiskImage image, ulong sizeBytes, uint resizeCountAtLastUse)
    {
        if (image.SizeBytes < sizeBytes && image.ResizeCount == resizeCountAtLastUse)
            throw new SimulationFailure(
                "O1",
                $"{Id} succeeded with a file of {image.SizeBytes} bytes, not {sizeBytes}"
            );
    }

    void OnFailure(in JobEvent jobEvent)
    {
        IsEnded = true;
        Group.IsFailed = true;
        bool isCancel = jobEvent.Kind == JobEventKind.Cancelled;
        world.Tallies.Count(isCancel ? Branch.JobCancelled : Branch.JobFailed);
        CheckCause(jobEvent);
        if (Bitmap == null)
            return;
        if (Point == null)
            OnNeverBegun();
        else
            OnBitmapFailure(Point);
        bool isPromised = Options.Sync == BackupSync.Full && Mode == BitmapMode.Always;
        if (isPromised && Target.Chain != null && Bitmap.IsEnabled)
            Target.IsChainValid = true; // whatever is not there, the bitmap names
    }

    /// <summary>Nothing was copied: mode always says so.</summary>
    void OnNeverBegun()
    {
        bool isOfAll = Options.Sync is BackupSync.Full or BackupSync.Top;
        if (Mode != BitmapMode.Always || !isOfAll)
            return;
        Bitmap!.OweAll();
        world.Tallies.Count(Branch.BitmapOwedAll);
    }

    void OnBitmapFailure(PointInTime point)
    {
        bool wasFlushLost = Target.Image.FlushFaultCount > _targetFlushFaults;
        Bitmap!.MaySpoil(point, wasFlushLost || Job.Filter.Engine.IsOrphaned);
        if (Mode == BitmapMode.Always)
        {
            Bitmap.KeepRest(point, Job.Todo);
            world.Tallies.Count(Branch.BitmapKeptRest);
        }
        if (Target.Chain != null && Target.IsChainValid)
            Bitmap.KeepChain(point);
        Bitmap.Reclaim();
        Bitmap.Check("O7", $"after failure of {Id}", WritesUnderWay());
    }

    /// <summary>A job ends while guests go on: what they write is recorded, and has not ended.</summary>
    List<Extent> WritesUnderWay()
    {
        List<Extent> extents = [];
        foreach (GuestOperation operation in world.Guests.Busy)
            if (operation.IsChange && ReferenceEquals(operation.Target, Source))
                extents.Add(operation.Extent);
        return extents;
    }

    /// <summary>O4: the error told is the first cause, and the world gave it.</summary>
    void CheckCause(in JobEvent jobEvent)
    {
        Fault fault = jobEvent.Fault;
        bool hasSourceFault = Source.Image.HardFaultCount > _sourceFaults;
        hasSourceFault |= Options.Sync == BackupSync.Top && Source.Image.MapFaultCount > _mapFaults;
        bool hasTargetFault = Target.Image.HardFaultCount > _targetFaults;
        hasTargetFault |= Scratch != null && Scratch.Image.HardFaultCount > 0; // counted from its job's start
        bool hasBaseFault =
            Base != null && (Base.IsBrokenOrEnded || Base.Target.Image.HardFaultCount > Base._targetFaults);
        hasBaseFault |= Base?.Scratch is { Image.HardFaultCount: > 0 }; // what it reads may have been there
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
        bool isDeviceFault = fault.Kind is FaultKind.Io or FaultKind.NoSpace or FaultKind.Truncated or FaultKind.Grown;
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
