// fastbackup serve with a socket that somebody else listens on: as libnbd starts servers, as systemd does, and what it
// says of a unit that passes something else.
using System;
using System.IO;
using System.Net.Sockets;
using System.Text;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class SocketActivationTests : IDisposable
{
    const int DiskBytes = 3 << 20;

    /// <summary>Makes a socket as argument 1 says, puts it where one is expected, and becomes the rest of the line.
    /// </summary>
    const string Activate = """
        import os, socket, sys
        kind, count = sys.argv[1], sys.argv[2]
        if kind.startswith("/"):
            s = socket.socket(socket.AF_UNIX)
            s.bind(kind)
        else:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM)
            s.bind(("0.0.0.0" if kind == "everywhere" else "127.0.0.1", 0))
        if kind not in ("datagram", "deaf"):
            s.listen()
        os.dup2(s.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ["LISTEN_PID"], os.environ["LISTEN_FDS"] = str(os.getpid()), count
        os.execvp(sys.argv[3], sys.argv[3:])
        """;

    readonly TempFolder _folder = new();

    public SocketActivationTests() => Disks.Random(_folder["disk.img"], DiskBytes);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Libnbd_StartsTheServerItself()
    {
        Requires.Command("nbdcopy");
        string[] server = ["[", .. BuiltCommand.Words, "serve", "disk.img", "--quiet", "]"];
        Assert.Equal(
            $"{DiskBytes}",
            Programs.Run(_folder.Path, "nbdinfo", ["--size", "--", .. server]).Expect(0).Output.Trim()
        );
        Programs.Run(_folder.Path, "nbdcopy", ["--", .. server, "copy.img"]).Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
    }

    [Fact]
    public void Socket_IsServedAndLeftWhereItIs()
    {
        Requires.Command("python3");
        string path = _folder["passed"];
        using RunningProgram server = Start(path, "1", "serve", "disk.img");
        Eventually.True(() => server.Output.Contains("Ctrl-C", StringComparison.Ordinal) || server.HasExited);
        Assert.Contains($"as nbd+unix:///disk?socket={path}", server.Output, StringComparison.Ordinal);
        Programs.Fastbackup(_folder.Path, "compare", $"nbd+unix:///disk?socket={path}", "disk.img").Expect(0);
        server.Signal("TERM");
        server.Wait().Expect(0);
        Assert.True(File.Exists(path)); // the service manager goes on listening there
    }

    /// <summary>Whoever is told that it is ready finds both sockets.</summary>
    [Theory]
    [InlineData("notices")]
    [InlineData("@fastbackup-test-")]
    public void ServiceManager_IsToldOnceItIsReady(string name)
    {
        bool isFile = name[0] != '@';
        string path = isFile ? _folder[name] : name + Path.GetFileName(_folder.Path);
        using Socket manager = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        manager.Bind(new UnixDomainSocketEndPoint(isFile ? path : '\0' + path[1..]));
        manager.ReceiveTimeout = 30_000;
        string[] line = ["serve", "disk.img", "--socket", "s", "--monitor", "m"];
        using RunningProgram server = new(
            _folder.Path,
            BuiltCommand.Words[0],
            [.. BuiltCommand.Words[1..], .. line],
            ("NOTIFY_SOCKET", path)
        );
        byte[] said = new byte[64];
        Assert.Equal("READY=1", Encoding.ASCII.GetString(said, 0, manager.Receive(said)));
        Programs.Fastbackup(_folder.Path, "ctl", "m", "query-jobs").Expect(0);
        server.Signal("TERM");
        server.Wait().Expect(0);
    }

    [Theory]
    [InlineData("local", "2", "the service manager has passed '2' sockets (LISTEN_FDS); serve takes one")]
    [InlineData("local", "", "the service manager has passed '' sockets (LISTEN_FDS); serve takes one")]
    [InlineData("datagram", "1", "is no listening stream socket (ListenStream=, Accept=no)")]
    [InlineData("deaf", "1", "is no listening stream socket (ListenStream=, Accept=no)")]
    [InlineData("everywhere", "1", "can be reached from other machines, which needs TLS")]
    [InlineData("local", "1", "the service manager has passed a socket: leave out --socket", "--socket", "s")]
    public void WrongUnit_IsOneSentence(string kind, string count, string part, params string[] more)
    {
        Requires.Command("python3");
        using RunningProgram server = Start(kind, count, ["serve", "disk.img", .. more]);
        string said = server.Wait().Expect(2).Error;
        Assert.Contains(part, said, StringComparison.Ordinal);
        Assert.Single(said.TrimEnd('\n').Split('\n'));
        Assert.False(File.Exists(_folder["s"]));
    }

    RunningProgram Start(string kind, string count, params string[] arguments) =>
        new(_folder.Path, "python3", ["-c", Activate, kind, count, .. BuiltCommand.Words, .. arguments]);
}
