// What whoever opens a disk has to say about it where it is a server's.
using FastBackup.Base;

namespace FastBackup.Devices.Opening;

public sealed record RemoteOpenOptions
{
    public const ulong ReconnectNsDefault = 60 * Units.NsPerSecond;

    /// <summary>So long a server may be gone once the disk is open: what was asked waits meanwhile. 0: not at all.
    /// </summary>
    public ulong ReconnectNs { get; init; } = ReconnectNsDefault;

    /// <summary>
    /// A dirty bitmap of the server, by its name: then <see cref="BlockOperation.Map"/> tells what is marked in it
    /// (data) and what is not (hole), instead of what is allocated.
    /// </summary>
    public string? Bitmap { get; init; }
}
