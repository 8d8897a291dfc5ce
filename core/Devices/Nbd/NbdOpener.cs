// From the name of a remote disk to a device: the name of the host becomes addresses on the caller's thread, which may
// take as long as the resolver likes; then each address is tried on the loop (NbdOpening), in the resolver's order,
// while the caller waits. Cold: allocates.
using System;
using System.Net;
using System.Net.Sockets;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

static class NbdOpener
{
    /// <summary>Waits: for the resolver, and for the server within a limit. Threads: any but the loop's.</summary>
    /// <param name="loop">Drives the device.</param>
    /// <param name="transport">Makes connections with TLS; null: there are none.</param>
    /// <param name="options">Path is the name; IsReadOnly and Remote. The rest is for files.</param>
    /// <param name="device">The device, or null when refused. Owner: the caller.</param>
    /// <returns>None, or why not.</returns>
    public static OpenRefusal TryOpen(
        IIoLoop loop,
        INbdTransport? transport,
        FileOpenOptions options,
        out NbdDevice? device
    )
    {
        device = null;
        Check.That(!loop.MustNotWait);
        if (NbdUri.TryParse(options.Path, transport != null, out NbdUri? uri) is { } wrong)
            return OpenRefusal.Rule($"'{options.Path}' {wrong}");
        OpenRefusal refusal = TryResolve(uri!, out EndPoint[] addresses);
        if (!refusal.IsNone)
            return refusal;
        IStreamIo? streams = null;
        if (uri!.IsTls && transport!.TryOpen(loop, uri, out streams) is { } reason)
            return OpenRefusal.Rule($"'{options.Path}' {reason}");
        NbdRemote remote = new(uri, addresses, options.IsReadOnly, options.Remote)
        {
            Transport = streams == null ? null : transport,
            Streams = streams,
        };
        using ManualResetEventSlim ended = new();
        NbdOpening opening = new(loop, remote, ended.Set);
        loop.Post(new StandingPost(opening));
        ended.Wait();
        device = opening.Device;
        return opening.Refusal;
    }

    /// <summary>At least one address, or why there is none.</summary>
    static OpenRefusal TryResolve(NbdUri uri, out EndPoint[] addresses)
    {
        addresses = [];
        if (uri.SocketPath is { } path)
        {
            try
            {
                addresses = [new UnixDomainSocketEndPoint(path)];
                return default;
            }
            catch (PlatformNotSupportedException) // Windows before 1803
            {
                const string sentence =
                    "needs unix sockets, which this system does not have; use nbd://HOST:PORT/EXPORT";
                return new OpenRefusal(new Fault(FaultKind.Unsupported), $"'{uri.Text}' {sentence}");
            }
        }
        try
        {
            IPAddress[] found = Dns.GetHostAddresses(uri.Host);
            addresses = Array.ConvertAll(found, one => (EndPoint)new IPEndPoint(one, uri.Port));
        }
        catch (Exception exception) when (exception is SocketException or ArgumentException)
        {
            // One sentence for both: no such name, and a name that none can have.
        }
        return addresses.Length > 0
            ? default
            : new OpenRefusal(
                Errnos.ToFault(Errnos.ENXIO),
                $"cannot find the host '{uri.Host}' of '{uri.Text}'; check its name"
            );
    }
}
