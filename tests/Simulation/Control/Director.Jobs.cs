// Starting jobs, alone or in groups, and the verbs.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Copy;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.Oracle;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed partial class Director
{
    void StartJobs()
    {
        if (_world.Runs.Count >= _runsMax)
            return;
        if (_prng.Chance(1, 6) && TryStartFleecing())
            return;
        int count = !_world.IsTight && _prng.Chance(1, 3) ? 2 + (int)_prng.Below(2) : 1;
        JobGroup group = new(count > 1 && _prng.Chance(1, 2));
        List<Job> jobs = [];
        for (int i = 0; i < count; i++)
            if (TryMakeRun(_world.Disks[(int)_prng.Below((ulong)_world.Disks.Count)], group) is { } run)
                jobs.Add(run.Job);
        if (jobs.Count == 0)
            return;
        if (group.IsSequential && jobs.Count > 1)
            _world.Tallies.Count(Branch.SequentialGroup);
        Start(group, jobs);
    }

    void Start(JobGroup group, List<Job> jobs)
    {
        foreach (JobRun member in group.Members)
            if (member.Source.HookWritesInFlight + member.Source.Image.ChangesInFlight > 0)
                _world.Tallies.Count(Mishap.StartDuringWrites);
        group.Transaction = new Transaction(_world.Reactor, [.. jobs], group.IsSequential);
        if (_prng.Chance(1, 20))
            Cancel(group.Members[0]); // before it began
        group.Transaction.Start();
    }

    JobRun? TryMakeRun(GuestDisk disk, JobGroup group)
    {
        TargetSlot? target = FindTarget(disk);
        if (target == null)
            return null;
        BackupOptions options = DrawOptions(disk, target, out BitmapModel? bitmap);
        bool hasView = options.Sync != BackupSync.Top && _prng.Chance(1, 2);
        return MakeRun(disk, disk.Disk, target, options, hasView, bitmap, group);
    }

    JobRun? MakeRun(
        GuestDisk disk,
        Disk subject,
        TargetSlot target,
        BackupOptions options,
        bool hasView,
        BitmapModel? bitmap,
        JobGroup group
    )
    {
        PrepareTarget(target);
        OpenRefusal refusal = BackupJob.TryCreate(
            _world.Reactor,
            subject,
            target.Device,
            _world.Pool,
            options,
            hasView,
            out BackupJob? job
        );
        _world.Log?.Invoke(
            $"create {options.Id} on {subject.Name}: {options.Sync} {options.BitmapMode} {refusal.Sentence}"
        );
        if (!refusal.IsNone)
            throw new SimulationFailure("O13", $"a good job was refused: {refusal.Sentence}");
        job!.Filter.Engine.ReadPieceBytes = (ulong)options.Filter.ClusterBytes << (int)_prng.Below(6);
        JobRun run = new(_world, options.Id!, disk, target, options)
        {
            Scratch = Take(options.Filter.Scratch),
            Job = job,
            Group = group,
            Bitmap = bitmap,
        };
        job.Listener = run;
        group.Members.Add(run);
        target.IsTaken = true;
        _world.Runs.Add(run);
        return run;
    }

    TargetSlot? FindTarget(GuestDisk disk)
    {
        List<TargetSlot> targets = _targets[disk.Index];
        int start = (int)_prng.Below((ulong)targets.Count);
        for (int i = 0; i < targets.Count; i++)
        {
            TargetSlot target = targets[(start + i) % targets.Count];
            bool isChainBusy = target.Chain is { } chain && (chain.IsBusy || chain.Bitmap.IsBusy);
            // A request of an ended job that the device has not answered yet would land in the next one's data.
            if (!target.IsTaken && !isChainBusy && target.Device.InFlightCount == 0)
                return target;
        }
        return null;
    }

    /// <summary>A new file, where it is said to be one; a chain's target keeps what it has.</summary>
    static void PrepareTarget(TargetSlot target)
    {
        if (target.Chain == null && target.IsZeroInitialised)
            target.Image.Reset();
    }

    BackupOptions DrawOptions(GuestDisk disk, TargetSlot target, out BitmapModel? bitmap)
    {
        BackupSync sync = (BackupSync)_prng.Below(5);
        bitmap = target.Chain ?? DrawBitmap(disk);
        BitmapMode? mode = null;
        if (target.Chain != null && sync is BackupSync.None or BackupSync.Top)
            sync = target.IsChainValid ? BackupSync.Incremental : BackupSync.Full;
        if (bitmap == null && sync is BackupSync.Incremental or BackupSync.Bitmap)
            sync = BackupSync.Full;
        if (sync == BackupSync.None)
            bitmap = null;
        if (bitmap != null && sync != BackupSync.Incremental)
            mode =
                sync == BackupSync.Bitmap ? (BitmapMode)_prng.Below(3)
                : _prng.Chance(1, 2) ? BitmapMode.OnSuccess
                : BitmapMode.Always;
        uint clusterBytes = ClusterBytesFor();
        return new BackupOptions
        {
            Id = "job" + ++_jobCount,
            Sync = sync,
            MayTargetBeLarger = true,
            Bitmap = bitmap?.Bitmap,
            BitmapMode = mode,
            SpeedBytesPerSecond = _prng.Chance(1, 5) ? 1000ul << (int)_prng.Below(20) : 0,
            GuestPriority = (GuestPriority)_prng.Below(3),
            OnSourceError = DrawPolicy(),
            OnTargetError = DrawPolicy(),
            AutoFinalize = _prng.Chance(3, 4),
            AutoDismiss = _prng.Chance(3, 4),
            Filter = DrawFilter(clusterBytes),
        };
    }

    FilterOptions DrawFilter(uint clusterBytes) =>
        new()
        {
            ClusterBytes = clusterBytes,
            OnCbwError = _prng.Chance(1, 2) ? CbwErrorPolicy.BreakGuestWrite : CbwErrorPolicy.BreakSnapshot,
            CbwTimeoutMs =
                _prng.Chance(1, 4) ? 0
                : _prng.Chance(1, 2) ? 30_000
                : 1u << (int)_prng.Below(10),
            TaskMax = 1 + (uint)_prng.Below(16),
            CaptureBytesMax = _prng.Chance(1, 3) ? (ulong)clusterBytes << (int)_prng.Below(5) : ulong.MaxValue,
            Scratch = DrawScratch(clusterBytes),
            TakesGuestReads = _prng.Chance(1, 2),
        };

    ScratchSpace? DrawScratch(uint clusterBytes)
    {
        if (!_prng.Chance(1, 2))
            return null;
        foreach (ScratchSlot slot in _scratches)
        {
            if (slot.IsTaken || slot.Device.InFlightCount > 0)
                continue;
            slot.Image.Reset();
            slot.Image.HardFaultCount = 0;
            ulong limitBytes = clusterBytes + _prng.Below(slot.Image.CapacityBytes);
            Fault fault = ScratchSpace.TryCreate(slot.Device, limitBytes, clusterBytes, out ScratchSpace? scratch);
            return fault.IsNone ? scratch : null;
        }
        return null;
    }

    /// <summary>The slot of a space that was drawn; it is taken from here on.</summary>
    ScratchSlot? Take(ScratchSpace? scratch)
    {
        foreach (ScratchSlot slot in _scratches)
        {
            if (scratch == null || !ReferenceEquals(slot.Device, scratch.Device))
                continue;
            slot.IsTaken = true;
            return slot;
        }
        return null;
    }

    uint ClusterBytesFor()
    {
        uint cluster = 4096u << (int)_prng.Below(5);
        while (cluster > _world.Pool.BufferBytes)
            cluster /= 2;
        return cluster;
    }

    ErrorPolicy DrawPolicy() => (ErrorPolicy)_prng.Below(5);

    /// <summary>A snapshot of one job as the disk of another, which gives up on it what it has copied.</summary>
    bool TryStartFleecing()
    {
        foreach (JobRun run in _world.Runs)
        {
            bool isFit =
                run.Point != null && !run.IsEnded && run.Job.View != null && run.Options.Sync == BackupSync.None;
            if (!isFit || run.Dependents.Count > 0 || run.HadDiscard || FindTarget(run.Source) is not { } target)
                continue;
            if (target.Chain != null)
                return false;
            JobGroup group = new(isSequential: false);
            Disk viewDisk = new(_world.Reactor, run.Job.View!, "view of " + run.Id, 2);
            BackupOptions options = new()
            {
                Id = "job" + ++_jobCount,
                MayTargetBeLarger = true,
                DiscardSource = _prng.Chance(2, 3),
                OnSourceError = DrawPolicy(),
                OnTargetError = DrawPolicy(),
                Filter = DrawFilter(ClusterBytesFor()),
            };
            JobRun copy = MakeRun(run.Source, viewDisk, target, options, hasView: false, bitmap: null, group)!;
            (copy.Base, copy.ViewDisk) = (run, viewDisk);
            run.Dependents.Add(copy);
            Start(group, [copy.Job]);
            return true;
        }
        return false;
    }

    void GiveVerb()
    {
        if (_world.Runs.Count == 0)
            return;
        JobRun run = _world.Runs[(int)_prng.Below((ulong)_world.Runs.Count)];
        JobStatus status = run.Job.Status;
        bool isBusy = run.Job.Filter.Engine.InFlightCount > 0;
        switch (_prng.Below(9))
        {
            case 0 when _prng.Chance(1, 3):
                if (isBusy)
                    _world.Tallies.Count(Mishap.CancelInFlight);
                Cancel(run);
                break;
            case 1:
                if (isBusy && status == JobStatus.Running)
                    _world.Tallies.Count(Mishap.PauseInFlight);
                Expect(run, JobVerb.Pause, run.Job.Pause(), JobLife.Allows(status, JobVerb.Pause));
                break;
            case 2 or 3:
                Expect(run, JobVerb.Resume, run.Job.Resume(), JobLife.Allows(status, JobVerb.Resume));
                break;
            case 4 when JobLife.Allows(status, JobVerb.Pause):
                if (run.IsInternallyPaused)
                    run.Job.ResumeInternally();
                else
                    run.Job.PauseInternally();
                run.IsInternallyPaused = !run.IsInternallyPaused;
                break;
            case 5:
                ulong speed = _prng.Chance(1, 2) ? 0 : 1000ul << (int)_prng.Below(24);
                Expect(run, JobVerb.SetSpeed, run.Job.SetSpeed(speed), JobLife.Allows(status, JobVerb.SetSpeed));
                Expect(run, JobVerb.SetSpeed, run.Job.SetSpeed(ulong.MaxValue), isAllowed: false);
                break;
            case 6 when _prng.Chance(1, 2):
                run.Job.SetGuestPriority((GuestPriority)_prng.Below(3));
                break;
            case 6:
                if (status == JobStatus.Pending)
                    _world.Tallies.Count(Branch.FinalizedByHand);
                Expect(run, JobVerb.Finalize, run.Job.Finalize(), status == JobStatus.Pending);
                break;
            case 7:
                Expect(run, JobVerb.Dismiss, run.Job.Dismiss(), status == JobStatus.Concluded);
                break;
            default:
                Expect(run, JobVerb.Complete, run.Job.Complete(), isAllowed: false);
                break;
        }
    }

    void Cancel(JobRun run)
    {
        if (!JobLife.Allows(run.Job.Status, JobVerb.Cancel))
            return;
        run.WasCancelled = true;
        foreach (JobRun member in run.Group.Members)
            member.WasCancelled = true;
        _world.Log?.Invoke("cancel " + run.Id);
        Fault fault = run.Job.Cancel();
        if (fault.IsFault)
            throw new SimulationFailure("O13", $"cancel of {run.Id} was refused in {run.Job.Status}");
    }

    /// <summary>O13: a verb that is not allowed says so; so do a pause while paused and a resume while not.</summary>
    void Expect(JobRun run, JobVerb verb, Fault fault, bool isAllowed)
    {
        _world.Log?.Invoke($"{verb} {run.Id}: {fault}");
        bool mayRefuse = verb is JobVerb.Pause or JobVerb.Resume;
        if (fault.IsNone && !isAllowed || fault.IsFault && isAllowed && !mayRefuse)
            throw new SimulationFailure("O13", $"{verb} of {run.Id} in {run.Job.Status} answered '{fault}'");
    }
}
