// fastbackup serve as people use it: with the NBD clients that they have, and what it says when it cannot.
using System;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Nbd;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class ServeTests : IDisposable
{
    const long DiskBytes = 20_000_000 / 512 * 512;

    readonly TempFolder _folder = new();

    public ServeTests() =>
        Disks.Sparse(_folder["disk.img"], DiskBytes, (0, 5_000), (6_291_456, 3_000_000), ((int)DiskBytes - 700, 700));

    public void Dispose() => _folder.Dispose();

    string Uri => $"nbd+unix:///disk?socket={_folder["s"]}";

    [Fact]
    public void Clients_ReadTheDiskAndItsHoles()
    {
        Requires.Command("nbdcopy");
        Requires.Command("qemu-img");
        using RunningProgram server = Serve("disk.img");
        string facts = Tool("nbdinfo", Uri);
        Assert.Contains("base:allocation", facts);
        Assert.Contains("can_multi_conn: true", facts);
        Assert.Contains("hole,zero", Tool("nbdinfo", "--map", Uri));
        Assert.Contains("export=\"disk\"", Tool("nbdinfo", "--list", Uri));
        _ = Tool("nbdcopy", Uri, "copy.img");
        Assert.InRange(Disks.AllocatedBytes(_folder["copy.img"]), 1, 4_000_000);
        Assert.Contains("identical", Tool("qemu-img", "compare", "-f", "raw", "-F", "raw", Uri, "copy.img"));
        Run("compare", Uri, "copy.img").Expect(0);
        server.Signal("INT");
        server.Wait().Expect(0);
        Assert.False(File.Exists(_folder["s"]));
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
    }

    [Theory]
    [InlineData("KILL", 137)]
    [InlineData("INT", 0)]
    public void Tracked_WhatClientsWrote_IsInTheNextBackup(string signal, int exitCode)
    {
        Requires.Command("qemu-io");
        Run("track", "add", "disk.img").Expect(0);
        Run("backup", "disk.img", "copy.img", "--tracker", "disk.img.track").Expect(0);
        using (RunningProgram server = Serve("disk.img", more: "--track"))
        {
            _ = Tool("qemu-io", "-f", "raw", "-c", "write -P 7 3M 100k", "-c", "write -P 8 9M 512", Uri);
            server.Signal(signal);
            server.Wait().Expect(exitCode);
        }
        string said = Run("backup", "disk.img", "copy.img", "--tracker", "disk.img.track").Expect(0).Output;
        Assert.StartsWith("incremental: 192.0 KiB changed since the last backup", said, StringComparison.Ordinal);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
    }

    /// <summary>It begins anew, and says why all of the disk is copied next time.</summary>
    [Fact]
    public void Tracked_AfterUnwatchedWrites_SaysWhyAllHasChanged()
    {
        Run("track", "add", "disk.img").Expect(0);
        Run("backup", "disk.img", "copy.img", "--tracker", "disk.img.track").Expect(0);
        File.SetLastWriteTimeUtc(_folder["disk.img"], DateTime.UtcNow.AddMinutes(-1));
        using RunningProgram server = Serve("disk.img", more: "--track");
        server.Signal("INT");
        Assert.Contains(
            "tracker 'disk.img.track' was not there when the disk was written to (foreign-writes); all of 'disk.img' "
                + "counts as changed",
            server.Wait().Expect(0).Error,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Tracked_WithoutATracker_IsServedAllTheSame()
    {
        using RunningProgram server = Serve("disk.img", more: "--track");
        server.Signal("INT");
        Assert.Contains(
            "'disk.img' is served without its tracker: tracker: cannot open 'disk.img.track'",
            server.Wait().Expect(0).Error,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void QemusIo_WritesZeroesAndDiscards()
    {
        Requires.Command("qemu-io");
        using RunningProgram server = Serve("disk.img");
        string[] steps =
        [
            "write -P 7 1M 3M",
            "read -P 7 1M 3M",
            "write -z 0 1M",
            "read -P 0 0 1M",
            "discard 5M 1M",
            "write -P 9 -f 513 1000",
            "read -P 9 513 1000",
            "flush",
        ];
        foreach (string step in steps)
            Assert.DoesNotContain("failed", Tool("qemu-io", "-f", "raw", "-c", step, Uri), StringComparison.Ordinal);
        server.Signal("TERM");
        server.Wait().Expect(0);
        byte[] disk = File.ReadAllBytes(_folder["disk.img"]);
        Assert.True(disk.AsSpan(1 << 20, 3 << 20).IndexOfAnyExcept((byte)7) < 0);
        Assert.True(disk.AsSpan(513, 1000).IndexOfAnyExcept((byte)9) < 0);
    }

    [Fact]
    public void SeveralDisks_OverTcp_EachByItsName()
    {
        Requires.Command("qemu-img");
        Disks.Random(_folder["other.img"], 1_000_448);
        int port = LocalPort.Free().Port;
        using RunningProgram server = Programs.StartFastbackup(
            _folder.Path,
            "serve",
            "disk.img",
            "data=other.img",
            "--listen",
            $"127.0.0.1:{port}",
            "--read-only",
            "--json"
        );
        Eventually.True(() => server.Output.Contains("start", StringComparison.Ordinal));
        using JsonDocument start = JsonDocument.Parse(server.Output.Split('\n')[0]);
        JsonElement disks = start.RootElement.GetProperty("disks");
        Assert.Equal("data", disks[1].GetProperty("export").GetString());
        string uri = disks[1].GetProperty("uri").GetString()!;
        Assert.Equal($"nbd://127.0.0.1:{port}/data", uri);
        Assert.Contains("identical", Tool("qemu-img", "compare", "-f", "raw", "-F", "raw", uri, "other.img"));
        Run("backup", "other.img", uri, "--force").Expect(1).ExpectSentence("is read-only at its server");
        server.Signal("INT");
        Assert.Contains("\"status\":\"done\"", server.Wait().Expect(0).Output);
    }

    /// <summary>The copy and the snapshot are the disk as it was at their beginning, whatever is written.</summary>
    [Theory]
    [InlineData("--max-connections", "8")]
    [InlineData("--absorb", "4MiB")]
    public void WithAMonitor_ALiveDiskIsBackedUp_AndItsSnapshotRead(string option, string value)
    {
        Requires.Command("qemu-io");
        Requires.Command("qemu-img");
        byte[] before = File.ReadAllBytes(_folder["disk.img"]);
        using RunningProgram server = Serve("disk.img", more: ["--monitor", "m", option, value]);
        Run("live-backup", "m", "disk=live.img", "--warm", "20").Expect(0);
        Assert.Equal(before, File.ReadAllBytes(_folder["live.img"]));
        Disks.Sparse(_folder["fleece.img"], DiskBytes);
        Run("ctl", "m", "blockdev-add", "driver=file", "node-name=f", "filename=" + _folder["fleece.img"]).Expect(0);
        Run("ctl", "m", "blockdev-backup", "job-id=j", "device=disk", "target=f", "sync=none").Expect(0);
        _ = Tool("qemu-io", "-f", "raw", "-c", "write -P 7 6M 3M", Uri);
        Assert.Contains("export=\"snapshot\"", Tool("nbdinfo", "--list", Uri));
        string snapshot = Uri.Replace("disk?", "snapshot?", StringComparison.Ordinal);
        Assert.Contains("identical", Tool("qemu-img", "compare", "-f", "raw", "-F", "raw", snapshot, "live.img"));
        Run("backup", "live.img", snapshot, "--force").Expect(1).ExpectSentence("is read-only at its server");
        Run("ctl", "m", "job-cancel", "id=j", "--wait", "j").Expect(0);
        Run("compare", snapshot, "live.img").Expect(3).ExpectSentence("names the export 'snapshot'");
        server.Signal("TERM");
        server.Wait().Expect(0);
        Assert.False(File.Exists(_folder["m"]));
        byte[] after = File.ReadAllBytes(_folder["disk.img"]);
        Assert.True(after.AsSpan(6 << 20, 3 << 20).IndexOfAnyExcept((byte)7) < 0);
    }

    /// <summary>As backup software does it: what a bitmap names is read from the snapshot.</summary>
    [Fact]
    public void Pull_OfWhatABitmapNames_MakesYesterdaysCopyTodays()
    {
        Requires.Command("qemu-io");
        Requires.Command("nbdinfo");
        using RunningProgram server = Serve("disk.img", more: ["--monitor", "m"]);
        Run("live-backup", "m", "disk=copy.img", "--bitmap", "old").Expect(0);
        _ = Tool("qemu-io", "-f", "raw", "-c", "write -P 7 6M 100k", "-c", "write -P 8 130k 1k", Uri);
        Disks.Sparse(_folder["fleece.img"], DiskBytes);
        Run("ctl", "m", "blockdev-add", "driver=file", "node-name=f", "filename=" + _folder["fleece.img"]).Expect(0);
        string actions = "[" + string.Join(',', Actions) + "]";
        Run("ctl", "m", "transaction", "actions=" + actions).Expect(0);
        _ = Tool("qemu-io", "-f", "raw", "-c", "write -P 9 6M 1M", Uri); // after the instant
        string snapshot = Uri.Replace("disk?", "snapshot?", StringComparison.Ordinal);
        string map = Tool("nbdinfo", "--map=qemu:dirty-bitmap:old", "--json", snapshot);
        using JsonDocument extents = JsonDocument.Parse(map);
        byte[] copy = File.ReadAllBytes(_folder["copy.img"]);
        Run("backup", snapshot, "copy.img", "--bitmap", "old").Expect(0);
        _ = Tool("nbdcopy", snapshot, "today.img");
        Disks.AssertEqual(_folder["today.img"], _folder["copy.img"]);
        byte[] today = File.ReadAllBytes(_folder["today.img"]);
        int dirtyBytes = 0;
        foreach (JsonElement extent in extents.RootElement.EnumerateArray())
        {
            (int offset, int length) = (
                extent.GetProperty("offset").GetInt32(),
                extent.GetProperty("length").GetInt32()
            );
            if (extent.GetProperty("type").GetInt32() == 0)
                continue;
            dirtyBytes += length;
            today.AsSpan(offset, length).CopyTo(copy.AsSpan(offset));
        }
        Assert.Equal(3 * 65536, dirtyBytes);
        Assert.True(copy.AsSpan().SequenceEqual(today));
        Assert.Equal(7, today[6 << 20]);
        Assert.True(Tool("nbdinfo", "--map=qemu:dirty-bitmap:new", Uri).Contains("dirty", StringComparison.Ordinal));
    }

    static readonly string[] Actions =
    [
        "{\"type\": \"block-dirty-bitmap-add\", \"data\": {\"node\": \"disk\", \"name\": \"new\"}}",
        "{\"type\": \"block-dirty-bitmap-disable\", \"data\": {\"node\": \"disk\", \"name\": \"old\"}}",
        "{\"type\": \"blockdev-backup\", \"data\": "
            + "{\"job-id\": \"j\", \"device\": \"disk\", \"target\": \"f\", \"sync\": \"none\"}}",
    ];

    [Fact]
    public void Socket_IsItsOwners_AndALeftOverOneIsReplaced()
    {
        using (RunningProgram first = Serve("disk.img"))
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder["s"]));
            Run("serve", "disk.img", "--socket", "s").Expect(1).ExpectSentence("'disk.img'", "lock");
            Disks.Random(_folder["other.img"], 1_000_448);
            Run("serve", "other.img", "--socket", "s").Expect(1).ExpectSentence("somebody listens on 's'");
            first.Signal("KILL");
            _ = first.Wait();
        }
        Assert.True(File.Exists(_folder["s"]));
        using RunningProgram second = Serve("disk.img", mustBeNew: false);
        second.Signal("INT");
        second.Wait().Expect(0);
    }

    [Theory]
    [InlineData("disk.img", "give one of --socket PATH and --listen HOST:PORT")]
    [InlineData("disk.img --socket s --listen 127.0.0.1:1", "give one of --socket PATH and --listen HOST:PORT")]
    [InlineData("disk.img --listen 127.0.0.1:10809 --tls most", "--tls 'most' is not known")]
    [InlineData("disk.img --listen 127.0.0.1:10809 --tls allow", "--tls needs --tls-certificates DIR")]
    [InlineData("disk.img --socket s --tls require --tls-certificates d", "--tls is for --listen")]
    [InlineData("disk.img --listen 127.0.0.1:10809 --tls-client a=b", "of no use without TLS")]
    [InlineData("disk.img --listen 1.2.3.4:10809 --tls-certificates d --tls-client a", "is not NAME=EXPORT")]
    [InlineData("disk.img --listen 0.0.0.0:10809", "can be reached from other machines, which needs TLS")]
    [InlineData("disk.img --listen 127.0.0.1", "is no address with a port")]
    [InlineData("disk.img x/disk.img --socket s", "two disks would be exported as 'disk'; name them: NAME=PATH")]
    [InlineData("a= --socket s", "DISK is empty")]
    [InlineData("disk.img --socket s --monitor s", "--socket and --monitor are both 's'")]
    [InlineData("disk.img --socket s --memory 64MiB", "--memory is for backups, which need --monitor")]
    [InlineData("disk.img --socket s --absorb 16MiB", "--absorb is for writes during backups: it needs --monitor")]
    [InlineData("disk.img --socket s --monitor m --absorb 1KiB", "is not of 1MiB to 1GiB")]
    [InlineData("disk.img --socket s --monitor m --memory 64K", "is below two clusters")]
    [InlineData("disk.img --socket s --monitor m --memory x", "--memory 'x' is not a size")]
    [InlineData("disk.img --socket s --max-connections 0", "--max-connections '0' is not a number from 1 to 1024")]
    public void WrongCommandLine_IsOneSentence(string line, string said)
    {
        Run(["serve", .. line.Split(' ')]).Expect(2).ExpectSentence(said);
        Assert.False(File.Exists(_folder["s"]));
    }

    [Theory]
    [InlineData("none.img", "s", "none.img")]
    [InlineData("disk.img", "disk.img", "'disk.img' exists and is not a socket")]
    [InlineData("disk.img", "no/folder/s", "cannot listen on 'no/folder/s'")]
    public void WhatCannotBe_IsOneSentence(string disk, string socket, string said) =>
        Run("serve", disk, "--socket", socket).Expect(1).ExpectSentence(said);

    RunningProgram Serve(string disk, bool mustBeNew = true, params string[] more)
    {
        Assert.True(!mustBeNew || !File.Exists(_folder["s"]));
        RunningProgram server = Programs.StartFastbackup(_folder.Path, ["serve", disk, "--socket", "s", .. more]);
        Eventually.True(() => server.Output.Contains("serving", StringComparison.Ordinal) || server.HasExited);
        return server;
    }

    string Tool(string program, params string[] arguments)
    {
        Requires.Command(program);
        return Programs.Run(_folder.Path, program, arguments).Expect(0).Output;
    }

    ProgramResult Run(params string[] arguments) => Programs.Fastbackup(_folder.Path, arguments);
}
