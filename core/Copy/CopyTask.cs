// One chunk in flight: a preallocated state machine that reads, looks for zeroes, and writes.
using System.Numerics;
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

    /// <summary>A guest has read it anyway: taken if there is room, nobody waits for it.</summary>
    Offered,

    /// <summary>Guests' writes have captured blocks of it, whose memory is wanted; nobody waits for it.</summary>
    Rest,
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

        /// <summary>In memory; waits for its turn at the target, in the list of captured chunks.</summary>
        Captured,

        /// <summary>In memory, and on its way to the scratch file to make room.</summary>
        Spilling,

        /// <summary>On its way back from the scratch file.</summary>
        Recalling,
        Writing,
        Zeroing,

        /// <summary>
        /// Released, then the target failed: the buffer has the only copy, and waits for Retry or Abandon.
        /// </summary>
        Parked,
    }

    const int PieceShift = 24; // a key's slot is below it

    public ulong Key;
    public State Step;
    public CopyLane Lane;
    public Extent Extent;
    public PieceMap Pieces;
    public BufferLease Lease;
    public ICopyOwner Owner = null!;

    /// <summary>It counts among the bytes that the devices have.</summary>
    public bool IsAtDevices;

    /// <summary>Some of it was handed to the target: what is there now is not known unless it ends well.</summary>
    public bool HasReachedTarget;

    /// <summary>Pieces whose old data is in the buffer.</summary>
    public ulong Captured;

    /// <summary>Pieces that a guest may overwrite, as far as this copy is concerned.</summary>
    public ulong Released;

    /// <summary>Pieces whose read was moved forward for a guest.</summary>
    public ulong Promoted;

    /// <summary>Writing: bytes of the chunk that were looked at and handed to the target.</summary>
    public ulong CursorBytes;

    /// <summary>Reading: reads in flight. Writing: target requests in flight.</summary>
    public uint PendingCount;
    public Fault FirstFault;

    /// <summary>Recalled: the scratch entry that still has it too; else ScratchSpace.NoEntry.</summary>
    public uint ScratchEntry;

    // Links of the list of captured chunks, in order of age.
    public CopyTask? Previous;
    public CopyTask? Next;

    // What the chunk will add to the counters if it succeeds.
    public ulong WrittenBytes;
    public ulong SkippedZeroBytes;
    public ulong WrittenZeroBytes;

    public bool IsWhole => Captured == Pieces.All;

    /// <summary>The piece of this cluster has its old data in the buffer.</summary>
    public bool HasCaptured(ulong cluster) => Has(Captured, cluster);

    /// <summary>A guest may overwrite this cluster, as far as this copy is concerned.</summary>
    public bool HasReleased(ulong cluster) => Has(Released, cluster);

    /// <summary>The bytes of the disk that a piece has.</summary>
    public Extent PieceExtent(CopyMap map, uint piece)
    {
        ulong set = 1UL << (int)piece;
        Check.That(Pieces.TryTakeRun(ref set, out ulong first, out ulong count));
        return map.Bytes(first, count);
    }

    /// <summary>Names the task and one of its pieces; see <see cref="Split"/>.</summary>
    public ulong PieceKey(uint piece) => Key | (ulong)piece << PieceShift;

    /// <summary>Parts what a request of a task was named by.</summary>
    public static void Split(ulong pieceKey, out ulong key, out uint piece)
    {
        piece = (uint)pieceKey >> PieceShift;
        key = pieceKey & ~(0xFFUL << PieceShift);
    }

    /// <summary>Bytes of the chunk that have not been set back.</summary>
    public ulong LiveBytes(CopyMap map)
    {
        if (IsWhole || Captured == 0)
            return Extent.LengthBytes;
        ulong pieces = Captured;
        ulong sumBytes = 0;
        while (Pieces.TryTakeRun(ref pieces, out ulong first, out ulong count))
            sumBytes += map.Bytes(first, count).LengthBytes;
        return sumBytes;
    }

    /// <summary>Where the run of pieces ends, from a byte of the chunk on, that are captured or are not.</summary>
    public ulong EndOfRun(ulong startBytes, ulong clusterBytes, out bool isCaptured)
    {
        isCaptured = true;
        if (IsWhole)
            return Extent.LengthBytes;
        ulong pieceBytes = Pieces.PieceClusters * clusterBytes;
        int piece = (int)(startBytes / pieceBytes);
        isCaptured = (Captured >> piece & 1) != 0;
        ulong others = (isCaptured ? ~Captured : Captured) >> piece;
        int length = BitOperations.TrailingZeroCount(others);
        ulong endBytes = (ulong)(piece + length) * pieceBytes;
        return endBytes < Extent.LengthBytes ? endBytes : Extent.LengthBytes;
    }

    bool Has(ulong pieces, ulong cluster) => (pieces >> (int)Pieces.PieceOf(cluster) & 1) != 0;

    public void Reset(ulong key, CopyLane lane, in PieceMap pieces, in Extent extent)
    {
        (Key, Lane, Pieces, Extent) = (key, lane, pieces, extent);
        Lease = default;
        (Captured, Released, Promoted) = (0, 0, 0);
        (IsAtDevices, HasReachedTarget) = (false, false);
        PendingCount = 0;
        ScratchEntry = ScratchSpace.NoEntry;
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
