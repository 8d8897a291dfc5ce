// Transactions: all or nothing, one point in time, and what fails together. And refusals, after which nothing is left.
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

public sealed class TransactionTests
{
    const long Slow = 1 << 20;

    [Fact]
    public void ActionThatFails_UndoesAllBeforeIt()
    {
        using MonitorScene scene = new();
        _ = scene.AddTarget("t");
        _ = scene.Client.Run("block-dirty-bitmap-add", ("node", "vda"), ("name", "old"));
        Assert.Equal(0, scene.Host.AskNumber("write vda 0 65536 1"));
        string before = Picture(scene);
        JsonNode[] good =
        [
            LifecycleTests.Action("block-dirty-bitmap-add", ("node", "vda"), ("name", "new")),
            LifecycleTests.Action("block-dirty-bitmap-clear", ("node", "vda"), ("name", "old")),
            LifecycleTests.Action("block-dirty-bitmap-disable", ("node", "vda"), ("name", "old")),
            Backup("vda", "t", "j"),
        ];
        JsonNode[] bad =
        [
            LifecycleTests.Action("abort"),
            LifecycleTests.Action("block-dirty-bitmap-remove", ("node", "vda"), ("name", "nowhere")),
            LifecycleTests.Action("block-dirty-bitmap-add", ("node", "vda"), ("name", "new")),
            Backup("vda", "nowhere", "k"),
            Backup("vda", "t", "k"), // in use by the first
        ];
        foreach (JsonNode last in bad)
        {
            JsonArray actions = [.. good.Append(last).Select(one => one.DeepClone())];
            _ = scene.Client.Refused("transaction", ("actions", actions));
            Assert.Equal(before, Picture(scene));
            Assert.Empty(scene.Client.Run("query-jobs").AsArray());
        }
        scene.Client.Events.Clear();
        JsonArray all = [.. good.Select(one => one.DeepClone())];
        _ = scene.Client.Run("transaction", ("actions", all));
        scene.Client.WaitForStatus("j", "null");
        Assert.NotEqual(before, Picture(scene));
        _ = scene.Client.Run("blockdev-del", ("node-name", "t"));
        scene.Quit();
    }

    [Fact]
    public void BackupAndNewBitmap_AreOfOneMoment()
    {
        using MonitorScene scene = new();
        string target = scene.AddTarget("t");
        scene.Host.Ask("guest vda");
        JsonArray actions =
        [
            Backup("vda", "t", "j", ("speed", 8 * Slow)),
            LifecycleTests.Action("block-dirty-bitmap-add", ("node", "vda"), ("name", "b"), ("granularity", 4096)),
        ];
        _ = scene.Client.Run("transaction", ("actions", actions));
        scene.Client.WaitForStatus("j", "null");
        scene.Host.Ask("guest -");
        // What differs between the copy and the disk now is exactly what the bitmap may name.
        scene.StartBackup("t", "k", 0, ("sync", "incremental"), ("bitmap", "b"));
        scene.Client.WaitForStatus("k", "null");
        MonitorScene.AssertSame(scene.Disk(), target);
        scene.Quit();
    }

    [Theory]
    [InlineData("grouped")]
    [InlineData("individual")]
    public void Member_OfAGroup_EndsWithTheOthers(string mode)
    {
        using MonitorScene scene = new();
        _ = scene.AddTarget("t1");
        _ = scene.AddTarget("t2");
        JsonArray actions =
        [
            Backup("vda", "t1", "first", ("speed", Slow)),
            Backup("vda", "t2", "second", ("speed", Slow)),
        ];
        JsonObject properties = new() { ["completion-mode"] = mode };
        _ = scene.Client.Run("transaction", ("actions", actions), ("properties", properties));
        _ = scene.Client.Run("job-cancel", ("id", "first"));
        if (mode == "individual")
        {
            _ = scene.Client.WaitForEvent("BLOCK_JOB_CANCELLED", "first");
            _ = scene.Client.Run("block-job-set-speed", ("device", "second"), ("speed", 0));
            _ = scene.Client.WaitForEvent("BLOCK_JOB_COMPLETED", "second");
        }
        else
        {
            scene.Client.WaitForEach("BLOCK_JOB_CANCELLED", "first", "second");
        }
        scene.Quit();
    }

    [Fact]
    public void WriteThatDoesNotEnd_HoldsUpOneClientOnly()
    {
        using MonitorScene scene = new();
        _ = scene.AddTarget("t");
        using QmpConnection other = scene.NewClient();
        Assert.Equal(0, scene.Host.AskNumber("hold vda"));
        scene.Client.Send(QmpConnection.Command("block-dirty-bitmap-add", ("node", "vda"), ("name", "b")) + "\n");
        Thread.Sleep(200);
        Assert.Empty(other.Run("query-jobs").AsArray());
        Assert.Null(other.Run("query-named-block-nodes")[0]!["dirty-bitmaps"]);
        Assert.Equal(0, scene.Host.AskNumber("release vda"));
        Assert.NotNull(scene.Client.ReadAnswer()!["return"]);
        scene.Quit();
    }

