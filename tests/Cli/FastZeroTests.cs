// Fast zeroes and NBD_CMD_CACHE with the clients and servers that people have: scripts of nbdsh against our server, our
// client against those that can, and against one that says it is slow.
using System;
using System.IO;
using System.Linq;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class FastZeroTests : IDisposable
{
    const int MiB = 1 << 20;
    const string Fast = "nbd.CMD_FLAG_FAST_ZERO";

    readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void OfAFile_TheyLeaveAHole()
    {
        Disks.Random(_folder["disk.img"], 8 * MiB);
        using RunningProgram server = Serve("disk.img");
        string said = Shell(
            "s",
            "print(h.can_fast_zero(), h.can_cache())",
            $"h.zero({4 * MiB}, {MiB}, {Fast})",
            $"print(h.pread({4 * MiB}, {MiB}) == bytes({4 * MiB}))",
            Attempt($"h.zero(4096, {8 * MiB - 2048}, {Fast})"), // past the end
            Attempt($"h.cache(4096, 0)")
        );
        // What is read directly is kept nowhere: there is nothing that a read in advance would do.
        Assert.Equal("True False\nTrue\nENOSPC\nEINVAL\n", said);
        ServedDisk.End(server, "INT");
        Assert.InRange(Disks.AllocatedBytes(_folder["disk.img"]), 1, 5 * MiB);
    }

    [Fact]
    public void OfAnImage_PartsOfAClusterAreRefused_AndNothingIsWritten()
    {
        Requires.Command("qemu-img");
        Disks.Random(_folder["disk.img"], 4 * MiB);
        string[] convert = ["convert", "-f", "raw", "-O", "qcow2", "disk.img", "disk.qcow2"];
        _ = Programs.Run(_folder.Path, "qemu-img", convert).Expect(0);
        using RunningProgram server = Serve("disk.qcow2");
        string said = Shell(
            "s",
            "before = h.pread(4194304, 0)",
            Attempt($"h.zero(4096, 4096, {Fast})"),
            "print(h.pread(4194304, 0) == before)",
            "h.zero(4096, 4096)",
            $"h.zero(65536, 131072, {Fast})",
            "print(h.pread(4096, 4096) == bytes(4096) and h.pread(65536, 131072) == bytes(65536))"
        );
        Assert.Equal("ENOTSUP\nTrue\nTrue\n", said.Replace("EOPNOTSUPP", "ENOTSUP", StringComparison.Ordinal));
        ServedDisk.End(server, "INT");
        _ = Programs.Run(_folder.Path, "qemu-img", "check", "disk.qcow2").Expect(0);
    }

    /// <summary>Whoever serves a remote disk hands on what that can: its server has a cache, and zeroes by a stroke.
    /// </summary>
    [Fact]
    public void OfARemoteDisk_TheyAndReadsInAdvance_AreHandedOn()
    {
        Requires.Command("nbdkit");
        string[] line = ["-f", "-U", _folder["k"], "--filter=log", "memory", "4M", "logfile=" + _folder["log"]];
        using RunningProgram peer = new(_folder.Path, "nbdkit", line);
        Eventually.True(() => File.Exists(_folder["k"]));
        using RunningProgram server = Serve($"disk=nbd+unix:///?socket={_folder["k"]}");
        string said = Shell(
            "s",
            "print(h.can_fast_zero(), h.can_cache())",
            $"h.pwrite(bytes([7]) * {4 * MiB}, 0)",
            $"h.zero({MiB}, {MiB}, {Fast})",
            $"print(h.pread({MiB + 1}, {MiB}) == bytes({MiB}) + bytes([7]))",
            $"h.cache(2000000, {2 * MiB})",
            Attempt($"h.cache({64 * MiB}, 0)")
        );
        Assert.Equal("True True\nTrue\nEINVAL\n", said);
        string log = File.ReadAllText(_folder["log"]);
        Assert.Contains("Zero id=", log, StringComparison.Ordinal);
        Assert.Contains("fast=1", log, StringComparison.Ordinal);
        Assert.Equal(MiB + 1 + 2_000_000, ReadBytes(log));
        ServedDisk.End(server, "INT");
    }

    [Theory]
    [InlineData("nbdkit")]
    [InlineData("qemu-nbd")]
    public void OfATarget_TheyMakeItsHoles(string server)
    {
        Disks.Sparse(_folder["disk.img"], 96 * MiB, (70 * MiB, MiB));
        Disks.Random(_folder["old.img"], 96 * MiB);
        string socket = _folder["k"];
        string[] line =
            server == "nbdkit"
                ? ["-f", "-U", socket, "file", "old.img"]
                : ["-f", "raw", "-t", "--discard=unmap", "-k", socket, "old.img"];
        Requires.Command(server);
        using RunningProgram peer = new(_folder.Path, server, line);
        Eventually.True(() => File.Exists(socket));
        string uri = $"nbd+unix:///?socket={socket}";
        _ = Programs.Fastbackup(_folder.Path, "backup", "disk.img", uri, "--force").Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["old.img"]);
        Assert.InRange(Disks.AllocatedBytes(_folder["old.img"]), MiB, 3 * MiB);
    }

    [Fact]
    public void OfATargetThatIsSlow_TheyComeInPieces()
    {
        Requires.Command("nbdkit");
        Disks.Sparse(_folder["disk.img"], 96 * MiB, (90 * MiB, MiB));
        Disks.Random(_folder["old.img"], 96 * MiB);
        string[] line =
        [
            .. (string[])["-f", "-U", _folder["k"], "--filter=log", "--filter=nozero", "file", "old.img"],
            .. (string[])["zeromode=emulate", "fastzeromode=slow", "logfile=" + _folder["log"]],
        ];
        using RunningProgram peer = new(_folder.Path, "nbdkit", line);
        Eventually.True(() => File.Exists(_folder["k"]));
        string uri = $"nbd+unix:///?socket={_folder["k"]}";
        _ = Programs.Fastbackup(_folder.Path, "backup", "disk.img", uri, "--force").Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["old.img"]);
        string[] zeroes =
        [
            .. File.ReadAllLines(_folder["log"]).Where(one => one.Contains(" Zero id=", StringComparison.Ordinal)),
        ];
        Assert.All(
            zeroes.Where(one => one.Contains("fast=0", StringComparison.Ordinal)),
            one => Assert.InRange(Number(one, "count="), 1, 32 * MiB)
        );
    }

    /// <summary>Code that prints the error with which a call fails.</summary>
    static string Attempt(string call) =>
        $"try:\n    {call}\n    print('done')\nexcept nbd.Error as error:\n    print(error.errno)";

    static long ReadBytes(string log) =>
        log.Split('\n')
            .Where(line => line.Contains(" Read id=", StringComparison.Ordinal))
            .Where(line => !line.Contains("...Read", StringComparison.Ordinal))
            .Sum(line => Number(line, "count="));

    static long Number(string line, string name)
    {
        int start = line.IndexOf(name, StringComparison.Ordinal) + name.Length;
        string text = line[start..].Split(' ')[0];
        return text.StartsWith("0x", StringComparison.Ordinal)
            ? Convert.ToInt64(text[2..], 16)
            : long.Parse(text, System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Runs lines in nbdsh, connected to the export "disk".</summary>
    string Shell(string socket, params string[] lines)
    {
        Requires.Command("/usr/lib/python3/dist-packages/nbd.py");
        string uri = $"nbd+unix:///disk?socket={_folder[socket]}";
        string[] before = ["-m", "nbd", "-u", uri, "-c", "h.set_strict_mode(0)"];
        string[] line = [.. before, .. lines.SelectMany(one => (string[])["-c", one])];
        return Programs.Run(_folder.Path, "/usr/bin/python3", line).Expect(0).Output;
    }

    RunningProgram Serve(string disk)
    {
        string named = disk.Contains('=', StringComparison.Ordinal) ? disk : $"disk={disk}";
        RunningProgram server = Programs.StartFastbackup(_folder.Path, "serve", named, "--socket", "s");
        Eventually.True(() => server.Output.Contains("serving", StringComparison.Ordinal) || server.HasExited);
        return server;
    }
}
