// What 'repo mount-nbd' is asked to do.
using System.Net;

namespace FastBackup.Cli;

/// <param name="At">Which point.</param>
/// <param name="Disk">Of it; null: the only one.</param>
/// <param name="SocketPath">Of a unix socket; null: an address.</param>
/// <param name="Address">Of TCP; null: a socket.</param>
/// <param name="Tls">Of connections.</param>
/// <param name="Overlay">File that keeps what clients write; null: none.</param>
/// <param name="ScratchFolder">Where what they write lies until the end; null: they may not.</param>
/// <param name="CacheBytes">For chunks that nobody reads at the moment.</param>
/// <param name="ConnectionsMax">Clients at once.</param>
sealed record MountRequest(
    string At,
    string? Disk,
    string? SocketPath,
    IPEndPoint? Address,
    ServeTls Tls,
    string? Overlay,
    string? ScratchFolder,
    ulong CacheBytes,
    int ConnectionsMax
);
