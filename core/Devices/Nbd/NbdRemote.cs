// Which remote disk, where its server is, and how it is to be used: all that is needed to reach it, also once more.
using System.Net;
using FastBackup.Devices.Opening;
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

/// <param name="Uri">Its name.</param>
/// <param name="Addresses">Of the server, at least one, in the order in which they are tried.</param>
/// <param name="IsReadOnly">False: refused where the export is.</param>
/// <param name="Options">What the opener has said.</param>
sealed record NbdRemote(NbdUri Uri, EndPoint[] Addresses, bool IsReadOnly, RemoteOpenOptions Options)
{
    /// <summary>Who makes connections; null: the loop itself does.</summary>
    public INbdTransport? Transport { get; init; }

    /// <summary>Of Transport.</summary>
    public IStreamIo? Streams { get; init; }

    /// <summary>The one context that is asked for.</summary>
    public string Context =>
        Options.Bitmap == null ? NbdProtocol.AllocationContext : NbdProtocol.BitmapContext + Options.Bitmap;
}
