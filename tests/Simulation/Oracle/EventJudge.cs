// Where the oracle listens: the engine's trace, and the port's view of changes to sources.
using System;
using FastBackup.Base;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Tests.Simulation.Control;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Oracle;

/// <summary>Threads: the simulation has one.</summary>
sealed class EventJudge(Simulation world) : ITraceSink, IPortWatcher
{
    /// <summary>Chunks claimed so far.</summary>
    public ulong ClaimCount { get; private set; }

    /// <summary>Changes of sources submitted so far.</summary>
    public ulong ChangeCount { get; private set; }

    public void OnChangeSubmitted(DiskImage image, ulong offsetBytes, ulong lengthBytes)
    {
        ChangeCount++;
        foreach (GuestDisk disk in world.Disks)
            if (ReferenceEquals(disk.Image, image))
                foreach (PointInTime point in disk.Points)
                    point.OnSourceChange(new Extent(offsetBytes, lengthBytes));
    }

    public void OnTargetChangeSubmitted(DiskImage image, ulong offsetBytes, ulong lengthBytes, ReadOnlySpan<byte> bytes)
    {
        foreach (JobRun run in world.Runs)
            if (ReferenceEquals(run.Target.Image, image) && !run.IsEnded)
                run.OnTargetChange(new Extent(offsetBytes, lengthBytes), bytes);
    }

    public void OnTrace(in TraceEvent e)
    {
        world.Port.Mix((ulong)e.Point << 56 ^ e.Extent.OffsetBytes << 8 ^ (uint)e.Cause);
        if (world.Log != null)
            world.Log(
                $"{world.Clock.NowNs} {e.Point} {e.Disk} {e.Job} "
                    + $"{e.Extent.OffsetBytes}+{e.Extent.LengthBytes} {e.Cause}"
            );
        if (e.Job.Length == 0)
            OnDiskTrace(e);
        else if (FindRun(e.Job) is { } run)
            OnJobTrace(run, e);
    }

    void OnDiskTrace(in TraceEvent e)
    {
        GuestDisk? disk = FindDisk(e.Disk);
        if (disk == null)
            return;
        switch (e.Point)
        {
            case TracePoint.GateClosed:
                disk.OnGate(isClosed: true, world.Clock.NowNs);
                if (disk.HookWritesInFlight > 0)
                    world.Tallies.Count(Mishap.QuiesceDuringWrites);
                break;
            case TracePoint.GateOpened:
                disk.OnGate(isClosed: false, world.Clock.NowNs);
                break;
            case TracePoint.Absorb:
                world.Tallies.Count(Branch.Absorbed);
                disk.Cache.OnAbsorbed(disk.Disk, e.Extent, world.Clock.NowNs);
                foreach (PointInTime point in disk.Points)
                    point.OnAbsorb(e.Extent);
                break;
            case TracePoint.AbsorbLost:
                world.Tallies.Count(Branch.AbsorbedLost);
                disk.Cache.OnLost(e.Extent);
                break;
            case TracePoint.CbwTimeout:
                foreach (JobRun run in world.Runs)
                    if (ReferenceEquals(run.Source, disk))
                        run.WasTimedOut = true;
                break;
            default:
                break;
        }
    }

