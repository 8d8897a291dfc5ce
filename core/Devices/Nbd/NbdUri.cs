// Names of remote disks, as other NBD tools take them:
//
//   nbd://HOST[:PORT]/EXPORT              TCP, port 10809 if none is given; an IPv6 address in brackets
//   nbd+unix:///EXPORT?socket=PATH        a socket in the file system
//
// EXPORT and PATH may be percent-encoded; no EXPORT is the server's default one. What is not understood is refused,
// nothing is guessed. No TLS. Source: NetworkBlockDevice/nbd, doc/uri.md.
using System;
using System.Globalization;
using System.Text;

namespace FastBackup.Devices.Nbd;

/// <summary>Immutable. Threads: any.</summary>
public sealed record NbdUri
{
    const string Tcp = "nbd://";
    const string Unix = "nbd+unix://";
    const string SocketWord = "socket=";

    /// <summary>sockaddr_un has so many, and one for the end. Source: unix(7).</summary>
    const int SocketPathBytesMax = 107;

    static readonly string[] UnknownSchemes = ["nbds://", "nbds+unix://", "nbd+vsock://", "nbds+vsock://"];

    NbdUri() { }

    /// <summary>As given.</summary>
    public required string Text { get; init; }

    /// <summary>A name or an address; empty for a socket.</summary>
    internal string Host { get; private init; } = "";

    internal ushort Port { get; private init; }

    /// <summary>Null for TCP.</summary>
    internal string? SocketPath { get; private init; }

    internal string Export { get; private init; } = "";

    /// <summary>Whether a name means a remote disk, well written or not; else it is a path.</summary>
    public static bool IsMeant(string name) =>
        HasScheme(name, Tcp)
        || HasScheme(name, Unix)
        || Array.Exists(UnknownSchemes, scheme => HasScheme(name, scheme));

    /// <param name="text">A name that IsMeant.</param>
    /// <param name="uri">What it says, or null.</param>
    /// <returns>Null, or what is wrong, as the end of a sentence that begins with the name.</returns>
    public static string? TryParse(string text, out NbdUri? uri)
    {
        uri = null;
        bool isUnix = HasScheme(text, Unix);
        if (!isUnix && !HasScheme(text, Tcp))
            return "has a scheme that is not supported here; it is nbd:// or nbd+unix://";
        string rest = text[(isUnix ? Unix : Tcp).Length..];
        if (rest.Contains('#', StringComparison.Ordinal))
            return "has a '#'; write it as %23";
        string query = "";
        if (rest.IndexOf('?', StringComparison.Ordinal) is >= 0 and var mark)
            (rest, query) = (rest[..mark], rest[(mark + 1)..]);
        int slash = rest.IndexOf('/', StringComparison.Ordinal);
        string authority = slash < 0 ? rest : rest[..slash];
        if (!TryDecode(slash < 0 ? "" : rest[(slash + 1)..], out string export))
            return "has an export name with a bad % sequence; each is % and two hexadecimal digits, UTF-8, not %00";
        if (Encoding.UTF8.GetByteCount(export) > NbdProtocol.StringBytesMax)
            return "has an export name of more than 4096 bytes";
        NbdUri made = new() { Text = text, Export = export };
        return isUnix ? TryUnix(made, authority, query, out uri) : TryTcp(made, authority, query, out uri);
    }

    static string? TryUnix(NbdUri made, string authority, string query, out NbdUri? uri)
    {
        uri = null;
        if (authority.Length > 0)
            return $"has a host, '{authority}'; with nbd+unix it is nbd+unix:///EXPORT?socket=PATH";
        if (!query.StartsWith(SocketWord, StringComparison.Ordinal) || query.Contains('&', StringComparison.Ordinal))
            return "needs ?socket=PATH, and nothing else, at its end";
        if (!TryDecode(query[SocketWord.Length..], out string path) || path.Length == 0)
            return "has no path of a socket behind 'socket=', or a bad % sequence in it";
        if (Encoding.UTF8.GetByteCount(path) > SocketPathBytesMax)
            return "has a path of a socket of more than 107 bytes, which the system does not take";
        uri = made with { SocketPath = path };
        return null;
    }

    static string? TryTcp(NbdUri made, string authority, string query, out NbdUri? uri)
    {
        uri = null;
        if (query.Length > 0)
            return $"has '?{query}', which is not known with nbd://";
        if (authority.Contains('@', StringComparison.Ordinal))
            return "names a user, which is not supported here";
        int colon = authority.LastIndexOf(':');
        bool isBracketed = authority.StartsWith('[');
        if (isBracketed && authority.LastIndexOf(']') > colon)
            colon = -1;
        string host = colon < 0 ? authority : authority[..colon];
        ushort port = NbdProtocol.DefaultPort;
        if (colon >= 0 && !TryPort(authority[(colon + 1)..], out port))
            return $"has the port '{authority[(colon + 1)..]}'; it is a number, 1..65535";
        if (isBracketed)
            host = host.EndsWith(']') ? host[1..^1] : "";
        else if (host.Contains(':', StringComparison.Ordinal))
            return "has an IPv6 address without brackets; write nbd://[::1]:10809/EXPORT";
        if (host.Length == 0)
            return "names no host; it is nbd://HOST[:PORT]/EXPORT";
        uri = made with { Host = host, Port = port };
        return null;
    }

    static bool TryPort(string text, out ushort port) =>
        ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port > 0;

    static bool HasScheme(string name, string scheme) => name.StartsWith(scheme, StringComparison.OrdinalIgnoreCase);

    /// <returns>False: a % without two digits, a zero byte, or no UTF-8.</returns>
    static bool TryDecode(string text, out string decoded)
    {
        decoded = "";
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        int count = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            byte one = bytes[i];
            if (one == '%')
            {
                if (i + 2 >= bytes.Length || !IsHex(bytes[i + 1]) || !IsHex(bytes[i + 2]))
                    return false;
                one = (byte)(HexValue(bytes[i + 1]) << 4 | HexValue(bytes[i + 2]));
                i += 2;
            }
            if (one == 0)
                return false;
            bytes[count++] = one;
        }
        decoded = Encoding.UTF8.GetString(bytes, 0, count);
        return !decoded.Contains('\ufffd', StringComparison.Ordinal);
    }

    static bool IsHex(byte one) => char.IsAsciiHexDigit((char)one);

    static int HexValue(byte one) => one <= '9' ? one - '0' : (one | 0x20) - 'a' + 10;
}
