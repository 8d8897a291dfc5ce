// Bounds of a server: what all clients together, and one of them, may hold.
using FastBackup.Base;

namespace FastBackup.Serving;

public sealed record NbdServerOptions
{
    /// <summary>Clients at once, 1 at least; further ones are closed at once.</summary>
    public int ConnectionsMax { get; init; } = 64;

    /// <summary>Memory for the data of one client's requests: 1 MiB at least, in whole MiB.</summary>
    public uint ClientMemoryBytes { get; init; } = (uint)(4 * Units.MiB);

    /// <summary>From the connection to the first request.</summary>
    public uint HandshakeMs { get; init; } = 10_000;

    /// <summary>A client that takes no byte of an answer for so long is closed.</summary>
    public uint UnreadMs { get; init; } = 60_000;
}
