// Clients and targets that go away: the disk goes on, nothing hangs, and the job's end is the right one.
using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Tests.Hosts.Monitor;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Hosts.Nbdkit;

public sealed class MishapTests : IDisposable
{
    const int DiskBytes = 64 << 20;

    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    readonly DiskFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Client_KilledInTheMiddleOfWrites_LeavesDiskAndJobGoingOn()
    {
        byte[] before = File.ReadAllBytes(_folder.Random("disk.raw", DiskBytes));
        using PluginServer server = new(
            _folder.Path,
            _folder["disk.raw"],
            "backup=" + _folder["copy.raw"],
            "speed=24M"
        );
        for (int round = 0; round < 3; round++)
            KillWhileItWrites(server);
        using (RawConnection half = new(server, "disk"))
            half.BeginWrite(0, 65536, new byte[1000]);
        DiskFolder.QemuIo(server.Uri("disk"), "write -P 6 3M 2M", "read -P 6 3M 2M", "flush");
        server.Wait(() => File.Exists(_folder["copy.raw"]), Limit);
        DiskFolder.QemuIo(server.Uri("disk"), "read -P 6 3M 2M");
        server.End();
        DiskFolder.AssertEqual(before, _folder.Bytes("copy.raw"));
    }

    [Fact]
    public void Target_WithoutSpace_FailsTheJobAndNotTheGuest()
    {
        _folder.Random("disk.raw", DiskBytes);
        string small = _folder["small"];
        using MountPoint mount = new(small, "-t", "tmpfs", "-o", "size=16m", "none");
        using PluginServer server = new(
            _folder.Path,
            _folder["disk.raw"],
            "backup=" + Path.Combine(small, "copy.raw"),
            "at=connect"
        );
        Guest(server, "--io_size=64m");
        server.Wait(
            () => server.Said.Contains("the job has failed, the disk goes on", StringComparison.Ordinal),
            Limit
        );
        Assert.Contains("FB_E_NO_SPACE", server.Said);
        Guest(server, "--io_size=16m");
        server.End();
        Assert.False(File.Exists(Path.Combine(small, "copy.raw")));
    }

    [Fact]
    public void Target_WhoseServerIsKilled_FailsTheJobAndNotTheGuest()
    {
        Requires.Root();
        Requires.SystemPath("/dev/fuse");
        byte[] disk = File.ReadAllBytes(_folder.Random("disk.raw", DiskBytes));
        (string socket, string mount) = (_folder["far.sock"], _folder["far"]);
        string bytes = DiskBytes.ToString(CultureInfo.InvariantCulture);
        Directory.CreateDirectory(mount);
        using RunningProgram far = Tool.Start("nbdkit", "--foreground", "--unix", socket, "memory", bytes);
        Assert.True(SpinWait.SpinUntil(() => File.Exists(socket), Limit));
        using RunningProgram fuse = Tool.Start("nbdfuse", mount, "--unix", socket);
        try
        {
            string target = Path.Combine(mount, "nbd");
            Assert.True(SpinWait.SpinUntil(() => File.Exists(target), Limit));
            using PluginServer server = new(_folder.Path, _folder["disk.raw"], "monitor=" + _folder["m.sock"]);
            using QmpConnection monitor = QmpConnection.To(_folder["m.sock"]);
            Open(monitor, "far", target);
            BackUp(monitor, "lost", "far", 8 << 20);
            server.WaitSaid("is in state 2", Limit); // FB_JOB_RUNNING
            far.Dispose();
            DiskFolder.QemuIo(server.Uri("disk"), "write -P 6 3M 2M", "read -P 6 3M 2M", "flush");
            monitor.WaitForStatus("lost", "concluded");
            Assert.NotNull(monitor.Run("query-jobs")[0]!["error"]);
            disk.AsSpan(3 << 20, 2 << 20).Fill(6);
            Open(monitor, "near", _folder.Sparse("near.raw", DiskBytes));
            BackUp(monitor, "kept", "near", 0);
            monitor.WaitForStatus("kept", "concluded");
            DiskFolder.AssertEqual(disk, _folder.Bytes("near.raw"));
            monitor.Dispose();
            server.End();
        }
        finally
        {
            _ = ToolRun.Of("umount", ["--lazy", mount]);
        }

        static void Open(QmpConnection monitor, string node, string path) =>
            _ = monitor.Run(
                "blockdev-add",
                ("driver", "file"),
                ("node-name", node),
                ("filename", path),
                ("cache", new JsonObject { ["direct"] = false })
            );

        static void BackUp(QmpConnection monitor, string id, string target, long speed) =>
            _ = monitor.Run(
                "blockdev-backup",
                ("job-id", id),
                ("device", "disk"),
                ("target", target),
                ("sync", "full"),
                ("speed", speed),
                ("auto-dismiss", false)
            );
    }

