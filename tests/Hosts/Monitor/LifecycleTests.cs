// The lives of jobs as clients see them, and backups that are right to the byte.
using System;
using System.IO;
using System.Text.Json.Nodes;
using System.Threading;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

public sealed class LifecycleTests
{
    const long Slow = 1 << 20;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Backup_WhileAGuestWrites_IsTheDiskAsItWas(bool isDriven)
    {
        using MonitorScene scene = new(isDriven ? ["--driven"] : []);
        string target = scene.AddTarget("t");
        byte[] before = scene.Disk();
        scene.StartBackup("t", "j", 4 * Slow);
        scene.Host.Ask("guest vda");
        scene.Client.WaitForStatus("j", "null");
        Assert.True(scene.Host.AskNumber("count") > 10);
        scene.Host.Ask("guest -");
        MonitorScene.AssertSame(before, target);
        Assert.NotEqual(before, scene.Disk());
        _ = scene.Client.Run("blockdev-del", ("node-name", "t"));
        scene.Quit();
    }

    [Fact]
    public void FinalizeAndDismiss_ByHand_ComeInOrder()
    {
        using MonitorScene scene = new();
        _ = scene.AddTarget("t");
        scene.StartBackup("t", "j", 0, ("auto-finalize", false), ("auto-dismiss", false));
        JsonNode pending = scene.Client.WaitForEvent("BLOCK_JOB_PENDING", "j");
        Assert.Equal("backup", (string?)pending["data"]!["type"]);
        Assert.Equal("pending", scene.StatusOf("j"));
        Assert.Contains("cannot accept command verb 'dismiss'", scene.Client.Refused("job-dismiss", ("id", "j")));
        _ = scene.Client.Run("job-finalize", ("id", "j"));
        JsonNode end = scene.Client.WaitForEvent("BLOCK_JOB_COMPLETED", "j")["data"]!;
        Assert.Equal(MonitorScene.DiskBytes, (int)end["len"]!);
        Assert.Equal(MonitorScene.DiskBytes, (int)end["offset"]!);
        Assert.Null(end["error"]);
        scene.Client.WaitForStatus("j", "concluded");
        Assert.Equal("concluded", scene.StatusOf("j"));
        // The target is free before the job is dismissed, as in QEMU.
        scene.StartBackup("t", "k", 0);
        scene.Client.WaitForStatus("k", "null");
        _ = scene.Client.Run("job-dismiss", ("id", "j"));
        Assert.Null(scene.StatusOf("j"));
        _ = scene.Client.Run("blockdev-del", ("node-name", "t"));
        scene.Quit();
    }

    [Fact]
    public void Events_HaveTheTimeAndTheOrderOfQemu()
    {
        using MonitorScene scene = new();
        _ = scene.AddTarget("t");
        scene.StartBackup("t", "j", 0);
        string[] expected = ["created", "running", "waiting", "pending", "END", "concluded", "null"];
        foreach (string one in expected)
        {
            JsonNode next =
                one == "END"
                    ? scene.Client.WaitForEvent("BLOCK_JOB_COMPLETED")
                    : scene.Client.WaitForEvent("JOB_STATUS_CHANGE", "j");
            if (one != "END")
                Assert.Equal(one, (string?)next["data"]!["status"]);
            TimeSpan age = DateTime.UtcNow - DateTime.UnixEpoch.AddSeconds((long)next["timestamp"]!["seconds"]!);
            Assert.InRange(age.TotalSeconds, -2, 60);
            Assert.InRange((int)next["timestamp"]!["microseconds"]!, 0, 999_999);
        }
    }

