// The life of a job: its states, the edges between them, and which verb is allowed where.
// Source: QEMU 10.2 job.c (JobSTT and JobVerbTable), whose words and tables these are.
using System;

namespace FastBackup.Jobs;

public enum JobStatus
{
    /// <summary>Gone: dismissed.</summary>
    Null,
    Created,
    Running,
    Paused,

    /// <summary>Running and at its goal, for jobs that wait to be completed; never a backup.</summary>
    Ready,

    /// <summary>Paused while Ready.</summary>
    Standby,

    /// <summary>Done, waiting for the others of its transaction.</summary>
    Waiting,

    /// <summary>Done, waiting for finalize.</summary>
    Pending,

    /// <summary>Failing or cancelled, ending what is in flight.</summary>
    Aborting,

    /// <summary>Ended; the result can be read until dismissed.</summary>
    Concluded,
}

public enum JobVerb
{
    Cancel,
    Pause,
    Resume,
    SetSpeed,
    Change,
    Complete,
    Finalize,
    Dismiss,
}

public static class JobLife
{
    /// <summary>Whether a job may go from one state to the other.</summary>
    public static bool IsEdge(JobStatus from, JobStatus to) =>
        from switch
        {
            JobStatus.Created => to is JobStatus.Running or JobStatus.Aborting or JobStatus.Null,
            JobStatus.Running => to is JobStatus.Paused or JobStatus.Ready or JobStatus.Waiting or JobStatus.Aborting,
            JobStatus.Paused => to is JobStatus.Running,
            JobStatus.Ready => to is JobStatus.Standby or JobStatus.Waiting or JobStatus.Aborting,
            JobStatus.Standby => to is JobStatus.Ready,
            JobStatus.Waiting => to is JobStatus.Pending or JobStatus.Aborting,
            JobStatus.Pending => to is JobStatus.Aborting or JobStatus.Concluded,
            JobStatus.Aborting => to is JobStatus.Concluded,
            JobStatus.Concluded => to is JobStatus.Null,
            _ => false,
        };

    /// <summary>Whether the verb may be given to a job in this state.</summary>
    public static bool Allows(JobStatus status, JobVerb verb)
    {
        bool isLive =
            status
                is JobStatus.Created
                    or JobStatus.Running
                    or JobStatus.Paused
                    or JobStatus.Ready
                    or JobStatus.Standby;
        return verb switch
        {
            JobVerb.Cancel => isLive || status is JobStatus.Waiting or JobStatus.Pending,
            JobVerb.Pause or JobVerb.Resume or JobVerb.SetSpeed or JobVerb.Change => isLive,
            JobVerb.Complete => status is JobStatus.Ready or JobStatus.Standby,
            JobVerb.Finalize => status == JobStatus.Pending,
            JobVerb.Dismiss => status == JobStatus.Concluded,
            _ => throw new ArgumentOutOfRangeException(nameof(verb)),
        };
    }
}
