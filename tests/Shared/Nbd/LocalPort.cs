// A TCP port of this machine that nobody has: the system gives it, and it is let go at once.
using System.Net;
using System.Net.Sockets;

namespace FastBackup.Tests.Nbd;

/// <summary>Threads: any. Somebody else may take it before it is used; hardly anybody does.</summary>
public static class LocalPort
{
    public static IPEndPoint Free()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return (IPEndPoint)listener.LocalEndpoint;
    }
}
