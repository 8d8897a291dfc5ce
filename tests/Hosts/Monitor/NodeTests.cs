// Nodes inside nodes: what is opened is closed once and by its owner, what is refused leaves nothing, and a file that
// does not open holds up no guest.
using System;
using System.Diagnostics;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

public sealed class NodeTests
{
    [Fact]
    public void Name_ThatIsTakenByWhatIsInside_IsRefusedAndTheEngineGoesOn()
    {
        using MonitorScene scene = new();
        string file = scene.Folder.Hole("x.img", MonitorScene.DiskBytes);
        string refusal = scene.Client.Refused("blockdev-add", Over(file, "same", "same"));
        Assert.Equal("Duplicate nodes with node-name='same'", refusal);
        Assert.Equal(["vda"], Names(scene));
        Assert.Equal(0, scene.Host.AskNumber("write vda 0 4096 1"));
        // What was inside has let go of the file.
        _ = scene.Client.Run("blockdev-add", Over(file, "top", "inner"));
        BackUpTo(scene, "top", file);
        scene.Quit();
    }

    [Fact]
    public void FileOfAnotherFormat_IsATargetOnlyUnderDriverRaw()
    {
        using MonitorScene scene = new();
        string file = scene.Folder.Hole("x.img", MonitorScene.DiskBytes);
        System.IO.File.WriteAllBytes(file, [.. "QFI\u00fb\0\0\0\u0003".Select(one => (byte)one)]);
        using (System.IO.FileStream stream = System.IO.File.OpenWrite(file))
            stream.SetLength(MonitorScene.DiskBytes);
        _ = scene.Client.Run("blockdev-add", ("driver", "file"), ("node-name", "t"), ("filename", file));
        string refusal = scene.Client.Refused(
            "blockdev-backup",
            ("job-id", "j"),
            ("device", "vda"),
            ("target", "t"),
            ("sync", "full")
        );
        Assert.Equal($"'{file}' is an image of format qcow2; with driver 'raw' over node 't' it is raw", refusal);
        _ = scene.Client.Run("blockdev-add", ("driver", "raw"), ("node-name", "top"), ("file", "t"));
        BackUpTo(scene, "top", file);
        scene.Quit();
    }

    [Fact]
    public void NodeInside_IsNotDeletedUnderItsParent()
    {
        using MonitorScene scene = new();
        string file = scene.Folder.Hole("x.img", MonitorScene.DiskBytes);
        _ = scene.Client.Run("blockdev-add", Over(file, "top", "inner"));
        string refusal = scene.Client.Refused("blockdev-del", ("node-name", "inner"));
        Assert.Equal("Node inner is not owned by the monitor", refusal);
        BackUpTo(scene, "top", file);
        _ = scene.Client.Run("blockdev-del", ("node-name", "top"));
        Assert.Equal(["vda"], Names(scene));
        scene.Quit();
    }

    [Fact]
    public void NodeInside_OfTwo_GoesWithTheLast()
    {
        using MonitorScene scene = new();
        string file = scene.Folder.Hole("x.img", MonitorScene.DiskBytes);
        _ = scene.Client.Run("blockdev-add", Over(file, "top", "inner"));
        _ = scene.Client.Run("blockdev-add", ("driver", "raw"), ("node-name", "other"), ("file", "inner"));
        _ = scene.Client.Run("blockdev-del", ("node-name", "top"));
        Assert.Equal(["inner", "other", "vda"], Names(scene));
        BackUpTo(scene, "other", file);
        _ = scene.Client.Run("blockdev-del", ("node-name", "other"));
        Assert.Equal(["vda"], Names(scene));
        scene.Quit();
    }

    [Fact]
    public void Delete_OfANodeWhoseInsideIsBackedUp_ChangesNothing()
    {
        using MonitorScene scene = new();
        _ = scene.AddTarget("t");
        string file = scene.Folder.Hole("x.img", MonitorScene.DiskBytes);
        _ = scene.Client.Run("blockdev-add", Over(file, "top", "inner"));
        _ = scene.Client.Run(
            "blockdev-backup",
            ("device", "inner"),
            ("target", "t"),
            ("job-id", "j"),
            ("sync", "none")
        );
        Assert.Contains("in use", scene.Client.Refused("blockdev-del", ("node-name", "top")));
        Assert.Equal(["inner", "t", "top", "vda"], Names(scene));
        _ = scene.Client.Run("job-cancel", ("id", "j"));
        scene.Client.WaitForStatus("j", "null");
        _ = scene.Client.Run("blockdev-del", ("node-name", "top"));
        Assert.Equal(["t", "vda"], Names(scene));
        scene.Quit();
    }

    [Fact]
    public void Nodes_AreAtMost1024_AlsoInsideOfEachOther()
    {
        using MonitorScene scene = new();
        string file = scene.Folder.Hole("x.img", MonitorScene.DiskBytes);
        for (int i = 0; i < 4; i++)
        {
            StringBuilder line = new("{\"execute\":\"blockdev-add\",\"arguments\":");
            line.Append($"{{\"driver\":\"raw\",\"node-name\":\"n{i}\",\"file\":");
            line.Insert(line.Length, "{\"driver\":\"raw\",\"file\":", 299);
            line.Append($"{{\"driver\":\"file\",\"read-only\":true,\"filename\":\"{file}\"}}");
            JsonNode answer = scene.Client.Ask(line.Append('}', 301).ToString());
            if (i < 3)
                Assert.NotNull(answer["return"]);
            else
                Assert.Contains("1024 nodes", (string?)answer["error"]!["desc"]);
        }
        Assert.Equal(1 + 3 * 301, Names(scene).Length);
        for (int i = 0; i < 3; i++)
            _ = scene.Client.Run("blockdev-del", ("node-name", "n" + i));
        Assert.Equal(["vda"], Names(scene));
        scene.Quit();
    }