    [Fact]
    public void PauseResumeSpeedCancel_DoWhatTheySay()
    {
        using MonitorScene scene = new();
        _ = scene.AddTarget("t");
        scene.StartBackup("t", "j", Slow);
        _ = scene.Client.Run("job-pause", ("id", "j"));
        scene.Client.WaitForStatus("j", "paused");
        JsonNode job = scene.Client.Run("query-block-jobs")[0]!;
        Assert.True((bool)job["paused"]!);
        Assert.Equal(Slow, (long)job["speed"]!);
        _ = scene.Client.Run("block-job-set-speed", ("device", "j"), ("speed", 2 * Slow));
        _ = scene.Client.Run("job-resume", ("id", "j"));
        scene.Client.WaitForStatus("j", "running");
        Assert.Equal(2 * Slow, (long)scene.Client.Run("query-block-jobs")[0]!["speed"]!);
        Assert.Equal(2, scene.Host.AskNumber("find j")); // FB_JOB_RUNNING: C sees it
        _ = scene.Client.Run("x-job-set-guest-priority", ("id", "j"), ("guest-priority", "strict"));
        JsonNode statistics = scene.Client.Run("x-query-statistics")[0]!;
        Assert.Equal("vda", (string?)statistics["disk"]);
        Assert.Equal("strict", (string?)statistics["gauges"]!["guest-priority"]);
        _ = scene.Client.Run("block-job-cancel", ("device", "j"));
        _ = scene.Client.WaitForEvent("BLOCK_JOB_CANCELLED", "j");
        scene.Client.WaitForStatus("j", "null");
        scene.Quit();
    }

    [Fact]
    public void HostsJob_IsSeenAndObeys()
    {
        using MonitorScene scene = new();
        string file = scene.Folder.Hole("own.img", MonitorScene.DiskBytes);
        Assert.Equal(1, scene.Host.AskNumber($"backup vda {file} own {Slow}"));
        scene.Client.WaitForStatus("own", "running");
        Assert.Equal("running", scene.StatusOf("own"));
        _ = scene.Client.Run("job-cancel", ("id", "own"));
        Assert.Equal(-9, scene.Host.AskNumber("end own")); // FB_E_CANCELED
        scene.Quit();
    }

    [Fact]
    public void Snapshot_OfAJobThatAClientBegan_IsReadByTheHost()
    {
        using MonitorScene scene = new();
        _ = scene.AddTarget("t");
        byte before = scene.Disk()[1 << 20];
        Assert.Equal(-3, scene.Host.AskNumber("snapshot vda 1048576"));
        scene.StartBackup("t", "j", 0, ("sync", "none"));
        Assert.Equal(before, scene.Host.AskNumber("snapshot vda 1048576"));
        Assert.Equal(0, scene.Host.AskNumber($"write vda 1048576 65536 {before ^ 255}"));
        Assert.Equal(before, scene.Host.AskNumber("snapshot vda 1048576"));
        _ = scene.Client.Run("job-cancel", ("id", "j"));
        scene.Client.WaitForStatus("j", "null");
        Assert.Equal(-3, scene.Host.AskNumber("snapshot vda 1048576"));
        scene.Quit();
    }

    [Fact]
    public void IncrementalRounds_ThroughTheSocketOnly_AreExact()
    {
        using MonitorScene scene = new();
        string full = scene.AddTarget("t0");
        JsonArray actions =
        [
            Action("block-dirty-bitmap-add", ("node", "vda"), ("name", "b")),
            Action("blockdev-backup", ("device", "vda"), ("target", "t0"), ("sync", "full"), ("job-id", "r0")),
        ];
        _ = scene.Client.Run("transaction", ("actions", actions));
        scene.Client.WaitForStatus("r0", "null");
        MonitorScene.AssertSame(scene.Disk(), full);
        for (int round = 1; round <= 4; round++)
        {
            scene.Host.Ask("guest vda");
            Thread.Sleep(100);
            scene.Host.Ask("guest -");
            byte[] expected = scene.Disk();
            string id = "r" + round;
            scene.StartBackup("t0", id, 0, ("sync", "incremental"), ("bitmap", "b"));
            long length = (long)scene.Client.WaitForEvent("BLOCK_JOB_COMPLETED", id)["data"]!["len"]!;
            scene.Client.WaitForStatus(id, "null");
            Assert.InRange(length, 1, MonitorScene.DiskBytes);
            MonitorScene.AssertSame(expected, full);
        }
        JsonNode bitmap = scene.Client.Run("query-named-block-nodes")[0]!["dirty-bitmaps"]![0]!;
        Assert.Equal(0, (long)bitmap["count"]!);
        Assert.False((bool)bitmap["busy"]!);
        scene.Quit();
    }

