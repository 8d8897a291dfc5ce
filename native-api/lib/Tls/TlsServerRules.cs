// How a server takes clients in.
using System;

namespace FastBackup.Native.Tls;

/// <param name="Folder">With the server's certificate.</param>
/// <param name="IsRequired">Nobody is served without TLS.</param>
/// <param name="HandshakesMax">Connections at once that have not come through the handshake.</param>
/// <param name="OnRefused">Told of each client that was refused, for the log. Threads: any.</param>
sealed record TlsServerRules(TlsFolder Folder, bool IsRequired, int HandshakesMax, Action<string> OnRefused)
{
    public static readonly TimeSpan HandshakeTime = TimeSpan.FromSeconds(10);
}
