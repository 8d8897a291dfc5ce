// Servers that end in the middle of a backup and come back, and backups of what a server's dirty bitmap marks, with the
// servers that people have.
using System;
using System.Globalization;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class NbdReturnTests : IDisposable
{
    const long DiskBytes = 20_000_000 / 512 * 512;

    readonly TempFolder _folder = new();

    public NbdReturnTests() =>
        Disks.Sparse(_folder["disk.img"], DiskBytes, (0, 5_000), (6_291_456, 3_000_000), ((int)DiskBytes - 700, 700));

    public void Dispose() => _folder.Dispose();

    string Uri => $"nbd+unix:///disk?socket={_folder["s"]}";

    [Theory]
    [InlineData("qemu-nbd")]
    [InlineData("nbdkit")]
    [InlineData("qemu-storage-daemon")]
    public void ASourceWhoseServerIsStartedAgain_IsCopiedToItsEnd(string server)
    {
        RunningProgram peer = Serve(server, "disk.img");
        using RunningProgram backup = Start("backup", Uri, "copy.img", "--speed", "10M");
        Eventually.True(() => File.Exists(_folder["copy.img.partial"]));
        EndAndServeAgain(ref peer, server, "disk.img");
        backup.Wait().Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
        peer.Dispose();
    }

    [Theory]
    [InlineData("qemu-nbd")]
    [InlineData("nbdkit")]
    [InlineData("qemu-storage-daemon")]
    public void ATargetWhoseServerIsStartedAgain_HasAllThatItHadTaken(string server)
    {
        Disks.Hole(_folder["export.img"], DiskBytes);
        RunningProgram peer = Serve(server, "export.img");
        using RunningProgram backup = Start("backup", "disk.img", Uri, "--force", "--speed", "10M");
        Eventually.True(() => Disks.AllocatedBytes(_folder["export.img"]) > 1_000_000);
        EndAndServeAgain(ref peer, server, "export.img");
        backup.Wait().Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["export.img"]);
        peer.Dispose();
    }

    [Fact]
    public void ATargetThatHasForgottenWhatItHadTaken_FailsTheBackup()
    {
        string[] memory = ["memory", DiskBytes.ToString(CultureInfo.InvariantCulture)];
        RunningProgram peer = Serve("nbdkit", memory);
        using RunningProgram backup = Start("backup", "disk.img", Uri, "--force", "--speed", "5M");
        Eventually.True(() => Run("compare", Uri, "disk.img", "--quiet").ExitCode == 1);
        Eventually.True(() => Tool.Run("nbdinfo", "--map", "--totals", Uri).Contains("data", StringComparison.Ordinal));
        peer.Signal("KILL");
        peer.Dispose();
        File.Delete(_folder["s"]);
        peer = Serve("nbdkit", memory);
        backup.Wait().Expect(1).ExpectSentence("came back without data that it had taken before");
        peer.Dispose();
    }

    [Fact]
    public void AServerThatStaysAway_IsSaid_AfterItsTime()
    {
        using RunningProgram peer = Serve("nbdkit", "disk.img");
        using RunningProgram backup = Start("backup", Uri, "copy.img", "--speed", "3M", "--reconnect", "1");
        Eventually.True(() => File.Exists(_folder["copy.img.partial"]));
        peer.Signal("KILL");
        backup.Wait().Expect(1).ExpectSentence("and the server was not back within 1 seconds", "copy.img.partial");
        Assert.False(File.Exists(_folder["copy.img"]));
    }

    [Fact]
    public void AGuestsDiskOfAServerThatIsGone_IsAnErrorAtOnce_WithoutReconnect()
    {
        Requires.Command("qemu-io");
        using RunningProgram peer = Serve("nbdkit", "disk.img");
        using RunningProgram serve = Start("serve", $"guest={Uri}", "--socket", "g", "--reconnect", "0");
        Eventually.True(() => File.Exists(_folder["g"]));
        string guest = $"nbd+unix:///guest?socket={_folder["g"]}";
        Write(guest).Expect(0);
        peer.Signal("KILL");
        peer.Wait();
        Assert.Contains("Input/output error", Write(guest).Expect(1).Output, StringComparison.Ordinal);
        serve.Signal("INT");
        serve.Wait();

        static ProgramResult Write(string uri)
        {
            using RunningProgram io = Tool.Start("qemu-io", "-f", "raw", "-c", "write 0 4k", uri);
            return io.Wait();
        }
    }

    [Fact]
    public void WhatTheBitmapOfAServerMarks_CompletesAnEarlierCopy()
    {
        Requires.Command("qemu-img");
        string uri = Uri;
        _ = Qemu("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "disk.img", "disk.qcow2");
        _ = Qemu("qemu-img", "bitmap", "--add", "disk.qcow2", "b0");
        _ = Qemu("qemu-io", "-f", "qcow2", "-c", "write -P 7 3M 100k", "-c", "write -P 8 9M 512", "disk.qcow2");
        _ = Qemu("qemu-img", "convert", "-f", "qcow2", "-O", "raw", "disk.qcow2", "expected.img");
        string[] arguments =
        [
            "-f",
            "qcow2",
            "-x",
            "disk",
            "-B",
            "b0",
            "-t",
            "-e",
            "5",
            "-k",
            _folder["s"],
            "disk.qcow2",
        ];
        using RunningProgram peer = Serve("qemu-nbd", arguments);
        Run("backup", uri, "none.img", "--bitmap", "b0").Expect(1).ExpectSentence("make it without --bitmap first");
        Run("backup", uri, "disk.img", "--bitmap", "b1")
            .Expect(1)
            .ExpectSentence($"source: '{uri}' has no dirty bitmap 'b1': it offers 'b0'");
        Run("backup", "disk.img", "copy.img", "--bitmap", "b0")
            .Expect(1)
            .ExpectSentence("source 'disk.img' is no qcow2 image and no server's");
        string said = Run("backup", uri, "disk.img", "--bitmap", "b0").Expect(0).Output;
        Assert.StartsWith("incremental: 192.0 KiB marked in bitmap 'b0'\n", said);
        Disks.AssertEqual(_folder["expected.img"], _folder["disk.img"]);
    }

    [Fact]
    public void ABitmapOfOurOwnServer_IsPulledAsWell()
    {
        Requires.Command("qemu-io");
        string[] arguments = ["serve", "disk=disk.img", "--socket", _folder["s"], "--monitor", _folder["m"]];
        Disks.Copy(_folder["disk.img"], _folder["copy.img"]);
        using RunningProgram server = Start(arguments);
        Eventually.True(() => File.Exists(_folder["m"]));
        Run("ctl", "m", "block-dirty-bitmap-add", "node=disk", "name=b0").Expect(0);
        _ = Qemu("qemu-io", "-f", "raw", "-c", "write -P 7 3M 100k", "-c", "write -z 9M 64k", Uri);
        string said = Run("backup", Uri, "copy.img", "--bitmap", "b0").Expect(0).Output;
        Assert.StartsWith("incremental: 192.0 KiB marked in bitmap 'b0'\n", said);
        Run("backup", Uri, "copy.img", "--bitmap", "b").Expect(1).ExpectSentence("it offers 'b0'");
        server.Signal("INT");
        server.Wait().Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
    }

    [Fact]
    public void ABackupOfALiveDisk_GoesToAServersDisk_ThatTheMonitorHasOpened()
    {
        Disks.Hole(_folder["export.img"], DiskBytes);
        RunningProgram peer = Serve("nbdkit", "export.img");
        using RunningProgram server = Start("serve", "disk=disk.img", "--socket", _folder["d"], "--monitor", "m");
        Eventually.True(() => File.Exists(_folder["m"]));
        string[] node =
        [
            "blockdev-add",
            "driver=nbd",
            "node-name=t",
            "server.type=unix",
            $"server.path={_folder["s"]}",
        ];
        Run(["ctl", "m", .. node, "export=a b", "reconnect-delay=30"]).Expect(0);
        Run(["ctl", "m", .. node]).Expect(1).ExpectSentence("Duplicate nodes with node-name='t'");
        string named = Run("ctl", "m", "query-named-block-nodes", "--json").Expect(0).Output;
        Assert.Contains($"nbd+unix:///a%20b?socket={_folder["s"]}", named);
        Run("ctl", "m", "blockdev-backup", "job-id=j", "device=disk", "target=t", "sync=full", "speed=3145728")
            .Expect(0);
        Eventually.True(() => Disks.AllocatedBytes(_folder["export.img"]) > 1_000_000);
        EndAndServeAgain(ref peer, "nbdkit", "export.img");
        Run("ctl", "m", "block-job-set-speed", "device=j", "speed=0", "--wait", "j").Expect(0);
        Run("ctl", "m", "blockdev-del", "node-name=t").Expect(0);
        node[^1] = $"server.path={_folder["none"]}";
        Run(["ctl", "m", .. node]).Expect(1).ExpectSentence("cannot connect to", "ENOENT");
        server.Signal("INT");
        server.Wait().Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["export.img"]);
        peer.Dispose();
    }

    [Fact]
    public void AJobsScratch_IsAServersDisk_ThatEndsAndComesBack()
    {
        Requires.Command("qemu-io");
        const long bytes = 100_000_256;
        Disks.Sparse(_folder["wide.img"], bytes, (6 << 20, 64 << 20));
        foreach (string file in (string[])["export.img", "copy.img"])
            Disks.Hole(_folder[file], bytes);
        Disks.Copy(_folder["wide.img"], _folder["before.img"]);
        string[] slow = ["-f", "-U", _folder["t"], "--filter=rate", "file", _folder["copy.img"], "rate=64M"];
        using RunningProgram target = new(_folder.Path, "nbdkit", slow);
        RunningProgram peer = Serve("nbdkit", "export.img");
        using RunningProgram server = Start("serve", "disk=wide.img", "--socket", _folder["d"], "--monitor", "m");
        Eventually.True(() => File.Exists(_folder["m"]) && File.Exists(_folder["t"]));
        string[] node = ["ctl", "m", "blockdev-add", "driver=nbd", "server.type=unix", "reconnect-delay=30"];
        Run([.. node, "node-name=t", $"server.path={_folder["t"]}"]).Expect(0);
        Run([.. node, "node-name=s", $"server.path={_folder["s"]}", "export=a b"]).Expect(0);
        string[] job = ["blockdev-backup", "job-id=j", "device=disk", "target=t", "sync=full", "speed=1048576"];
        Run(["ctl", "m", .. job, "x-scratch=s", "x-capture-bytes=16777216"]).Expect(0);
        _ = Qemu(
            "qemu-io",
            ["-f", "raw", "-c", "write -P 9 6M 64M", "-c", "flush", $"nbd+unix:///disk?socket={_folder["d"]}"]
        );
        string figures = Run("ctl", "m", "x-query-statistics", "--json").Expect(0).Output;
        Assert.Matches("\"scratch-bytes\": ?[1-9]", figures);
        EndAndServeAgain(ref peer, "nbdkit", "export.img");
        Run("ctl", "m", "block-job-set-speed", "device=j", "speed=0", "--wait", "j").Expect(0);
        Run("ctl", "m", "blockdev-del", "node-name=s").Expect(0);
        server.Signal("INT");
        server.Wait().Expect(0);
        Disks.AssertEqual(_folder["before.img"], _folder["copy.img"]);
        peer.Dispose();
    }

    [Fact]
    public void AServersDisk_IsServedAgain()
    {
        using RunningProgram peer = Serve("nbdkit", "disk.img");
        using RunningProgram server = Start("serve", "far=" + Uri, "--socket", _folder["d"]);
        Eventually.True(() => File.Exists(_folder["d"]));
        string again = $"nbd+unix:///far?socket={_folder["d"]}";
        Run("backup", again, "copy.img").Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
        server.Signal("INT");
        server.Wait().Expect(0);
    }

    void EndAndServeAgain(ref RunningProgram peer, string server, string file)
    {
        peer.Signal("KILL");
        peer.Dispose();
        File.Delete(_folder["s"]);
        peer = Serve(server, file);
    }

    ProgramResult Run(params string[] arguments) => Programs.Fastbackup(_folder.Path, arguments);

    RunningProgram Start(params string[] arguments) => Programs.StartFastbackup(_folder.Path, arguments);

    string Qemu(string program, params string[] arguments)
    {
        using RunningProgram tool = new(_folder.Path, program, arguments);
        return tool.Wait().Expect(0).Output;
    }

    RunningProgram Serve(string server, string file) =>
        Serve(
            server,
            server switch
            {
                "nbdkit" => ["file", file],
                "qemu-nbd" => ["-f", "raw", "-x", "disk", "-t", "-e", "5", "-k", _folder["s"], file],
                _ =>
                [
                    "--blockdev",
                    $"file,node-name=d,filename={file}",
                    "--nbd-server",
                    $"addr.type=unix,addr.path={_folder["s"]}",
                    "--export",
                    "nbd,id=e,node-name=d,name=disk,writable=on",
                ],
            }
        );

    RunningProgram Serve(string server, params string[] arguments)
    {
        Requires.Command(server);
        RunningProgram peer = new(
            _folder.Path,
            server,
            server == "nbdkit" ? ["-f", "-U", _folder["s"], .. arguments] : arguments
        );
        Eventually.True(() => File.Exists(_folder["s"]));
        return peer;
    }
}
