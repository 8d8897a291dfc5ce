// What a job tells while it lives.
using FastBackup.Base;

namespace FastBackup.Jobs;

public enum JobEventKind
{
    /// <summary>The status changed; the event has the new one.</summary>
    StatusChanged,

    /// <summary>A device failed; the event has the fault and what was done about it.</summary>
    DeviceError,

    /// <summary>Everything is done, and finalize is waited for.</summary>
    WaitsForFinalize,

    /// <summary>Ended well.</summary>
    Completed,

    /// <summary>Ended by cancel.</summary>
    Cancelled,

    /// <summary>Ended by a fault: the root cause.</summary>
    Failed,
}

/// <param name="Kind">What happened.</param>
/// <param name="Status">The job's status after it.</param>
/// <param name="Fault">DeviceError, Failed: the cause.</param>
/// <param name="IsSourceFault">Whether the source failed or the target.</param>
/// <param name="Action">DeviceError: Report, Ignore or Stop.</param>
public readonly record struct JobEvent(
    JobEventKind Kind,
    JobStatus Status,
    Fault Fault = default,
    bool IsSourceFault = false,
    ErrorPolicy Action = ErrorPolicy.Report
);

public interface IJobListener
{
    /// <summary>On the reactor's thread, in the order of events; must not block.</summary>
    void OnJobEvent(Job job, in JobEvent jobEvent);
}
