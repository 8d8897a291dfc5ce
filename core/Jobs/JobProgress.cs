// What a job tells about itself while it runs.
using FastBackup.Base;

namespace FastBackup.Jobs;

/// <summary>A picture of a job. Bytes are of the disk, each counted once.</summary>
/// <param name="Status">State at the moment of the picture.</param>
/// <param name="TotalBytes">What there is to do; shrinks only when a top job finds unallocated parts, or right after T0
/// for a bitmap that is finer than clusters.</param>
/// <param name="DoneBytes">0..TotalBytes, never goes backwards; equal to it exactly at success.</param>
/// <param name="WrittenBytes">Read and written.</param>
/// <param name="SkippedZeroBytes">Zero or holes, left as holes on the target.</param>
/// <param name="WrittenZeroBytes">Made zero without being written out.</param>
/// <param name="CopyBeforeWriteBytes">The part of these that guests' writes asked for.</param>
/// <param name="InFlightBytes">Being copied now; after the end: held by a device that did not answer in time.</param>
/// <param name="Fault">The root cause once the job fails; None before and on success.</param>
/// <param name="IsSourceFault">Whether the source failed or the target.</param>
/// <param name="StoppedBy">Why the job is paused by its error policy; None otherwise.</param>
public readonly record struct JobProgress(
    JobStatus Status,
    ulong TotalBytes,
    ulong DoneBytes,
    ulong WrittenBytes,
    ulong SkippedZeroBytes,
    ulong WrittenZeroBytes,
    ulong CopyBeforeWriteBytes,
    ulong InFlightBytes,
    Fault Fault,
    bool IsSourceFault,
    Fault StoppedBy
)
{
    public bool IsEnded => Status is JobStatus.Concluded or JobStatus.Null;

    public bool IsSuccess => IsEnded && Fault.IsNone;
}