    [Fact]
    public void Target_ThatStopsAnswering_HoldsNeitherGuestNorTheServersEnd()
    {
        _folder.Random("disk.raw", DiskBytes);
        using FreezableFolder frozen = new(_folder);
        // Memory for all that a guest overwrites here: it never needs to wait for the target.
        using PluginServer server = new(
            _folder.Path,
            _folder["disk.raw"],
            "backup=" + frozen["copy.raw"],
            "speed=8M",
            "memory=128M"
        );
        server.WaitSaid("is in state 2", Limit); // FB_JOB_RUNNING
        frozen.Freeze();
        try
        {
            long start = Stopwatch.GetTimestamp();
            Guest(server, "--io_size=16m");
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(60), "the guest was held up");
            string id = server.Id;
            Assert.Equal(0, ToolRun.Of("kill", ["-TERM", id]).ExitCode);
            // The job is given up and all is closed; what the kernel still holds of the process thaws with the target.
            server.WaitSaid("fastbackup: unload", PluginServer.EndLimit);
            frozen.Thaw();
            server.WaitForEnd();
        }
        finally
        {
            frozen.Thaw();
        }
        Assert.False(File.Exists(frozen["copy.raw"]));
    }

    [Fact]
    public void Guest_ThatWaitsForATargetThatStopsAnswering_IsLetGoWhenTheServerEnds()
    {
        _folder.Random("disk.raw", DiskBytes);
        using FreezableFolder frozen = new(_folder);
        string target = "backup=" + frozen["copy.raw"];
        _folder.Uncache("disk.raw"); // or the kernel would hand reads of it to the workers that the target holds
        using PluginServer server = new(_folder.Path, _folder["disk.raw"], target, "speed=1M", "memory=4M");
        using RawConnection client = new(server, "disk");
        server.WaitSaid("is in state 2", Limit); // FB_JOB_RUNNING
        frozen.Freeze();
        try
        {
            client.BeginWrite(0, 32 << 20, new byte[32 << 20]); // more than fits into memory: its end must wait
            Thread.Sleep(1500);
            Assert.DoesNotContain("has ended", server.Said);
            Assert.Equal(0, ToolRun.Of("kill", ["-TERM", server.Id]).ExitCode);
            long start = Stopwatch.GetTimestamp();
            Assert.Contains(client.EndWrite(), new[] { 0u, RawConnection.ShutDown });
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(30), "the guest was held up");
            client.Dispose();
            server.WaitSaid("fastbackup: unload", PluginServer.EndLimit);
            frozen.Thaw();
            server.WaitForEnd();
        }
        finally
        {
            frozen.Thaw();
        }
    }

    [Fact]
    public void Writes_OfPartsOfPages_WaitForATargetSideBySide()
    {
        const int clientCount = 6;
        const int limitMs = 1500;
        _folder.Random("disk.raw", DiskBytes);
        using FreezableFolder frozen = new(_folder);
        string target = frozen["copy.raw"];
        using (FileStream file = new(target, FileMode.CreateNew))
            file.SetLength(DiskBytes);
        string socket = "monitor=" + _folder["monitor"];
        using PluginServer server = new(_folder.Path, _folder["disk.raw"], socket, "memory=4M");
        using (QmpConnection monitor = QmpConnection.To(_folder["monitor"]))
        {
            _ = monitor.Run("blockdev-add", ("driver", "file"), ("node-name", "t"), ("filename", target));
            _ = monitor.Run(
                "blockdev-backup",
                ("device", "disk"),
                ("target", "t"),
                ("sync", "none"),
                ("x-capture-bytes", 65536),
                ("x-on-cbw-error", "break-guest-write"),
                ("x-cbw-timeout-ms", limitMs)
            );
        }
        RawConnection[] clients = new RawConnection[clientCount];
        for (int i = 0; i < clientCount; i++)
            clients[i] = new RawConnection(server, "disk");
        frozen.Freeze();
        try
        {
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < clientCount; i++)
                clients[i].BeginWrite((ulong)(i + 1) * (8 << 20) + 100, 1000, new byte[1000]);
            int failed = 0;
            foreach (RawConnection client in clients)
                failed += client.EndWrite() == 0 ? 0 : 1;
            TimeSpan taken = Stopwatch.GetElapsedTime(start);
            Assert.True(failed >= clientCount / 2, $"{failed} had to wait for the target");
            Assert.True(taken.TotalMilliseconds < 3 * limitMs, $"they waited for each other: {taken}");
        }
        finally
        {
            frozen.Thaw();
        }
        foreach (RawConnection client in clients)
            client.Dispose();
        server.End();
    }

    /// <summary>
    /// Four clients with a write each, in one process. Not one with several: nbdkit 1.32 may stop with an assertion of
    /// its own (raw_send_socket, with any plugin) when two replies to a dead client meet.
    /// </summary>
    void KillWhileItWrites(PluginServer server)
    {
        Requires.Command("fio");
        string[] arguments = ["--name=guest", "--ioengine=nbd", "--thread", "--uri=" + server.Uri("disk"), "--bs=4k"];
        string[] load = ["--numjobs=4", "--rw=randwrite", "--size=64m", "--time_based", "--runtime=60"];
        using RunningProgram fio = RunningProgram.Start("fio", [.. arguments, .. load]);
        DateTime written = File.GetLastWriteTimeUtc(_folder["disk.raw"]);
        server.Wait(() => File.GetLastWriteTimeUtc(_folder["disk.raw"]) > written, Limit);
        Thread.Sleep(100);
        fio.Signal("KILL");
        Assert.True(fio.TryWait(Limit, CancellationToken.None));
    }

    static void Guest(PluginServer server, string much) =>
        DiskFolder.Fio(server.Uri("disk"), "randwrite", "--size=64m", much, "--verify=crc32c", "--verify_fatal=1");
}