    void OnJobTrace(JobRun run, in TraceEvent e)
    {
        switch (e.Point)
        {
            case TracePoint.PointInTime:
                OnPointInTime(run);
                break;
            case TracePoint.Detached:
                run.Source.Points.Remove(run.Point!);
                if (run.Job.Status is not (JobStatus.Pending or JobStatus.Aborting))
                    throw new SimulationFailure("O1", $"{run.Id} left its disk while {run.Job.Status}");
                break;
            case TracePoint.Claim:
                ClaimCount++;
                run.OnClaim(e.Extent, (Copy.CopyLane)e.Cause);
                if (e.Cause == (int)Copy.CopyLane.Offered)
                    world.Tallies.Count(Branch.OfferedReadTaken);
                if (e.Cause == (int)Copy.CopyLane.Rest)
                    world.Tallies.Count(Branch.RestCopied);
                break;
            case TracePoint.Capture when e.Cause != 0:
                world.Tallies.Count(Branch.HoleLetGo);
                run.Point!.OnKnownZero(run.Id, e.Extent);
                break;
            case TracePoint.BlockCapture when e.Cause != 0:
                world.Tallies.Count(Branch.BlockWarm);
                run.Point!.OnAsked(e.Extent);
                break;
            case TracePoint.BlockCapture:
                world.Tallies.Count(Branch.BlockCaptured);
                break;
            case TracePoint.BlockMerge:
                world.Tallies.Count(e.Cause > 0 ? Branch.BlocksMerged : Branch.BlockReadTooLate);
                break;
            case TracePoint.Warm:
                world.Tallies.Count(e.Cause > 0 ? Branch.Warmed : Branch.NothingWarm);
                break;
            case TracePoint.SetBack:
                world.Tallies.Count(Branch.SetBack);
                run.Point!.OnSetBack(e.Extent);
                break;
            case TracePoint.Skip:
                world.Tallies.Count(Branch.Skipped);
                run.Point!.OnSkip(e.Extent);
                break;
            case TracePoint.Park:
                world.Tallies.Count(Branch.Parked);
                break;
            case TracePoint.Retry:
                world.Tallies.Count(Branch.Retried);
                break;
            case TracePoint.Abandon:
                world.Tallies.Count(Branch.Abandoned);
                break;
            case TracePoint.Spill:
                world.Tallies.Count(Branch.Spilled);
                if (run.Scratch?.Image.TailBytes > 0)
                    world.Tallies.Count(Branch.VastScratchUsed);
                break;
            case TracePoint.Recall:
                world.Tallies.Count(Branch.Recalled);
                break;
            case TracePoint.ScratchFailed:
                world.Tallies.Count(Branch.ScratchFailed);
                break;
            case TracePoint.Orphaned:
                world.Tallies.Count(Branch.Orphaned);
                break;
            case TracePoint.SecondPass:
                world.Tallies.Count(Branch.SecondPass);
                break;
            case TracePoint.SnapshotRead:
                world.Tallies.Count(
                    e.Cause == 0 ? Branch.ViewReadFromDisk
                    : e.Cause == 1 ? Branch.ViewReadFromMemory
                    : e.Cause == 2 ? Branch.ViewReadFromTarget
                    : Branch.ViewReadFromScratch
                );
                break;
            case TracePoint.Broken:
                OnBroken(run, e.Cause);
                break;
            default:
                break;
        }
    }

    /// <summary>T0: nothing is under way on the disk, and the oracle takes its copy.</summary>
    void OnPointInTime(JobRun run)
    {
        GuestDisk disk = run.Source;
        byte[] frozen;
        if (run.Base != null)
        {
            frozen = run.Base.Point!.FrozenArray;
        }
        else
        {
            if (disk.HookWritesInFlight > 0 || disk.Image.ChangesInFlight > 0)
                throw new SimulationFailure(
                    "O1",
                    $"T0 of {run.Id} with {disk.HookWritesInFlight} writes granted, "
                        + $"{disk.Image.ChangesInFlight} in flight"
                );
            disk.JudgeAll("at T0 of " + run.Id);
            frozen = world.RentImage(disk.CapacityBytes);
            disk.Image.Content.CopyTo(frozen);
        }
        DiskImage? source = run.Base == null ? disk.Image : null;
        PointInTime point = new(run.Job, run.Options, frozen, source, run.Target.Image, world.Tallies, world.Scratch)
        {
            Scratch = run.Scratch,
        };
        run.Point = point;
        if (run.Bitmap != null)
            SetMembers(run, point);
        if (run.Base == null)
        {
            if (disk.Points.Count > 0)
                world.Tallies.Count(Mishap.SecondJobOnDisk);
            disk.Points.Add(point);
            foreach (GuestOperation operation in world.Guests.Busy)
                if (ReferenceEquals(operation.Target, disk))
                    operation.Meet(point);
        }
        run.WasChainValid = run.Target.IsChainValid || run.Options.Sync == BackupSync.Full;
        CheckGroup(run);
    }

