// Clients of others at our server, each as its users call it: the kernel driver's program (its negotiation; the rest is
// the kernel's), fio with verification, qemu-img both ways, nbdinfo for every context that it is told of.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Nbd;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class NbdClientsTests : IDisposable
{
    const int DiskBytes = 32 << 20;

    readonly TempFolder _folder = new();

    public NbdClientsTests() => Disks.Sparse(_folder["disk.img"], DiskBytes, (0, 1 << 20), (9 << 20, 3 << 20));

    public void Dispose() => _folder.Dispose();

    string Uri => $"nbd+unix:///disk?socket={_folder["s"]}";

    /// <summary>Without the kernel's module it ends behind its negotiation, and says what it has learnt; where there is
    /// one, nothing is attached to it.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void NbdClient_ListsAndNegotiates(bool isUnix)
    {
        Requires.Command("nbd-client");
        int port = LocalPort.Free().Port;
        using RunningProgram server = isUnix ? Serve() : Serve("--listen", $"127.0.0.1:{port}");
        string[] place = isUnix ? ["-unix", _folder["s"]] : ["127.0.0.1", $"{port}"];
        Assert.Contains("disk: disk.img", Said([.. place, "-l"]), StringComparison.Ordinal);
        if (Directory.Exists("/sys/module/nbd"))
            return;
        Assert.Contains("size = 32MB", Said([.. place, "/dev/nbd0", "-N", "disk"]), StringComparison.Ordinal);
        string refused = Said([.. place, "/dev/nbd0", "-N", "none"]);
        Assert.Contains("Server said: no disk has this name", refused, StringComparison.Ordinal);
        Assert.DoesNotContain("size =", refused, StringComparison.Ordinal);
        ServedDisk.End(server, "INT");
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(16, 4)]
    public void Fio_ReadsWhatItHasWritten(int depth, int jobs)
    {
        Requires.Command("fio");
        using RunningProgram server = Serve("--socket", "s");
        string[] line =
        [
            .. (string[])["--name=guest", "--ioengine=nbd", $"--uri={Uri}", "--rw=randrw", "--bsrange=512-128k"],
            .. (string[])["--bs_unaligned=1", $"--iodepth={depth}", $"--numjobs={jobs}", "--size=8m"],
            .. (string[])["--offset_increment=8m", "--verify=crc32c", "--verify_fatal=1", "--do_verify=1", "--fsync=7"],
        ];
        _ = Programs.Run(_folder.Path, "fio", line).Expect(0);
        ServedDisk.End(server, "INT");
    }

    [Fact]
    public void QemuImg_ConvertsBothWays_AndMapsHoles()
    {
        Requires.Command("qemu-img");
        Disks.Random(_folder["other.img"], DiskBytes);
        using RunningProgram server = Serve("--socket", "s");
        Assert.Equal(Holes("disk.img"), Holes(Uri));
        _ = Tool("convert", "-f", "raw", "-O", "qcow2", Uri, "copy.qcow2");
        Assert.Contains("identical", Tool("compare", "-f", "raw", "-F", "qcow2", Uri, "copy.qcow2"));
        _ = Tool("convert", "-n", "-f", "raw", "-O", "raw", "other.img", Uri);
        Assert.Contains("identical", Tool("compare", "-f", "raw", "-F", "raw", Uri, "other.img"));
        ServedDisk.End(server, "INT");
        Disks.AssertEqual(_folder["other.img"], _folder["disk.img"]);
    }

    [Fact]
    public void Nbdinfo_MapsEachContextThatItIsTold()
    {
        Requires.Command("nbdinfo");
        using RunningProgram server = Serve("--socket", "s", "--monitor", "m");
        foreach (string name in new[] { "b0", "b 1" })
            _ = Programs
                .Fastbackup(_folder.Path, "ctl", "m", "block-dirty-bitmap-add", "node=disk", $"name={name}")
                .Expect(0);
        using JsonDocument facts = JsonDocument.Parse(Info("--json", Uri));
        string[] contexts =
        [
            .. facts
                .RootElement.GetProperty("exports")[0]
                .GetProperty("contexts")
                .EnumerateArray()
                .Select(one => one.GetString()!),
        ];
        Assert.Equal(
            ["base:allocation", "qemu:allocation-depth", "qemu:dirty-bitmap:b 1", "qemu:dirty-bitmap:b0"],
            contexts.Order(StringComparer.Ordinal)
        );
        foreach (string context in contexts)
        {
            using JsonDocument map = JsonDocument.Parse(Info($"--map={context}", "--json", Uri));
            Assert.Equal(DiskBytes, map.RootElement.EnumerateArray().Sum(one => one.GetProperty("length").GetInt64()));
        }
        ServedDisk.End(server, "INT");
    }

    /// <summary>Offset and length of what reads as zeroes without being data.</summary>
    List<(long Offset, long Length)> Holes(string disk)
    {
        using JsonDocument map = JsonDocument.Parse(Tool("map", "-f", "raw", "--output=json", disk));
        return
        [
            .. map
                .RootElement.EnumerateArray()
                .Where(one => one.GetProperty("zero").GetBoolean())
                .Select(one => (one.GetProperty("start").GetInt64(), one.GetProperty("length").GetInt64())),
        ];
    }

    string Said(string[] line)
    {
        ProgramResult result = Programs.Run(_folder.Path, "nbd-client", line);
        return result.Output + result.Error;
    }

    string Info(params string[] line) => Programs.Run(_folder.Path, "nbdinfo", line).Expect(0).Output;

    string Tool(params string[] line) => Programs.Run(_folder.Path, "qemu-img", line).Expect(0).Output;

    RunningProgram Serve(params string[] place)
    {
        string[] line = ["serve", "disk.img", .. place.Length == 0 ? ["--socket", "s"] : place];
        RunningProgram server = Programs.StartFastbackup(_folder.Path, line);
        Eventually.True(() => server.Output.Contains("serving", StringComparison.Ordinal) || server.HasExited);
        return server;
    }
}
