// A job that is to be made, for the host or for a client of its monitor: what each said was translated by itself; whose
// the devices are by now is looked at here, the rest are the engine's own rules.
using FastBackup.Copy;
using FastBackup.Devices.Opening;
using FastBackup.Jobs;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Repositories;

namespace FastBackup.Native.Objects;

/// <summary>Threads: the reactor's.</summary>
sealed record JobRequest
{
    public required DiskObject Disk { get; init; }
    public required DeviceObject Target { get; init; }

    /// <summary>Null: none.</summary>
    public DeviceObject? Scratch { get; init; }

    /// <summary>Of it; 0 = all.</summary>
    public ulong ScratchBytesMax { get; init; }

    /// <summary>Its point in time is to be read.</summary>
    public bool HasView { get; init; }

    public required BackupOptions Options { get; init; }

    /// <summary>Of its copy; null: none. The job's from here on, if it is made.</summary>
    public JobRecord? Record { get; init; }

    /// <summary>Made by a client of a monitor: its devices are free again when it has ended.</summary>
    public bool IsOfMonitor { get; init; }

    /// <summary>Makes the job and gives it its handle; the caller has retained the engine for it.</summary>
    /// <param name="memory">What was taken for it before; null: it is taken now.</param>
    /// <param name="job">Null after an error.</param>
    public Answer TryMake(BackupMemory? memory, out JobObject? job)
    {
        job = null;
        if (Target.IsClosed || Scratch is { IsClosed: true })
            return Answer.Handle(DeviceObject.Noun);
        if (Target.HasDisk && !ReferenceEquals(Target, Disk.Device))
            return Answer.State("the target has a disk: guests could write to it");
        if (Target.HasJob)
            return Answer.State("the target is used by another job already");
        if (Target.Device is PointTarget point && PointRules.Refuse(Disk, point, Options) is { } wrong)
            return Answer.Invalid(wrong);
        ScratchSpace? space = null;
        Answer answer =
            Scratch == null ? Answer.Ok : JobScratch.TryMake(Disk, Scratch, ScratchBytesMax, Options.Filter, out space);
        if (answer.IsOk)
            answer = TryMakeOver(space, memory, out job);
        if (job == null)
        {
            space?.Dispose();
            return answer;
        }
        if (Scratch != null)
            job.TakeScratch(Scratch, space!);
        return Answer.Ok;
    }

    Answer TryMakeOver(ScratchSpace? scratch, BackupMemory? memory, out JobObject? job)
    {
        job = null;
        EngineObject engine = Disk.Engine!;
        BackupOptions options =
            scratch == null ? Options : Options with { Filter = Options.Filter with { Scratch = scratch } };
        OpenRefusal refusal = BackupJob.TryCreate(
            engine.Reactor,
            Disk.Core,
            Target.Device,
            engine.Core.Pool,
            options,
            HasView,
            memory,
            out BackupJob? core
        );
        if (!refusal.IsNone)
            return Answer.Of(refusal);
        refusal = engine.Jobs.TryAdd(core!);
        if (!refusal.IsNone)
        {
            core!.Dispose();
            return Answer.Of(refusal);
        }
        job = new JobObject(engine, Disk, Target, core!) { IsReleasedAtEnd = IsOfMonitor, Record = Record };
        core!.Listener = job;
        Disk.JobCount++;
        Target.HasJob = true;
        HandleTable.Open(job);
        foreach (IJobObserver observer in engine.Observers)
            observer.OnJobMade(core);
        return Answer.Ok;
    }
}