    /// <summary>O7: the job reads the frozen bitmap; what it will copy is exactly that, rounded to clusters.</summary>
    static void SetMembers(JobRun run, PointInTime point)
    {
        BitmapModel bitmap = run.Bitmap!;
        bitmap.Freeze();
        bitmap.Check("O7", "at T0 of " + run.Id);
        if (run.Options.Sync is not (BackupSync.Incremental or BackupSync.Bitmap))
            return;
        for (int c = 0; c < point.ClusterCount; c++)
        {
            Extent bytes = point.Bytes(c);
            ulong granularity = bitmap.Bitmap.GranularityBytes;
            point.IsMember[c] = false;
            for (ulong g = bytes.OffsetBytes / granularity; g * granularity < bytes.EndBytes; g++)
                point.IsMember[c] |= bitmap.Bitmap.Bits.GetBit(g);
            if (run.Job.IsTodo((ulong)c) != point.IsMember[c])
                throw new SimulationFailure("O7", $"{run.Id}: cluster {c} to do differs from its bitmap");
        }
    }

    /// <summary>O11: between the first and the last T0 of a group no disk has changed.</summary>
    void CheckGroup(JobRun run)
    {
        JobGroup group = run.Group;
        group.ChangesAtT0 ??= ChangeCount;
        if (group.Members.Count > 1 && run.Base == null)
            world.Tallies.Count(Branch.GroupT0);
        if (group.ChangesAtT0 != ChangeCount)
            throw new SimulationFailure("O11", $"{run.Id}: the disks changed between the T0s of its group");
    }

    /// <summary>O4: who may lose the snapshot, and why.</summary>
    void OnBroken(JobRun run, int errno)
    {
        world.Tallies.Count(Branch.SnapshotBroken);
        if (run.Point is not { } point)
            return;
        point.IsBroken = true;
        bool isEnding = run.Job.Status == JobStatus.Aborting;
        if (point.Policy == CbwErrorPolicy.BreakGuestWrite && !isEnding)
            throw new SimulationFailure("O4", $"{run.Id} lost its snapshot, although guests' writes should fail first");
        if (errno != Errnos.ETIMEDOUT || isEnding)
            return;
        world.Tallies.Count(Mishap.TimeoutBreaksSnapshot);
        foreach (GuestOperation operation in world.Guests.Busy)
            if (
                ReferenceEquals(operation.Target, run.Source)
                && operation.IsChange
                && point.WaitLimitNs > 0
                && world.Clock.NowNs - operation.BegunNs >= point.WaitLimitNs
                && point.Touches(operation.Extent)
            )
                return;
        if (run.Source.Cache.HasTimedOut(run.Source.Disk, point, world.Clock.NowNs))
            return;
        throw new SimulationFailure("O4", $"{run.Id} lost its snapshot by a timeout that no write had");
    }

    /// <summary>O4: a write may be denied only for a point in time whose policy says so.</summary>
    public void OnGuestFailed(GuestOperation operation, Fault fault, bool isDenied)
    {
        world.Tallies.Count(Branch.DeniedGuest);
        if (!isDenied)
            return;
        foreach (PointInTime point in operation.Target.Points)
        {
            if (point.Policy != CbwErrorPolicy.BreakGuestWrite || point.IsBroken || !point.Touches(operation.Extent))
                continue;
            if (fault.Kind != FaultKind.TimedOut)
                return;
            if (point.WaitLimitNs > 0 && world.Clock.NowNs - operation.BegunNs >= point.WaitLimitNs)
            {
                world.Tallies.Count(Mishap.TimeoutDeniesGuest);
                return;
            }
        }
        throw new SimulationFailure("O4", $"guest write {operation.Sequence} was denied without cause: {fault}");
    }

    public void OnJobSucceeded(JobRun run)
    {
        if (run.Base != null)
            world.Tallies.Count(Branch.FleecingCopyDone);
        world.Director.OnJobSucceeded(run);
    }

    JobRun? FindRun(string id)
    {
        foreach (JobRun run in world.Runs)
            if (ReferenceEquals(run.Id, id) || run.Id == id)
                return run;
        return null;
    }

    GuestDisk? FindDisk(string name)
    {
        foreach (GuestDisk disk in world.Disks)
            if (ReferenceEquals(disk.Disk.Name, name))
                return disk;
        return null;
    }
}
