// One chunk in flight: a preallocated state machine that reads, looks for zeroes, and writes.
using FastBackup.Base;
using FastBackup.Memory;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's. Reused for ever by the slot table.</summary>
sealed class CopyTask
{
    public enum State
    {
        Reading,
        Writing,
        Zeroing,
    }

    public State Step;
    public Extent Extent;
    public ulong FirstCluster;
    public ulong ClusterCount;
    public BufferLease Lease;
    public ICopyOwner Owner = null!;

    /// <summary>Writing: bytes of the chunk that were looked at and handed to the target.</summary>
    public ulong CursorBytes;

    /// <summary>Writing: target requests in flight.</summary>
    public uint PendingCount;
    public Fault FirstFault;
    public bool IsSourceFault;

    // What the chunk will add to the counters if it succeeds.
    public ulong WrittenBytes;
    public ulong SkippedZeroBytes;
    public ulong WrittenZeroBytes;
}
