// What serve was asked for.
using System.Collections.Generic;
using System.Net;
using FastBackup.Devices.Opening;

namespace FastBackup.Cli;

/// <param name="Disks">By the names of their exports, which differ.</param>
/// <param name="SocketPath">Null with an address.</param>
/// <param name="Address">Of this machine only; null with a socket.</param>
/// <param name="Tls">Of an address.</param>
/// <param name="MonitorPath">Of the control socket; null without one.</param>
/// <param name="MemoryBytes">For backups, with a monitor.</param>
/// <param name="UsualMemoryBytes">Where nobody asked for an amount.</param>
/// <param name="IsReadOnly">Clients may not write, and the disks are opened only to be read.</param>
/// <param name="IsTracked">What clients write is recorded in the disks' trackers.</param>
/// <param name="AbsorbBytes">A disk's memory for writes that are answered before they land; 0: none.</param>
/// <param name="Remote">Of disks that are a server's.</param>
/// <param name="IsLockIgnored">Whether --ignore-locks was given.</param>
/// <param name="Format">Raw when --format raw was given.</param>
/// <param name="ConnectionsMax">Clients at once.</param>
sealed record ServeRequest(
    IReadOnlyList<(string Export, string Path)> Disks,
    string? SocketPath,
    IPEndPoint? Address,
    ServeTls Tls,
    string? MonitorPath,
    ulong MemoryBytes,
    ulong? UsualMemoryBytes,
    bool IsReadOnly,
    bool IsTracked,
    ulong AbsorbBytes,
    RemoteOpenOptions Remote,
    bool IsLockIgnored,
    FormatRule Format,
    int ConnectionsMax
);