    [Fact]
    public void NodesThatComeAndGo_WhileAnActionWaits_DoNotMeetIt()
    {
        using MonitorScene scene = new();
        _ = scene.AddTarget("t");
        using QmpConnection other = scene.NewClient();
        BeginHeldTransaction(scene, other);
        Assert.Contains("busy", other.Refused("blockdev-del", ("node-name", "t")));
        string file = scene.Folder.Hole("more.img", MonitorScene.DiskBytes);
        for (int i = 0; i < 50; i++)
        {
            _ = other.Run("blockdev-add", ("driver", "file"), ("node-name", "n" + i), ("filename", file));
            _ = other.Run("blockdev-del", ("node-name", "n" + i));
        }
        Assert.Equal(0, scene.Host.AskNumber("release vda"));
        Assert.NotNull(scene.Client.ReadAnswer()!["return"]);
        scene.Client.WaitForStatus("j", "null");
        scene.Quit();
    }

    [Fact]
    public void JobThatIsCancelledBeforeItsMoment_FailsItsTransaction()
    {
        using MonitorScene scene = new();
        _ = scene.AddTarget("t");
        using QmpConnection other = scene.NewClient();
        BeginHeldTransaction(scene, other);
        _ = other.Run("job-cancel", ("id", "j"));
        Assert.Equal(0, scene.Host.AskNumber("release vda"));
        Assert.Contains("was cancelled", (string?)scene.Client.ReadAnswer()!["error"]!["desc"]);
        Assert.Null(scene.Client.Run("query-named-block-nodes")[0]!["dirty-bitmaps"]);
        _ = scene.Client.Run("blockdev-del", ("node-name", "t"));
        scene.Quit();
    }

    [Fact]
    public void WriteThatNeverEnds_IsToldAfterHalfAMinuteAndNothingHasHappened()
    {
        using MonitorScene scene = new();
        _ = scene.AddTarget("t");
        Assert.Equal(0, scene.Host.AskNumber("hold vda"));
        string refusal = scene.Client.Refused(
            "blockdev-backup",
            ("device", "vda"),
            ("target", "t"),
            ("sync", "full"),
            ("job-id", "j")
        );
        Assert.Contains("guest writes under way", refusal);
        Assert.Equal(0, scene.Host.AskNumber("release vda"));
        Assert.Empty(scene.Client.Run("query-jobs").AsArray());
        scene.StartBackup("t", "j", 0);
        scene.Client.WaitForStatus("j", "null");
        scene.Quit();
    }

    [Fact]
    public void MoreBackups_ThanADiskCanWatch_AreRefusedTogether()
    {
        const int watchedMax = 64;
        using MonitorScene scene = new();
        JsonArray actions = [];
        for (int i = 0; i <= watchedMax; i++)
        {
            _ = scene.AddTarget("t" + i);
            actions.Add(Backup("vda", "t" + i, "j" + i, ("x-capture-bytes", 65536)));
        }
        Assert.Contains("as it can watch", scene.Client.Refused("transaction", ("actions", actions)));
        Assert.Empty(scene.Client.Run("query-jobs").AsArray());
        Assert.Equal(0, scene.Host.AskNumber("write vda 0 4096 1"));
        scene.StartBackup("t0", "one", 0);
        scene.Client.WaitForStatus("one", "null");
        scene.Quit();
    }

    [Fact]
    public void Job_OfACommandThatWaits_IsNotStartedByTheHost()
    {
        using MonitorScene scene = new();
        string target = scene.AddTarget("t");
        byte[] before = scene.Disk();
        Assert.Equal(0, scene.Host.AskNumber("hold vda"));
        scene.Client.Send(
            QmpConnection.Command(
                "blockdev-backup",
                ("device", "vda"),
                ("target", "t"),
                ("sync", "full"),
                ("job-id", "j")
            ) + "\n"
        );
        _ = scene.Client.WaitForEvent("JOB_STATUS_CHANGE", "j");
        Assert.Equal(-3, scene.Host.AskNumber("start j"));
        Assert.Equal(0, scene.Host.AskNumber("release vda"));
        Assert.NotNull(scene.Client.ReadAnswer()!["return"]);
        scene.Client.WaitForStatus("j", "null");
        MonitorScene.AssertSame(before, target);
        scene.Quit();
    }

