// Where an NBD server in a host's process listens: a unix socket that is made for this user only, or an address that
// this machine alone reaches. Other addresses need TLS, which the library has not.
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using FastBackup.Ports.Linux;

namespace FastBackup.Native.Objects;

/// <summary>Threads: one at a time.</summary>
sealed class ServerPlace
{
    readonly string? _path; // null: an address
    (ulong Inode, uint Major, uint Minor)? _identity;

    ServerPlace(EndPoint end, string? path) => (End, _path) = (end, path);

    public EndPoint End { get; }

    /// <summary>A socket of the file system. One that nobody listens on is removed.</summary>
    /// <param name="path">Where.</param>
    /// <param name="place">Null when refused.</param>
    /// <returns>Null, or why not.</returns>
    public static string? TryUse(string path, out ServerPlace? place)
    {
        place = null;
        if (Encoding.UTF8.GetByteCount(path) > SocketPath.BytesMax)
            return $"UNIX socket path '{path}' is too long";
        if (SocketPath.TryClear(path, isOnlyLook: false, out _) is { } sentence)
            return sentence;
        place = new ServerPlace(new UnixDomainSocketEndPoint(path), path);
        return null;
    }

    /// <summary>An address of this machine only.</summary>
    /// <param name="host">127.0.0.1, ::1 or localhost.</param>
    /// <param name="port">1..65535.</param>
    /// <param name="place">Null when refused.</param>
    /// <returns>Null, or why not.</returns>
    public static string? TryUse(string host, string port, out ServerPlace? place)
    {
        place = null;
        IPAddress? found = host == "localhost" ? IPAddress.Loopback : null;
        if (found == null && !IPAddress.TryParse(host, out found))
            return $"'{host}' is no address: 127.0.0.1, ::1 or localhost is";
        if (!IPAddress.IsLoopback(found))
            return $"'{host}' can be reached from other machines, which needs TLS: not supported here";
        if (!ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out ushort number) || number == 0)
            return $"'{port}' is no port: 1 to 65535 is";
        place = new ServerPlace(new IPEndPoint(found, number), null);
        return null;
    }

    /// <summary>A server listens there now.</summary>
    public void OnListening() => _identity = _path == null ? null : SocketPath.IdentityOf(_path);

    /// <summary>Nobody listens any more: the socket goes, unless it is another one by now.</summary>
    public void Remove()
    {
        if (_path != null && _identity != null)
            SocketPath.Remove(_path, _identity);
        _identity = null;
    }
}
