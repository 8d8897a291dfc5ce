// Remote disks as people name them, against the servers that people have.
using System;
using System.Globalization;
using System.IO;
using System.Net;
using System.Net.Sockets;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Nbd;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class NbdTests : IDisposable
{
    const long DiskBytes = 20_000_000 / 512 * 512;

    readonly TempFolder _folder = new();

    public NbdTests() =>
        Disks.Sparse(_folder["disk.img"], DiskBytes, (0, 5_000), (6_291_456, 3_000_000), ((int)DiskBytes - 700, 700));

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("qemu-nbd")]
    [InlineData("nbdkit")]
    public void AnExport_IsBackedUp_WithItsHoles(string server)
    {
        using RunningProgram peer = Serve(server, "disk.img", out string uri);
        string said = Run("backup", uri, "copy.img").Expect(0).Output;
        Assert.Contains("skipped as zero", said);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
        Assert.InRange(Disks.AllocatedBytes(_folder["copy.img"]), 1, 4_000_000);
        Assert.False(File.Exists(_folder["copy.img.partial"]));
    }

    [Theory]
    [InlineData("qemu-nbd", 0)]
    [InlineData("nbdkit", 0)]
    [InlineData("nbdkit", 1_000_000)]
    public void AnExport_IsOverwritten_OnlyWithForce(string server, int longerBytes)
    {
        Disks.Random(_folder["export.img"], DiskBytes + longerBytes / 512 * 512);
        byte[] before = File.ReadAllBytes(_folder["export.img"]);
        using RunningProgram peer = Serve(server, "export.img", out string uri);
        Run("backup", "disk.img", uri).Expect(1).ExpectSentence($"'{uri}' is a disk of a server", "--force");
        Assert.Equal(before, File.ReadAllBytes(_folder["export.img"]));
        Run("backup", "disk.img", uri, "--force").Expect(0);
        byte[] after = File.ReadAllBytes(_folder["export.img"]);
        Assert.True(File.ReadAllBytes(_folder["disk.img"]).AsSpan().SequenceEqual(after.AsSpan(0, (int)DiskBytes)));
        Assert.True(before.AsSpan((int)DiskBytes).SequenceEqual(after.AsSpan((int)DiskBytes)));
    }

    [Fact]
    public void FromOneServerToAnother_OverTcp()
    {
        Requires.Command("nbdkit");
        string port = LocalPort.Free().Port.ToString(CultureInfo.InvariantCulture);
        using RunningProgram memory = new(
            _folder.Path,
            "nbdkit",
            ["-f", "-i", "127.0.0.1", "-p", port, "memory", DiskBytes.ToString(CultureInfo.InvariantCulture)]
        );
        Eventually.True(() => IsOpen(port));
        using RunningProgram peer = Serve("qemu-nbd", "disk.img", out string uri);
        string other = $"nbd://localhost:{port}/";
        Run("compare", uri, other).Expect(1);
        Run("backup", uri, other, "--force").Expect(0);
        Assert.StartsWith("identical: ", Run("compare", uri, other).Expect(0).Output);
        Assert.StartsWith("identical: ", Run("compare", "disk.img", other).Expect(0).Output);
        Run("backup", other, other, "--force").Expect(1).ExpectSentence(other);
    }

    [Fact]
    public void ATargetThatIsTooSmall_OrReadOnly_IsRefused()
    {
        Disks.Random(_folder["small.img"], 1_000_448);
        using RunningProgram small = Serve("nbdkit", "small.img", out string uri);
        Run("backup", "disk.img", uri, "--force")
            .Expect(1)
            .ExpectSentence("has 1000448 bytes, the source needs 19999744");
        Requires.Command("qemu-nbd");
        string[] arguments = ["-f", "raw", "-r", "-t", "-k", _folder["ro.sock"], "small.img"];
        using RunningProgram readOnly = new(_folder.Path, "qemu-nbd", arguments);
        Eventually.True(() => File.Exists(_folder["ro.sock"]));
        Run("backup", "disk.img", $"nbd+unix:///?socket={_folder["ro.sock"]}", "--force")
            .Expect(1)
            .ExpectSentence("is read-only at its server");
    }

    [Fact]
    public void ATargetOfWholeBlocks_NeedsASourceOfWholeBlocks()
    {
        Requires.Command("nbdkit");
        Disks.Random(_folder["odd.img"], 1_000_001);
        string[] arguments =
        [
            "-f",
            "-U",
            _folder["blocks.sock"],
            "--filter=blocksize-policy",
            "memory",
            "1M",
            "blocksize-minimum=4096",
            "blocksize-error-policy=error",
        ];
        using RunningProgram peer = new(_folder.Path, "nbdkit", arguments);
        Eventually.True(() => File.Exists(_folder["blocks.sock"]));
        string uri = $"nbd+unix:///?socket={_folder["blocks.sock"]}";
        Run("backup", "odd.img", uri, "--force").Expect(1).ExpectSentence("whole blocks of 4096 bytes", "has 1000001");
        Disks.Random(_folder["even.img"], 1 << 20);
        Run("backup", "even.img", uri, "--force").Expect(0);
        Run("compare", "even.img", uri).Expect(0);
    }

    [Fact]
    public void AServerThatDies_FailsTheBackup_AndTheCopyNeverLooksWhole()
    {
        Requires.Command("nbdkit");
        string[] arguments = ["-f", "-U", _folder["slow.sock"], "--filter=delay", "file", "disk.img", "rdelay=300ms"];
        using RunningProgram peer = new(_folder.Path, "nbdkit", arguments);
        Eventually.True(() => File.Exists(_folder["slow.sock"]));
        string uri = $"nbd+unix:///?socket={_folder["slow.sock"]}";
        using RunningProgram backup = Programs.StartFastbackup(
            _folder.Path,
            "backup",
            uri,
            "copy.img",
            "--speed",
            "1M",
            "--reconnect",
            "0"
        );
        Eventually.True(() => File.Exists(_folder["copy.img.partial"]));
        peer.Signal("KILL");
        backup.Wait().Expect(1).ExpectSentence($"cannot read source '{uri}'", "connection", "copy.img.partial");
        Assert.False(File.Exists(_folder["copy.img"]));
    }

    [Fact]
    public void AServerThatStopsAnswering_DoesNotKeepAnInterruptedBackup()
    {
        Requires.Command("nbdkit");
        string[] arguments = ["-f", "-U", _folder["slow.sock"], "--filter=delay", "file", "disk.img", "rdelay=1000"];
        using RunningProgram peer = new(_folder.Path, "nbdkit", arguments);
        Eventually.True(() => File.Exists(_folder["slow.sock"]));
        string uri = $"nbd+unix:///?socket={_folder["slow.sock"]}";
        using RunningProgram backup = Programs.StartFastbackup(_folder.Path, "backup", uri, "copy.img");
        Eventually.True(() => File.Exists(_folder["copy.img.partial"]));
        backup.Signal("INT");
        backup.Wait().Expect(130).ExpectSentence("interrupted");
    }

    [Fact]
    public void WhatIsNotThere_IsSaid()
    {
        Run("backup", $"nbd+unix:///x?socket={_folder["none.sock"]}", "copy.img")
            .Expect(1)
            .ExpectSentence("source: cannot connect to", "ENOENT");
        Run("compare", "disk.img", "nbd://127.0.0.1:1/x")
            .Expect(3)
            .ExpectSentence("connection refused", "start its server");
        Run("compare", "disk.img", "nbd://no.such.host.invalid/x").Expect(3).ExpectSentence("'no.such.host.invalid'");
        using RunningProgram peer = Serve("qemu-nbd", "disk.img", out string uri);
        string other = uri.Replace("disk?", "other?", StringComparison.Ordinal);
        Run("compare", "disk.img", other).Expect(3).ExpectSentence("names the export 'other'", "does not have");
        Assert.False(File.Exists(_folder["copy.img.partial"]));
    }

    [Theory]
    [InlineData("nbd+vsock://1/x", "has a scheme that is not supported here; it is nbd:// or nbd+unix:// or nbds://")]
    [InlineData("nbd://host:0/x", "has the port '0'; it is a number, 1..65535")]
    [InlineData("nbd+unix:///x", "needs ?socket=PATH")]
    public void ABadName_IsAWrongCommandLine(string uri, string said)
    {
        Run("backup", uri, "copy.img").Expect(2).ExpectSentence($"SOURCE '{uri}' {said}");
        Run("backup", "disk.img", uri).Expect(2).ExpectSentence($"TARGET '{uri}' {said}");
        Run("compare", "disk.img", uri).Expect(2).ExpectSentence($"B '{uri}' {said}");
    }

    ProgramResult Run(params string[] arguments) => Programs.Fastbackup(_folder.Path, arguments);

    RunningProgram Serve(string server, string file, out string uri)
    {
        Requires.Command(server);
        string socket = _folder[file + ".sock"];
        uri = $"nbd+unix:///disk?socket={socket}";
        RunningProgram peer = new(
            _folder.Path,
            server,
            server == "nbdkit"
                ? ["-f", "-U", socket, "file", file]
                : ["-f", "raw", "-x", "disk", "-t", "-e", "5", "-k", socket, file]
        );
        Eventually.True(() => File.Exists(socket));
        return peer;
    }

    static bool IsOpen(string port)
    {
        try
        {
            using TcpClient client = new("127.0.0.1", int.Parse(port, CultureInfo.InvariantCulture));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
