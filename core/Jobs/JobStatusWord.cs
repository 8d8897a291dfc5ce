// A job's states as people and monitors read them. Source: QEMU, qapi/job.json, JobStatus.
namespace FastBackup.Jobs;

/// <summary>Threads: any.</summary>
public static class JobStatusWord
{
    /// <summary>For example "running".</summary>
    public static string Of(JobStatus status) =>
        status switch
        {
            JobStatus.Null => "null",
            JobStatus.Created => "created",
            JobStatus.Running => "running",
            JobStatus.Paused => "paused",
            JobStatus.Ready => "ready",
            JobStatus.Standby => "standby",
            JobStatus.Waiting => "waiting",
            JobStatus.Pending => "pending",
            JobStatus.Aborting => "aborting",
            _ => "concluded",
        };
}