    [Fact]
    public void NodeThatIsRefused_LeavesNothing_AlsoOverANodeWithAJob()
    {
        using MonitorScene scene = new();
        _ = scene.AddTarget("t");
        scene.StartBackup("t", "j", 1000);
        JsonObject inside = new()
        {
            ["driver"] = "raw",
            ["node-name"] = "x",
            ["file"] = "t",
        };
        string refusal = scene.Client.Refused("blockdev-add", ("driver", "raw"), ("node-name", "x"), ("file", inside));
        Assert.Contains("Duplicate nodes with node-name='x'", refusal);
        Assert.Equal(2, scene.Client.Run("query-named-block-nodes").AsArray().Count);
        _ = scene.Client.Run("job-cancel", ("id", "j"));
        scene.Client.WaitForStatus("j", "null");
        _ = scene.Client.Run("blockdev-del", ("node-name", "t"));
        scene.Quit();
    }

    [Fact]
    public void File_ThatDoesNotOpen_HoldsUpNoGuestAndNoOtherClient()
    {
        using MonitorScene scene = new();
        string file = scene.Folder.Hole("x.img", MonitorScene.DiskBytes);
        using (HeldFile held = new(file))
        {
            SendAdd(scene.Client, "x", file);
            scene.Client.Send(QmpConnection.Command("query-jobs") + "\n"); // answered behind it
            Thread.Sleep(300);
            long begin = Stopwatch.GetTimestamp();
            Assert.Equal(0, scene.Host.AskNumber("write vda 0 4096 1"));
            using QmpConnection other = scene.NewClient();
            Assert.Empty(other.Run("query-jobs").AsArray());
            Assert.Equal(["vda"], Names(scene, other));
            _ = other.Run("blockdev-add", ("driver", "file"), ("node-name", "y"), ("filename", scene.AddHole("y.img")));
            _ = other.Run("blockdev-del", ("node-name", "y"));
            Assert.True(Stopwatch.GetElapsedTime(begin) < TimeSpan.FromSeconds(20), "somebody was held up");
            Assert.True(held.IsHeld);
        }
        Assert.Equal("{}", scene.Client.ReadAnswer()!["return"]!.ToJsonString());
        Assert.Equal("[]", scene.Client.ReadAnswer()!["return"]!.ToJsonString());
        Assert.Equal(["vda", "x"], Names(scene));
        scene.Quit();
    }

    [Fact]
    public void Name_ThatIsTakenWhileItsFileOpens_IsRefused_AndTheFileIsClosed()
    {
        using MonitorScene scene = new();
        string file = scene.Folder.Hole("x.img", MonitorScene.DiskBytes);
        using (HeldFile held = new(file))
        {
            SendAdd(scene.Client, "x", file);
            Thread.Sleep(300);
            using QmpConnection other = scene.NewClient();
            _ = other.Run("blockdev-add", ("driver", "file"), ("node-name", "x"), ("filename", scene.AddHole("y.img")));
            Assert.True(held.IsHeld);
        }
        Assert.Equal("Duplicate nodes with node-name='x'", (string?)scene.Client.ReadAnswer()!["error"]!["desc"]);
        Thread.Sleep(300);
        _ = scene.Client.Run("blockdev-add", ("driver", "file"), ("node-name", "z"), ("filename", file));
        Assert.Equal(["vda", "x", "z"], Names(scene));
        scene.Quit();
    }

    [Theory]
    [InlineData("--threads")]
    [InlineData(null)]
    public void File_ThatDoesNotOpen_HoldsUpNoEnd(string? option)
    {
        using MonitorScene scene = option == null ? new() : new(option);
        string file = scene.Folder.Hole("x.img", MonitorScene.DiskBytes);
        using HeldFile held = new(file);
        SendAdd(scene.Client, "x", file);
        Thread.Sleep(300);
        scene.Quit();
        Assert.True(held.IsHeld);
    }

    static void SendAdd(QmpConnection client, string node, string file) =>
        client.Send(
            QmpConnection.Command("blockdev-add", ("driver", "file"), ("node-name", node), ("filename", file)) + "\n"
        );

    static (string Name, JsonNode? Value)[] Over(string file, string name, string inside) =>
        [
            ("driver", "raw"),
            ("node-name", name),
            (
                "file",
                new JsonObject
                {
                    ["driver"] = "file",
                    ["node-name"] = inside,
                    ["filename"] = file,
                }
            ),
        ];

    static void BackUpTo(MonitorScene scene, string node, string file)
    {
        scene.StartBackup(node, "check", 0);
        scene.Client.WaitForStatus("check", "null");
        MonitorScene.AssertSame(scene.Disk(), file);
    }

    static string[] Names(MonitorScene scene, QmpConnection? client = null) =>
        [
            .. (client ?? scene.Client)
                .Run("query-named-block-nodes")
                .AsArray()
                .Select(node => (string)node!["node-name"]!)
                .Order(StringComparer.Ordinal),
        ];
}
