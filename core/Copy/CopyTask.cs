// One chunk in flight: a preallocated state machine that reads, looks for zeroes, and writes.
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Copy;

/// <summary>Who a copy is for. A waiting guest comes before everything else.</summary>
public enum CopyLane : byte
{
    /// <summary>A guest write waits for it.</summary>
    CopyBeforeWrite,

    /// <summary>The job's own progress.</summary>
    Background,
}

/// <summary>When the guest may overwrite what is being copied.</summary>
public enum ReleasePoint : byte
{
    /// <summary>
    /// As soon as the old data is in our memory; a target that then fails breaks the snapshot, not the guest.
    /// </summary>
    Captured,

    /// <summary>
    /// When the target has it; a target that fails then fails the guest's write, and the snapshot stays whole.
    /// </summary>
    Done,
}

/// <summary>Threads: the reactor's. Reused for ever by the slot table.</summary>
sealed class CopyTask
{
    public enum State
    {
        Reading,
        Writing,
        Zeroing,

        /// <summary>
        /// Released, then the target failed: the buffer has the only copy, and waits for Retry or Abandon.
        /// </summary>
        Parked,
    }

    public State Step;
    public CopyLane Lane;
    public Extent Extent;
    public ulong FirstCluster;
    public ulong ClusterCount;
    public BufferLease Lease;
    public ICopyOwner Owner = null!;
    public bool IsReleased;

    /// <summary>Writing: bytes of the chunk that were looked at and handed to the target.</summary>
    public ulong CursorBytes;

    /// <summary>Writing: target requests in flight.</summary>
    public uint PendingCount;
    public Fault FirstFault;

    // What the chunk will add to the counters if it succeeds.
    public ulong WrittenBytes;
    public ulong SkippedZeroBytes;
    public ulong WrittenZeroBytes;

    public void Reset(ulong firstCluster, ulong clusterCount, in Extent extent)
    {
        (FirstCluster, ClusterCount, Extent) = (firstCluster, clusterCount, extent);
        (Lease, IsReleased) = (default, false);
        PendingCount = 0;
        ResetWrite();
    }

    /// <summary>Back to the first byte of the chunk.</summary>
    public void ResetWrite()
    {
        CursorBytes = 0;
        FirstFault = Fault.None;
        (WrittenBytes, SkippedZeroBytes, WrittenZeroBytes) = (0, 0, 0);
    }
}
