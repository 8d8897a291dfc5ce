// The verbs on jobs: those of all jobs by id, and the older ones of block jobs, which differ in how they name the job
// and in the error when there is none. What a job may be told in which state is the engine's (core/Jobs/JobStatus.cs).
// Source of order and words of the refusals: QEMU 7.2 job.c, job-qmp.c, blockdev.c.
using System;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Jobs;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Pacing;

namespace FastBackup.Native.Monitor.Jobs;

/// <summary>Threads: the monitor's.</summary>
sealed class JobCommands(MonitorTurns turns, CreationJobs creations)
{
    public CommandAnswer Pause(CommandCall call) => ById(call, "pause", PauseJob);

    public CommandAnswer Resume(CommandCall call) => ById(call, "resume", ResumeJob);

    public CommandAnswer Cancel(CommandCall call) => ById(call, "cancel", CancelJob);

    public CommandAnswer Complete(CommandCall call) => ById(call, "complete", CompleteJob);

    public CommandAnswer Finalize(CommandCall call) => ById(call, "finalize", FinalizeJob);

    public CommandAnswer Dismiss(CommandCall call) => ById(call, "dismiss", DismissJob);

    public CommandAnswer BlockPause(CommandCall call) => Block(call, "device", PauseJob);

    public CommandAnswer BlockResume(CommandCall call) => Block(call, "device", ResumeJob);

    public CommandAnswer BlockComplete(CommandCall call) => Block(call, "device", CompleteJob);

    public CommandAnswer BlockFinalize(CommandCall call) => Block(call, "id", FinalizeJob);

    public CommandAnswer BlockDismiss(CommandCall call) => Block(call, "id", DismissJob);

    public CommandAnswer BlockCancel(CommandCall call)
    {
        string id = call.Arguments.Text("device");
        bool isForced = call.Arguments.Bool("force") ?? false;
        return Run(
            call,
            id,
            isBlockJob: true,
            job =>
                job.IsUserPaused && !isForced
                    ? QmpError.Generic($"The block job for device '{id}' is currently paused")
                    : CancelJob(job)
        );
    }

    public CommandAnswer SetSpeed(CommandCall call)
    {
        string id = call.Arguments.Text("device");
        long speed = call.Arguments.Integer("speed");
        return Run(
            call,
            id,
            isBlockJob: true,
            job =>
                !JobLife.Allows(job.Status, JobVerb.SetSpeed) ? Refused(job, "set-speed")
                : speed < 0 ? QmpError.Generic("Parameter 'speed' expects a non-negative value")
                : Told(job, "set-speed", job.SetSpeed((ulong)speed))
        );
    }

    public CommandAnswer SetGuestPriority(CommandCall call)
    {
        string id = call.Arguments.Text("id");
        GuestPriority priority =
            call.Arguments.Word("guest-priority", GuestPriorityWords.Table, isNeeded: true) ?? GuestPriority.Balanced;
        return Run(
            call,
            id,
            isBlockJob: false,
            job =>
            {
                job.SetGuestPriority(priority);
                return CommandAnswer.Done;
            }
        );
    }

    static CommandAnswer PauseJob(BackupJob job) =>
        !JobLife.Allows(job.Status, JobVerb.Pause) ? Refused(job, "pause")
        : job.IsUserPaused ? QmpError.Generic("Job is already paused")
        : Told(job, "pause", job.Pause());

    static CommandAnswer ResumeJob(BackupJob job) =>
        !job.IsUserPaused
            ? QmpError.Generic("Can't resume a job that was not paused")
            : Told(job, "resume", job.Resume());

    static CommandAnswer CancelJob(BackupJob job) => Told(job, "cancel", job.Cancel());

    static CommandAnswer CompleteJob(BackupJob job) => Told(job, "complete", job.Complete());

    static CommandAnswer FinalizeJob(BackupJob job) => Told(job, "finalize", job.Finalize());

    static CommandAnswer DismissJob(BackupJob job) => Told(job, "dismiss", job.Dismiss());

    static CommandAnswer Told(BackupJob job, string verb, Fault fault) =>
        fault.IsNone ? CommandAnswer.Done
        : fault.Kind == FaultKind.State ? Refused(job, verb)
        : QmpError.Generic(fault.ToString());

    static QmpError Refused(BackupJob job, string verb) =>
        QmpError.Generic(
            string.Create(
                CultureInfo.InvariantCulture,
                $"Job '{job.Id}' in state '{JobStatusWord.Of(job.Status)}' cannot accept command verb '{verb}'"
            )
        );

    CommandAnswer ById(CommandCall call, string word, Func<BackupJob, CommandAnswer> verb)
    {
        string id = call.Arguments.Text("id");
        if (call.Arguments.Error != null || !creations.Has(id))
            return Run(call, id, isBlockJob: false, verb);
        return call.Arguments.End() is { } error ? error : creations.Tell(id, word);
    }

    CommandAnswer Block(CommandCall call, string name, Func<BackupJob, CommandAnswer> verb) =>
        Run(call, call.Arguments.Text(name), isBlockJob: true, verb);

    CommandAnswer Run(CommandCall call, string id, bool isBlockJob, Func<BackupJob, CommandAnswer> verb)
    {
        if (call.Arguments.End() is { } error)
            return error;
        return turns.OnReactor(() =>
            turns.Engine.Jobs.Find(id) is BackupJob job ? verb(job)
            : isBlockJob ? QmpError.NotActive($"Block job '{id}' not found")
            : QmpError.Generic("Job not found")
        );
    }
}
