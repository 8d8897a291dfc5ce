// Jobs that clients of a monitor have started and that are not closed yet: they end with it, and are closed when
// dismissed, since no host will close them.
using System.Collections.Generic;
using FastBackup.Jobs;
using FastBackup.Native.Errors;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Jobs;

/// <summary>Threads: the reactor's, unless a member says otherwise.</summary>
sealed class StartedJobs(MonitorTurns turns, MonitorInbox inbox)
{
    readonly List<JobObject> _jobs = [];

    public IReadOnlyList<JobObject> All => _jobs;

    public void Adopt(JobObject job) => _jobs.Add(job);

    /// <summary>A job that was never started, or that is over, goes.</summary>
    public void Forget(JobObject job)
    {
        bool wasOpen = !job.IsClosed;
        if (wasOpen && !job.CloseIfOver().IsOk)
            return; // the host has started it meanwhile: it goes with its end
        _ = _jobs.Remove(job);
        if (!wasOpen)
            return;
        inbox.Post(job.FreeMemory); // by the monitor's thread: guests would wait for it here
        job.Engine!.Release(isChild: true);
    }

    /// <summary>Closes jobs that are over. On the monitor's thread.</summary>
    /// <returns>False: some are over and are still read from.</returns>
    public bool CloseDismissed()
    {
        bool isLeft = false;
        _ = turns.Run(() =>
        {
            for (int i = _jobs.Count - 1; i >= 0; i--)
            {
                JobObject job = _jobs[i];
                if (job.Core.Status != JobStatus.Null && !job.IsClosed)
                    continue;
                if (job.ReadCount > 0 && !job.IsClosed)
                    isLeft = true;
                else
                    Forget(job);
            }
            return Answer.Ok;
        });
        return !isLeft;
    }
}
