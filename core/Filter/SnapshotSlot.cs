// One request to a snapshot while it is under way: preallocated, and used again for ever.
using FastBackup.Base;
using FastBackup.Devices;

namespace FastBackup.Filter;

/// <summary>Threads: the reactor's.</summary>
sealed class SnapshotSlot
{
    public BlockRequest Request;
    public ulong DoneBytes;
    public Extent Piece;
    public bool IsHeld;

    /// <summary>A read has copied its share of this turn from memory.</summary>
    public bool IsGoingOn;

    /// <summary>Of a map: entries that are filled, pieces looked at, whom the piece at hand is asked of.</summary>
    public uint EntryCount;
    public uint StepCount;
    public bool IsPieceOnSource;

    /// <summary>The scratch run that is pinned, or ScratchSpace.NoEntry.</summary>
    public uint Pinned;
    public Fault Fault;
}
