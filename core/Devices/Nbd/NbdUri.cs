// Names of remote disks, as other NBD tools take them:
//
//   nbd://HOST[:PORT]/EXPORT              TCP, port 10809 if none is given; an IPv6 address in brackets
//   nbd+unix:///EXPORT?socket=PATH        a socket in the file system
//
//   nbds://..., nbds+unix://...           the same with TLS; also, as ?NAME=VALUE or &NAME=VALUE:
//       tls-certificates=DIR              a folder of certificates; without it the system's authorities are trusted
//       tls-hostname=NAME                 that the server's certificate has, where it is not HOST
//
// EXPORT and all values may be percent-encoded; no EXPORT is the server's default one. What is not understood is
// refused, nothing is guessed. Source: NetworkBlockDevice/nbd, doc/uri.md; libnbd, nbd_connect_uri(3).
using System;
using System.Globalization;
using System.Text;

namespace FastBackup.Devices.Nbd;

/// <summary>Immutable. Threads: any.</summary>
public sealed record NbdUri
{
    const string Tcp = "nbd://";
    const string Unix = "nbd+unix://";
    const string TlsTcp = "nbds://";
    const string TlsUnix = "nbds+unix://";

    /// <summary>sockaddr_un has so many, and one for the end. Source: unix(7).</summary>
    const int SocketPathBytesMax = 107;

    static readonly string[] UnknownSchemes = ["nbd+vsock://", "nbds+vsock://"];

    NbdUri() { }

    /// <summary>As given.</summary>
    public required string Text { get; init; }

    /// <summary>A name or an address; empty for a socket.</summary>
    internal string Host { get; private init; } = "";

    internal ushort Port { get; private init; }

    /// <summary>Null for TCP.</summary>
    internal string? SocketPath { get; private init; }

    internal string Export { get; private init; } = "";

    /// <summary>The connection is TLS's from the first option on.</summary>
    public bool IsTls { get; private init; }

    /// <summary>The folder that was named; null: none was.</summary>
    public string? TlsFolder { get; private init; }

    /// <summary>What the server's certificate must be for.</summary>
    public string TlsHost { get; private init; } = "";

    /// <summary>Whether a name means a remote disk, well written or not; else it is a path.</summary>
    public static bool IsMeant(string name) =>
        HasScheme(name, Tcp)
        || HasScheme(name, Unix)
        || HasScheme(name, TlsTcp)
        || HasScheme(name, TlsUnix)
        || Array.Exists(UnknownSchemes, scheme => HasScheme(name, scheme));

    /// <param name="text">A name that IsMeant.</param>
    /// <param name="mayBeTls">False: names with TLS are refused.</param>
    /// <param name="uri">What it says, or null.</param>
    /// <returns>Null, or what is wrong, as the end of a sentence that begins with the name.</returns>
    public static string? TryParse(string text, bool mayBeTls, out NbdUri? uri)
    {
        uri = null;
        string[] schemes = mayBeTls ? [Tcp, Unix, TlsTcp, TlsUnix] : [Tcp, Unix];
        if (Array.Find(schemes, one => HasScheme(text, one)) is not { } scheme)
            return $"has a scheme that is not supported here; it is {string.Join(" or ", schemes)}";
        bool isUnix = scheme is Unix or TlsUnix;
        string rest = text[scheme.Length..];
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
        NbdUri made = new()
        {
            Text = text,
            Export = export,
            IsTls = scheme is TlsTcp or TlsUnix,
        };
        string? wrong = isUnix ? TryUnix(made, authority, query, out uri) : TryTcp(made, authority, query, out uri);
        if (wrong == null && uri!.TlsHost.Length == 0)
            uri = uri with { TlsHost = uri.SocketPath == null ? uri.Host : "localhost" };
        return wrong;
    }

    /// <summary>What stands behind the '?'.</summary>
    static string? TryQuery(NbdUri made, string query, bool isUnix, out NbdUri uri)
    {
        uri = made;
        foreach (string word in query.Length == 0 ? [] : query.Split('&'))
        {
            int mark = word.IndexOf('=', StringComparison.Ordinal);
            string name = mark < 0 ? word : word[..mark];
            string value = "";
            if (made.IsTls && name == "tls-psk-file")
                return "asks for a pre-shared key, which the platform's TLS does not have; give tls-certificates=DIR";
            bool isKnown = name == "socket" ? isUnix : made.IsTls && name is "tls-certificates" or "tls-hostname";
            if (!isKnown)
                return $"has '{word}' behind its '?', which is not known with this scheme";
            if (mark < 0 || !TryDecode(word[(mark + 1)..], out value) || value.Length == 0)
                return $"has no value behind '{name}=', or a bad % sequence in it";
            uri = name switch
            {
                "socket" => uri with { SocketPath = value },
                "tls-certificates" => uri with { TlsFolder = value },
                _ => uri with { TlsHost = value },
            };
        }
        return null;
    }

    static string? TryUnix(NbdUri made, string authority, string query, out NbdUri? uri)
    {
        uri = null;
        if (authority.Length > 0)
            return $"has a host, '{authority}'; with a socket it is nbd+unix:///EXPORT?socket=PATH";
        if (TryQuery(made, query, isUnix: true, out NbdUri read) is { } wrong)
            return wrong;
        if (read.SocketPath is not { } path)
            return "needs ?socket=PATH at its end";
        if (Encoding.UTF8.GetByteCount(path) > SocketPathBytesMax)
            return "has a path of a socket of more than 107 bytes, which the system does not take";
        uri = read;
        return null;
    }

    static string? TryTcp(NbdUri made, string authority, string query, out NbdUri? uri)
    {
        uri = null;
        if (TryQuery(made, query, isUnix: false, out made) is { } wrong)
            return wrong;
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