    [Fact]
    public void Refusals_LeaveNothingBehind()
    {
        using MonitorScene scene = new();
        _ = scene.AddTarget("t");
        string small = scene.Folder.Hole("small.img", 4096);
        string before = Picture(scene);
        int files = Directory.GetFiles(Path.GetDirectoryName(small)!).Length;
        string[] own =
        [
            "\"target\":\"t\",\"sync\":\"full\",\"x-scratch\":\"no\"",
            "\"target\":\"t\",\"sync\":\"full\",\"x-scratch\":\"t\"",
            "\"target\":\"vda\",\"sync\":\"full\"",
            "\"target\":\"t\",\"sync\":\"top\",\"x-snapshot\":true",
            "\"target\":\"t\",\"sync\":\"full\",\"discard-source\":true",
            "\"target\":\"t\",\"sync\":\"full\",\"x-scratch-bytes\":1",
            "\"target\":\"t\",\"sync\":\"full\",\"x-capture-bytes\":1",
        ];
        foreach (string one in own)
            AssertRefused(scene, $"{{\"execute\":\"blockdev-backup\",\"arguments\":{{\"device\":\"vda\",{one}}}}}");
        string[] nodes =
        [
            "\"driver\":\"raw\",\"node-name\":\"x\",\"file\":{\"driver\":\"file\",\"filename\":\"/\"}",
            "\"driver\":\"file\",\"node-name\":\"vda\",\"filename\":\"/dev/null\"",
        ];
        foreach (string one in nodes)
            AssertRefused(scene, $"{{\"execute\":\"blockdev-add\",\"arguments\":{{{one}}}}}");
        foreach (string line in PeerLines.Commands.Take(22))
            AssertRefused(scene, line);
        Assert.Contains("not owned", scene.Client.Refused("blockdev-del", ("node-name", "vda")));
        Assert.Equal(before, Picture(scene));
        Assert.Empty(scene.Client.Run("query-jobs").AsArray());
        Assert.Equal(files, Directory.GetFiles(Path.GetDirectoryName(small)!).Length);
        _ = scene.Client.Run("blockdev-del", ("node-name", "t"));
        scene.Quit();
    }

    [Fact]
    public void OwnOptions_AreObeyed()
    {
        using MonitorScene scene = new();
        string target = scene.AddTarget("t");
        _ = scene.AddTarget("s");
        byte[] before = scene.Disk();
        scene.StartBackup(
            "t",
            "j",
            4 * Slow,
            ("x-scratch", "s"),
            ("x-capture-bytes", 1 << 20),
            ("x-guest-priority", "off"),
            ("x-cbw-timeout-ms", 5000),
            ("x-on-cbw-error", "break-guest-write"),
            (
                "x-perf",
                new JsonObject
                {
                    ["min-cluster-size"] = 131072,
                    ["max-workers"] = 4,
                    ["max-chunk"] = 0,
                }
            )
        );
        JsonNode gauges = scene.Client.Run("x-query-statistics")[0]!["gauges"]!;
        Assert.Equal(1 << 20, (int)gauges["capture-limit-bytes"]!);
        Assert.Equal(MonitorScene.DiskBytes, (int)gauges["scratch-limit-bytes"]!);
        Assert.Equal("off", (string?)gauges["guest-priority"]);
        Assert.Contains("busy", scene.Client.Refused("blockdev-del", ("node-name", "s")));
        scene.Host.Ask("guest vda");
        scene.Client.WaitForStatus("j", "null");
        scene.Host.Ask("guest -");
        MonitorScene.AssertSame(before, target);
        _ = scene.Client.Run("blockdev-del", ("node-name", "s"));
        scene.Quit();
    }

    static void AssertRefused(MonitorScene scene, string line) =>
        Assert.True(scene.Client.Ask(line)["error"] != null, line);

    static JsonNode Backup(string disk, string target, string id, params (string Name, JsonNode? Value)[] more) =>
        LifecycleTests.Action(
            "blockdev-backup",
            [("device", disk), ("target", target), ("sync", "full"), ("job-id", id), .. more]
        );

    /// <summary>A bitmap "b" and a job "j" onto "t", which wait for a write of "vda" that is not ended yet.</summary>
    static void BeginHeldTransaction(MonitorScene scene, QmpConnection other)
    {
        Assert.Equal(0, scene.Host.AskNumber("hold vda"));
        JsonArray actions =
        [
            LifecycleTests.Action("block-dirty-bitmap-add", ("node", "vda"), ("name", "b")),
            Backup("vda", "t", "j"),
        ];
        scene.Client.Send(QmpConnection.Command("transaction", ("actions", actions)) + "\n");
        other.WaitForStatus("j", "created");
    }

    static string Picture(MonitorScene scene) => scene.Client.Run("query-named-block-nodes").ToJsonString();
}
