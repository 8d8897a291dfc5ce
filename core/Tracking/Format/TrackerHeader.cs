// What a tracker file says of itself: which disk, how it is cut, where its areas are, who has it open since which boot.
// Written seldom (create, attach, detach, checkpoint, growth), always both copies, one after the other; see
// HeaderBytes for the layout and TrackerRecovery for what each field decides.
using System;

namespace FastBackup.Tracking.Format;

enum TrackerState : uint
{
    /// <summary>Nobody watches; the fine map has everything that changed until the detach.</summary>
    Closed = 1,

    /// <summary>Somebody watches, or died doing so.</summary>
    Open = 2,

    /// <summary>A write or a flush of the tracker has failed, or changes were not watched: only a full helps.</summary>
    Inconsistent = 3,

    /// <summary>What it had was given to a tracker on another host: nobody may go on with it here.</summary>
    Moved = 4,
}

/// <summary>32 bytes that are compared and never read. Immutable.</summary>
readonly record struct Digest32(UInt128 First, UInt128 Second);

/// <summary>The disk as it was left at a clean detach. Immutable.</summary>
/// <param name="ModifiedNs">Of the file, since 1970; 0 for block devices.</param>
/// <param name="ChangedNs">As above; of what the system keeps about the file.</param>
/// <param name="Places">Digest of the places that every mount touches.</param>
readonly record struct DiskStamp(ulong ModifiedNs, ulong ChangedNs, Digest32 Places);

/// <summary>Immutable; made at attach and detach, never on the I/O path.</summary>
sealed record TrackerHeader
{
    /// <summary>Chance; another one after a move, so that what is here and there is never taken for the other's.
    /// </summary>
    public required UInt128 TrackerId { get; init; }

    /// <summary>Of this write of the header, from 1. Of two whole copies the higher one counts.</summary>
    public required ulong Sequence { get; init; }

    public required TrackerShape Shape { get; init; }

    /// <summary>SHA-256 of what the system calls the disk.</summary>
    public required Digest32 DiskId { get; init; }

    public required TrackerState State { get; init; }

    /// <summary>Open: the kernel's boot id, in the order in which its text has the bytes.</summary>
    public UInt128 BootId { get; init; }

    /// <summary>Open: device and inode of this file. A copy of the file has no live map.</summary>
    public (ulong Device, ulong Inode) Home { get; init; }

    /// <summary>Open: lives in a file of its own in memory, not in the area of this one.</summary>
    public bool IsLiveElsewhere { get; init; }

    /// <summary>Closed: what must be found again at the next attach.</summary>
    public DiskStamp Stamp { get; init; }

    /// <summary>The map that records now, from 1.</summary>
    public required ulong MapId { get; init; }

    /// <summary>The highest id that a map ever had: none is given twice.</summary>
    public required ulong LastMapId { get; init; }

    /// <summary>In the order of the file; at most <see cref="HeaderBytes.AreasMax"/>.</summary>
    public required TrackerArea[] Areas { get; init; }

    /// <summary>What blocks carry of the id.</summary>
    public ulong TrackerTag => (ulong)TrackerId;

    /// <returns>The default (length 0) when there is none.</returns>
    public TrackerArea Find(AreaKind kind, ulong mapId) =>
        Array.Find(Areas, area => area.Kind == kind && area.MapId == mapId);
}
