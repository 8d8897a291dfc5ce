// Starts jobs, alone or in groups, and copies of snapshots beside the jobs that they belong to.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Filter;
using FastBackup.Jobs;
using FastBackup.Tests.Simulation.Guests;
using FastBackup.Tests.Simulation.Oracle;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation.Control;

sealed class JobStarter
{
    readonly Simulation _world;
    readonly Prng _prng;
    readonly Places _places;
    readonly JobVerbs _verbs;
    readonly JobOptions _options;
    readonly uint _runsMax;

    public JobStarter(Simulation world, Prng prng, Places places, JobOptions options, JobVerbs verbs)
    {
        (_world, _prng, _places, _options, _verbs) = (world, prng, places, options, verbs);
        _runsMax = world.IsTight ? 1 : 1 + (uint)prng.Below(4);
    }

    /// <summary>One job, or a group of them, unless as many as there may be are there.</summary>
    public void StartSome()
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
            _verbs.Cancel(group.Members[0]); // before it began
        group.Transaction.Start();
    }

    JobRun? TryMakeRun(GuestDisk disk, JobGroup group)
    {
        TargetSlot? target = _places.FindTarget(disk);
        if (target == null)
            return null;
        BackupOptions options = _options.Draw(disk, target, out BitmapModel? bitmap);
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
        Places.Prepare(target);
        long before = SystemMemory.TakenBytes;
        BackupMemory? ready = _prng.Chance(1, 4) ? TakeMemory(subject, options, hasView) : null;
        if (_prng.Chance(1, 8))
            TryWithoutMemory(subject, target, options, hasView);
        OpenRefusal refusal = BackupJob.TryCreate(
            _world.Reactor,
            subject,
            target.Device,
            _world.Pool,
            options,
            hasView,
            ready,
            out BackupJob? job
        );
        ready?.Dispose();
        _world.Log?.Invoke(
            $"create {options.Id} on {subject.Name}: {options.Sync} {options.BitmapMode} {refusal.Sentence}"
        );
        if (!refusal.IsNone)
            throw new SimulationFailure("O13", $"a good job was refused: {refusal.Sentence}");
        job!.Filter.Engine.ReadPieceBytes = (ulong)options.Filter.ClusterBytes << (int)_prng.Below(6);
        JobRun run = new(_world, options.Id!, disk, target, options)
        {
            TakenBytes = SystemMemory.TakenBytes - before,
            Scratch = _places.Take(options.Filter.Scratch),
            Job = job,
            Group = group,
            Bitmap = bitmap,
        };
        job.Listener = run;
        run.Pace.Set(options.SpeedBytesPerSecond, _world.Clock.NowNs);
        group.Members.Add(run);
        target.IsTaken = true;
        _world.Runs.Add(run);
        return run;
    }

    /// <summary>As another thread does before the job is made; the disk may have grown since.</summary>
    BackupMemory? TakeMemory(Disk disk, BackupOptions options, bool hasView)
    {
        ulong sizeBytes = disk.CapacityBytes - (_prng.Chance(1, 2) ? _prng.Below(disk.CapacityBytes + 1) : 0);
        Fault fault = BackupMemory.TryTake(sizeBytes, options, hasView, out BackupMemory? memory);
        return fault.IsNone ? memory : throw new SimulationFailure("O13", $"no memory for a copy map: {fault}");
    }

    /// <summary>O13: where the system refuses memory, the job is refused, and nothing is kept of it.</summary>
    void TryWithoutMemory(Disk disk, TargetSlot target, BackupOptions options, bool hasView)
    {
        long before = SystemMemory.TakenBytes;
        SystemMemory.RefuseOnce(1 + (int)_prng.Below(9));
        OpenRefusal refusal = BackupJob.TryCreate(
            _world.Reactor,
            disk,
            target.Device,
            _world.Pool,
            options,
            hasView,
            out BackupJob? job
        );
        SystemMemory.RefuseOnce(0);
        if (refusal.IsNone)
            job!.Dispose(); // it takes less
        else if (refusal.Fault.Kind != FaultKind.NoMemory || refusal.Sentence.Length == 0 || job != null)
            throw new SimulationFailure("O13", $"without memory a job was answered with '{refusal.Sentence}'");
        else
            _world.Tallies.Count(Mishap.OutOfMemory);
        if (SystemMemory.TakenBytes != before)
            throw new SimulationFailure("O13", $"a refused job keeps {SystemMemory.TakenBytes - before} bytes");
    }

    /// <summary>A snapshot of one job as the disk of another, which gives up on it what it has copied.</summary>
    bool TryStartFleecing()
    {
        foreach (JobRun run in _world.Runs)
        {
            bool isFit =
                run.Point != null && !run.IsEnded && run.Job.View != null && run.Options.Sync == BackupSync.None;
            if (
                !isFit
                || run.Dependents.Count > 0
                || run.HadDiscard
                || _places.FindTarget(run.Source) is not { } target
            )
                continue;
            if (target.Chain != null)
                return false;
            JobGroup group = new(isSequential: false);
            Disk viewDisk = new(_world.Reactor, run.Job.View!, "view of " + run.Id, 2);
            BackupOptions options = _options.DrawFleecing();
            JobRun copy = MakeRun(run.Source, viewDisk, target, options, hasView: false, bitmap: null, group)!;
            (copy.Base, copy.ViewDisk) = (run, viewDisk);
            run.Dependents.Add(copy);
            Start(group, [copy.Job]);
            return true;
        }
        return false;
    }
}
