// Nodes inside nodes: what is opened is closed once and by its owner, what is refused leaves nothing, and a file that
// does not open holds up no guest.
using System;
using System.Diagnostics;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Tests.Abi.Machine;
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
    public void File_ThatDoesNotOpen_HoldsUpNoGuest()
    {
        Requires.Command("python3");
        using MonitorScene scene = new();
        string file = scene.Folder.Hole("x.img", MonitorScene.DiskBytes);
        // A lease: whoever opens the file waits until its holder lets go, 45 s at most. Source: fcntl(2), F_SETLEASE.
        const string hold =
            "import fcntl, os, signal, sys, time; signal.signal(signal.SIGIO, signal.SIG_IGN); "
            + "fcntl.fcntl(os.open(sys.argv[1], os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_RDLCK); "
            + "print('held', flush=True); time.sleep(40)";
        ProcessStartInfo start = new("python3", ["-c", hold, file]) { RedirectStandardOutput = true };
        using Process holder = Process.Start(start)!;
        try
        {
            Requires.That(holder.StandardOutput.ReadLine() == "held", "needs a file system with leases");
            scene.Client.Send(
                QmpConnection.Command("blockdev-add", ("driver", "file"), ("node-name", "x"), ("filename", file)) + "\n"
            );
            Thread.Sleep(300);
            long begin = Stopwatch.GetTimestamp();
            Assert.Equal(0, scene.Host.AskNumber("write vda 0 4096 1"));
            Assert.True(Stopwatch.GetElapsedTime(begin) < TimeSpan.FromSeconds(5), "the guest was held up");
            Assert.False(holder.HasExited);
        }
        finally
        {
            holder.Kill();
            holder.WaitForExit();
        }
        Assert.NotNull(scene.Client.ReadAnswer()!["return"]);
        Assert.Equal(["vda", "x"], Names(scene));
        scene.Quit();
    }

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

    static string[] Names(MonitorScene scene) =>
        [
            .. scene
                .Client.Run("query-named-block-nodes")
                .AsArray()
                .Select(node => (string)node!["node-name"]!)
                .Order(StringComparer.Ordinal),
        ];
}
