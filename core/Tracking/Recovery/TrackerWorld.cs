// What is so now: recovery compares it with what the header says.
using System;
using FastBackup.Tracking.Format;

namespace FastBackup.Tracking.Recovery;

/// <summary>Immutable.</summary>
/// <param name="DiskId">As the system calls the disk now.</param>
/// <param name="DiskBytes">Its size now.</param>
/// <param name="Stamp">How it is now.</param>
/// <param name="BootId">Of the kernel that runs.</param>
/// <param name="Home">Device and inode of the tracker file.</param>
/// <param name="IsFileSettled">A flush of the file has just succeeded: nothing that was written to it before was lost
/// without a word.</param>
/// <param name="PlacesBefore">Of a disk that has grown: digest of the places of the size that the header has.</param>
readonly record struct TrackerWorld(
    Digest32 DiskId,
    ulong DiskBytes,
    DiskStamp Stamp,
    UInt128 BootId,
    (ulong Device, ulong Inode) Home,
    bool IsFileSettled,
    Digest32 PlacesBefore = default
);