    [Fact]
    public void SourceThatFails_StopsTheJobUntilResumed()
    {
        using MonitorScene scene = new();
        string target = scene.AddTarget("t");
        byte[] before = scene.Disk();
        scene.StartBackup("t", "j", 4 * Slow, ("on-source-error", "stop"));
        scene.Client.WaitForProgress("j"); // it has asked for the source's size, and copies
        using (FileStream file = scene.Folder.OpenLocked("vda.img"))
            file.SetLength(MonitorScene.DiskBytes / 2);
        JsonNode error = scene.Client.WaitForEvent("BLOCK_JOB_ERROR", "j")["data"]!;
        Assert.Equal("stop", (string?)error["action"]);
        Assert.Equal("read", (string?)error["operation"]);
        scene.Client.WaitForStatus("j", "paused");
        Assert.Equal("failed", (string?)scene.Client.Run("query-block-jobs")[0]!["io-status"]);
        using (FileStream file = scene.Folder.OpenLocked("vda.img"))
        {
            file.Position = MonitorScene.DiskBytes / 2;
            file.Write(before.AsSpan(MonitorScene.DiskBytes / 2));
        }
        _ = scene.Client.Run("block-job-set-speed", ("device", "j"), ("speed", 0));
        _ = scene.Client.Run("job-resume", ("id", "j"));
        scene.Client.WaitForStatus("j", "null");
        MonitorScene.AssertSame(before, target);
        scene.Quit();
    }

    [Fact]
    public void SourceThatFails_FailsTheJobAndLeavesItsBitmap()
    {
        using MonitorScene scene = new();
        _ = scene.AddTarget("t");
        _ = scene.Client.Run("block-dirty-bitmap-add", ("node", "vda"), ("name", "b"));
        Assert.Equal(0, scene.Host.AskNumber($"write vda 0 {MonitorScene.DiskBytes} 5"));
        string hash = scene.Host.Ask("sha256 vda b");
        scene.StartBackup("t", "j", 4 * Slow, ("sync", "incremental"), ("bitmap", "b"), ("auto-dismiss", false));
        using (FileStream file = scene.Folder.OpenLocked("vda.img"))
            file.SetLength(MonitorScene.DiskBytes / 2);
        JsonNode end = scene.Client.WaitForEvent("BLOCK_JOB_COMPLETED", "j")["data"]!;
        Assert.Contains("truncated while in use", (string?)end["error"]);
        scene.Client.WaitForStatus("j", "concluded");
        Assert.Contains("truncated while in use", (string?)scene.Client.Run("query-jobs")[0]!["error"]);
        Assert.Equal(hash, scene.Host.Ask("sha256 vda b"));
        _ = scene.Client.Run("job-dismiss", ("id", "j"));
        scene.Quit();
    }

    [Fact]
    public void NodeThatCannotBeOpened_LeavesNothingBehind()
    {
        using MonitorScene scene = new();
        // A character device is no disk.
        string refusal = scene.Client.Refused(
            "blockdev-add",
            ("driver", "host_device"),
            ("node-name", "f"),
            ("filename", "/dev/full")
        );
        Assert.Contains("/dev/full", refusal);
        Assert.Single(scene.Client.Run("query-named-block-nodes").AsArray());
    }

    internal static JsonNode Action(string type, params (string Name, JsonNode? Value)[] members)
    {
        JsonObject content = [];
        foreach ((string name, JsonNode? value) in members)
            content[name] = value?.DeepClone();
        return new JsonObject { ["type"] = type, ["data"] = content };
    }
}
