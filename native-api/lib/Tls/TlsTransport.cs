// TLS for the names nbds:// and nbds+unix://.
using FastBackup.Devices;
using FastBackup.Devices.Nbd;
using FastBackup.Devices.Rbd;
using FastBackup.Ports;

namespace FastBackup.Native.Tls;

/// <summary>Threads: any.</summary>
sealed class TlsTransport : INbdTransport
{
    /// <summary>Every scheme that there is, with TLS.</summary>
    public static DeviceSchemes Schemes { get; } = new(new NbdScheme(new TlsTransport()), new RbdScheme());

    public string? TryOpen(IIoLoop loop, NbdUri uri, out IStreamIo? streams)
    {
        streams = null;
        TlsFolder? folder = null;
        if (uri.TlsFolder != null && TlsFolder.TryRead(uri.TlsFolder, isServer: false, out folder) is { } wrong)
            return $"needs certificates: {wrong}";
        streams = new TlsStreams(loop, null, new TlsClientRules(folder, uri.TlsHost));
        return null;
    }

    public string? Explain(StreamHandle stream) => ((TlsStream)stream).Wrong;
}
