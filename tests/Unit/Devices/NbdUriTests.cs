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
        Assert.Null(NbdUri.TryParse(text, out NbdUri? uri));
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
        Assert.Null(NbdUri.TryParse(text, out NbdUri? uri));
        Assert.Equal((path, export), (uri!.SocketPath, uri.Export));
    }

    [Theory]
    [InlineData("nbds://host/x", "a scheme that is not supported")]
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
    [InlineData("nbd://h/x?a=b", "has '?a=b'")]
    [InlineData("nbd://h/x#y", "has a '#'")]
    [InlineData("nbd://h/%", "a bad % sequence")]
    [InlineData("nbd://h/%4", "a bad % sequence")]
    [InlineData("nbd://h/%4g", "a bad % sequence")]
    [InlineData("nbd://h/%00", "a bad % sequence")]
    [InlineData("nbd://h/%ff", "a bad % sequence")]
    [InlineData("nbd+unix:///x", "needs ?socket=PATH")]
    [InlineData("nbd+unix:///x?sock=a", "needs ?socket=PATH")]
    [InlineData("nbd+unix:///x?socket=a&b=c", "needs ?socket=PATH, and nothing else")]
    [InlineData("nbd+unix:///x?socket=", "no path of a socket")]
    [InlineData("nbd+unix://h/x?socket=s", "has a host, 'h'")]
    public void WhatIsNone_IsRefused_WithItsReason(string text, string said)
    {
        Assert.True(NbdUri.IsMeant(text));
        Assert.Contains(said, NbdUri.TryParse(text, out NbdUri? uri));
        Assert.Null(uri);
    }

    [Fact]
    public void WhatIsTooLong_IsRefused()
    {
        Assert.Contains("4096", NbdUri.TryParse("nbd://h/" + new string('x', 4097), out _));
        Assert.Contains("107", NbdUri.TryParse("nbd+unix:///?socket=" + new string('x', 108), out _));
        Assert.Null(NbdUri.TryParse("nbd+unix:///?socket=" + new string('x', 107), out _));
    }

    [Theory]
    [InlineData("disk.img")]
    [InlineData("nbd")]
    [InlineData("./nbd://x")]
    [InlineData("/dev/nbd0")]
    public void APath_IsNotMeant(string name) => Assert.False(NbdUri.IsMeant(name));
}
