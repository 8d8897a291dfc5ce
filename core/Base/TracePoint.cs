// What the engine tells about itself, in one typed list, and who listens: the simulator's checkers, a text log, an
// EventSource. A loop has one sink or none; without one a trace point costs a null test on the reactor's path, and
// the guests' fast path has no trace points at all.
namespace FastBackup.Base;

public enum TracePoint : byte
{
    /// <summary>A point in time was taken; the disk is quiesced. Length: bytes of the disk.</summary>
    PointInTime,

    /// <summary>New writes of the disk wait for a quiesced moment from here on.</summary>
    GateClosed,

    /// <summary>The quiesced moment is over.</summary>
    GateOpened,

    /// <summary>The filter left the disk; quiesced.</summary>
    Detached,

    /// <summary>Clusters were claimed for copying. Cause: the lane.</summary>
    Claim,

    /// <summary>Clusters need no copy: a hole of a top job, or given up by a reader of the snapshot.</summary>
    Skip,

    /// <summary>The old data of the clusters is in our memory; or, with cause 1, known to be zero.</summary>
    Capture,

    /// <summary>
    /// The old data of blocks is in our memory, ahead of their cluster; with cause 1, since before the point in time.
    /// </summary>
    BlockCapture,

    /// <summary>Blocks that were captured ahead are one with the rest of their cluster now.</summary>
    BlockMerge,

    /// <summary>At the point in time guests' writes before it were captured already. Cause: how many blocks.</summary>
    Warm,

    /// <summary>Guests may overwrite the clusters, as far as this copy is concerned.</summary>
    Release,

    /// <summary>A copy reached the target.</summary>
    Copied,

    /// <summary>A copy failed and its clusters are marked again. Cause: errno.</summary>
    SetBack,

    /// <summary>A copy failed after its release and waits with the only copy in our memory. Cause: errno.</summary>
    Park,

    /// <summary>A parked copy is written again.</summary>
    Retry,

    /// <summary>A parked copy was given up.</summary>
    Abandon,

    /// <summary>Captured data left memory for the scratch file.</summary>
    Spill,

    /// <summary>Captured data came back from the scratch file, on its way to the target.</summary>
    Recall,

    /// <summary>The scratch file takes nothing any more; the data stayed in memory. Cause: errno.</summary>
    ScratchFailed,

    /// <summary>A guest's write waits. Cause: 1 when the gate is closed, else 0.</summary>
    CbwWait,

    /// <summary>A guest's write waited for its limit.</summary>
    CbwTimeout,

    /// <summary>A guest's write that waited, or came the slow way, may land.</summary>
    Grant,

    /// <summary>A guest's write was answered, and goes to the device after that.</summary>
    Absorb,

    /// <summary>The device has failed such a write. Cause: errno.</summary>
    AbsorbLost,

    /// <summary>A guest's write must fail. Cause: errno.</summary>
    Deny,

    /// <summary>The snapshot is lost. Cause: errno.</summary>
    Broken,

    /// <summary>A device failed; Cause: the <c>ErrorPolicy</c> that was applied.</summary>
    PolicyDecision,

    /// <summary>The job walks again for clusters that were set back.</summary>
    SecondPass,

    /// <summary>The job flushes its target.</summary>
    JobFlush,

    /// <summary>The job ends without what the kernel still holds. Cause: chunks.</summary>
    Orphaned,

    /// <summary>The job's state changed. Cause: the new state.</summary>
    JobState,

    /// <summary>A snapshot read is served. Cause: 0 from the disk, 1 from memory, 2 from the target, 3 from
    /// scratch.</summary>
    SnapshotRead,
}

/// <param name="Point">What happened.</param>
/// <param name="Disk">Name of the disk concerned.</param>
/// <param name="Job">Id of the job concerned, or empty.</param>
/// <param name="Extent">Bytes concerned; empty where none are.</param>
/// <param name="Cause">Says more; its meaning is the point's.</param>
public readonly record struct TraceEvent(TracePoint Point, string Disk, string Job, Extent Extent, int Cause);

/// <summary>Threads: the reactor's. Must not call back into the engine.</summary>
public interface ITraceSink
{
    void OnTrace(in TraceEvent traceEvent);
}
