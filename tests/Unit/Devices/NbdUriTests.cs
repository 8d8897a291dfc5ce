// What names a remote disk, and one clause for each that does not.
using FastBackup.Devices.Nbd;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

public sealed class NbdUriTests
{
    [Theory]
    [InlineData("nbd://host", "host", 10809, "")]
    [InlineData("nbd://host/", "host", 10809, "")]
    [InlineData("NBD://host:1/disk", "host", 1, "disk")]
    [InlineData("nbd://[::1]:65535/a/b", "::1", 65535, "a/b")]
    [InlineData("nbd://[::1]/x", "::1", 10809, "x")]
    [InlineData("nbd://10.0.0.1/%C3%A4%20%2f", "10.0.0.1", 10809, "ä /")]
    public void Tcp(string text, string host, int port, string export)
    {
        Assert.True(NbdUri.IsMeant(text));
        Assert.Null(NbdUri.TryParse(text, mayBeTls: true, out NbdUri? uri));
        Assert.Equal((host, port, export), (uri!.Host, (int)uri.Port, uri.Export));
        Assert.Null(uri.SocketPath);
    }

    [Theory]
    [InlineData("nbd+unix:///?socket=/s", "", "/s")]
    [InlineData("nbd+unix:///disk?socket=a%20b", "disk", "a b")]
    [InlineData("nbd+unix://?socket=s", "", "s")]
    public void Unix(string text, string export, string path)
    {
        Assert.True(NbdUri.IsMeant(text));
        Assert.Null(NbdUri.TryParse(text, mayBeTls: true, out NbdUri? uri));
        Assert.Equal((path, export), (uri!.SocketPath, uri.Export));
    }

    [Fact]
    public void Tls_ByItsScheme_WithFolderAndName()
    {
        const string text = "nbds://h/x?tls-certificates=/etc/a%20b&tls-hostname=n";
        Assert.Null(NbdUri.TryParse(text, mayBeTls: true, out NbdUri? uri));
        Assert.Equal(("/etc/a b", "n", "h", true), (uri!.TlsFolder, uri.TlsHost, uri.Host, uri.IsTls));
        Assert.Null(NbdUri.TryParse("nbds+unix:///x?socket=s", mayBeTls: true, out uri));
        Assert.Equal((null, "localhost", "s"), (uri!.TlsFolder, uri.TlsHost, uri.SocketPath));
        Assert.Contains("is not supported here", NbdUri.TryParse(text, mayBeTls: false, out _));
    }

    [Theory]
    [InlineData("nbd+vsock://1/x", "a scheme that is not supported")]
    [InlineData("nbd://", "names no host")]
    [InlineData("nbd:///x", "names no host")]
    [InlineData("nbd://[]/x", "names no host")]
    [InlineData("nbd://:1/x", "names no host")]
    [InlineData("nbd://h:/x", "has the port ''")]
    [InlineData("nbd://h:0/x", "has the port '0'")]
    [InlineData("nbd://h:65536/x", "has the port '65536'")]
    [InlineData("nbd://h:+1/x", "has the port '+1'")]
    [InlineData("nbd://::1:5/x", "an IPv6 address without brackets")]
    [InlineData("nbd://me@h/x", "names a user")]
    [InlineData("nbd://h/x?a=b", "has 'a=b' behind its '?'")]
    [InlineData("nbd://h/x?tls-hostname=b", "has 'tls-hostname=b' behind its '?'")]
    [InlineData("nbds://h/x?tls-certificates=", "has no value behind 'tls-certificates='")]
    [InlineData("nbds://h/x?tls-verify-peer=false", "which is not known with this scheme")]
    [InlineData("nbds://h/x?tls-psk-file=keys", "asks for a pre-shared key, which the platform's TLS does not have")]
    [InlineData("nbd://h/x#y", "has a '#'")]
    [InlineData("nbd://h/%", "a bad % sequence")]
    [InlineData("nbd://h/%4", "a bad % sequence")]
    [InlineData("nbd://h/%4g", "a bad % sequence")]
    [InlineData("nbd://h/%00", "a bad % sequence")]
    [InlineData("nbd://h/%ff", "a bad % sequence")]
    [InlineData("nbd+unix:///x", "needs ?socket=PATH")]
    [InlineData("nbd+unix:///x?sock=a", "has 'sock=a'")]
    [InlineData("nbd+unix:///x?socket=a&b=c", "has 'b=c' behind its '?'")]
    [InlineData("nbd+unix:///x?socket=", "has no value behind 'socket='")]
    [InlineData("nbd+unix://h/x?socket=s", "has a host, 'h'")]
    public void WhatIsNone_IsRefused_WithItsReason(string text, string said)
    {
        Assert.True(NbdUri.IsMeant(text));
        Assert.Contains(said, NbdUri.TryParse(text, mayBeTls: true, out NbdUri? uri));
        Assert.Null(uri);
    }

    [Fact]
    public void WhatIsTooLong_IsRefused()
    {
        Assert.Contains("4096", NbdUri.TryParse("nbd://h/" + new string('x', 4097), false, out _));
        Assert.Contains("107", NbdUri.TryParse("nbd+unix:///?socket=" + new string('x', 108), false, out _));
        Assert.Null(NbdUri.TryParse("nbd+unix:///?socket=" + new string('x', 107), false, out _));
    }

    [Theory]
    [InlineData("disk.img")]
    [InlineData("nbd")]
    [InlineData("./nbd://x")]
    [InlineData("/dev/nbd0")]
    public void APath_IsNotMeant(string name) => Assert.False(NbdUri.IsMeant(name));
}
