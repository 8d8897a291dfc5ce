// Clients that come, go, stay silent or misbehave: the others and the jobs do not notice.
using System;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class ClientTests
{
    const long Slow = 2 << 20;

    [Fact]
    public void Killed_InEveryPlace_TheJobGoesOnAndIsRight()
    {
        using MonitorScene scene = new();
        string target = scene.AddTarget("t");
        byte[] before = scene.Disk();
        _ = scene.Client.Run(
            "blockdev-backup",
            ("device", "vda"),
            ("target", "t"),
            ("sync", "full"),
            ("job-id", "j"),
            ("speed", Slow)
        );
        scene.Client.WaitForStatus("j", "running");
        scene.Host.Ask("guest vda");
        string line = """{"execute":"query-named-block-nodes","id":[1,2,3]}""" + "\n";
        int files = scene.Host.FileCount();
        for (int i = 0; i < 60; i++)
        {
            QmpConnection victim = QmpConnection.To(scene.Host.Socket, isNegotiating: i % 3 != 0);
            victim.Send(line[..(i % line.Length)]);
            for (int more = 0; more < i % 4; more++)
                victim.Send(line); // answers that nobody will read
            victim.Dispose();
        }
        Assert.Equal("running", scene.StatusOf("j"));
        Eventually.True(() => scene.Host.FileCount() <= files); // what a start still had open then is closed by now
        Assert.True(scene.Host.FileCount() <= files, "descriptors are left");
        long writes = scene.Host.AskNumber("count");
        scene.Client.WaitForStatus("j", "null");
        Assert.True(scene.Host.AskNumber("count") > writes);
        scene.Host.Ask("guest -");
        MonitorScene.AssertSame(before, target);
        scene.Quit();
    }

    [Fact]
    public void KilledWhileItsCommandWaits_TheCommandIsCarriedOut()
    {
        using MonitorScene scene = new();
        Assert.Equal(0, scene.Host.AskNumber("hold vda"));
        using (QmpConnection victim = scene.NewClient())
        {
            victim.Send(QmpConnection.Command("block-dirty-bitmap-add", ("node", "vda"), ("name", "b")) + "\n");
            Thread.Sleep(100);
        }
        Thread.Sleep(100);
        Assert.Empty(scene.Client.Run("query-jobs").AsArray());
        Assert.Equal(0, scene.Host.AskNumber("release vda"));
        JsonNode? bitmaps = null;
        Eventually.True(() => (bitmaps = scene.Client.Run("query-named-block-nodes")[0]!["dirty-bitmaps"]) != null);
        Assert.Equal("b", (string?)bitmaps![0]!["name"]);
        scene.Quit();
    }

    [Fact]
    public void WhoDoesNotRead_IsDroppedAndTheOthersAreServed()
    {
        using MonitorScene scene = new();
        using QmpConnection silent = scene.NewClient();
        byte[] commands = Encoding.ASCII.GetBytes(
            string.Concat(Enumerable.Repeat("""{"execute":"query-commands"}""" + "\n", 64))
        );
        bool isDropped = false;
        for (int i = 0; i < 400 && !isDropped; i++)
        {
            try
            {
                silent.Send(commands);
            }
            catch (System.Net.Sockets.SocketException)
            {
                isDropped = true;
            }
            Assert.Empty(scene.Client.Run("query-jobs").AsArray());
        }
        Assert.True(isDropped, "25,600 answers of 1.5 KiB were not too many");
        scene.Quit();
    }

    [Fact]
    public void HalfClosed_IsAnsweredToTheEnd()
    {
        using MonitorScene scene = new();
        using QmpConnection half = QmpConnection.To(scene.Host.Socket, isNegotiating: false);
        half.Send("""{"execute":"qmp_capabilities"}{"execute":"query-jobs","id":1}{"execute":"foo","id":2}""");
        half.EndSending();
        Assert.NotNull(half.ReadAnswer()!["return"]);
        Assert.Equal(1, (int)half.ReadAnswer()!["id"]!);
        Assert.Equal(2, (int)half.ReadAnswer()!["id"]!);
        Assert.Null(half.ReadAnswer());
    }

    [Fact]
    public void Answer_OfAnyLength_ReachesWhoReads()
    {
        const int names = 900;
        using MonitorScene scene = new();
        for (int part = 0; part < 3; part++)
        {
            JsonArray actions = [];
            for (int i = 0; i < names; i++)
                actions.Add(
                    LifecycleTests.Action(
                        "block-dirty-bitmap-add",
                        ("node", "vda"),
                        ("name", $"{part}-{i}-{new string('x', 900)}")
                    )
                );
            _ = scene.Client.Run("transaction", ("actions", actions));
        }
        JsonArray bitmaps = scene.Client.Run("query-named-block-nodes")[0]!["dirty-bitmaps"]!.AsArray();
        Assert.Equal(3 * names, bitmaps.Count);
        scene.Quit();
    }

    [Fact]
    public void Monitors_OpenedAndClosedAgainAndAgain_LeaveNoDescriptors()
    {
        using MonitorScene scene = new();
        long before = scene.Host.AskNumber($"cycle {scene.Folder["other"]} 1");
        long after = scene.Host.AskNumber($"cycle {scene.Folder["other"]} 100");
        Assert.InRange(after, 1, before + 50);
        scene.Quit();
    }

    [Fact]
    public void Clients_AreAtMost32AndOneMoreIsTold()
    {
        using MonitorScene scene = new();
        QmpConnection[] clients = [.. Enumerable.Range(0, 31).Select(_ => scene.NewClient())];
        Assert.Contains("32 clients are connected", Greeting(scene.Host.Socket));
        foreach (QmpConnection client in clients)
            client.Dispose();
        Eventually.True(() => Greeting(scene.Host.Socket).Contains("QMP", StringComparison.Ordinal));
        using QmpConnection again = scene.NewClient();
        Assert.Empty(again.Run("query-jobs").AsArray());
    }

    /// <summary>What a new client is told first.</summary>
    static string Greeting(string path)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, 0);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        using StreamReader reader = new(new NetworkStream(socket));
        return reader.ReadLine() ?? "";
    }

    [Fact]
    public void ShortVisits_AThousandOneAfterTheOther_AreAllServed()
    {
        using MonitorScene scene = new();
        for (int i = 0; i < 1000; i++)
        {
            using QmpConnection visitor = scene.NewClient();
            if (i % 2 == 0)
                Assert.Empty(visitor.Run("query-jobs").AsArray());
        }
        scene.Quit();
    }

    [Fact]
    public void SixtyFour_AtOnce_AreAllServed()
    {
        using MonitorScene scene = new();
        Thread[] visitors = new Thread[64];
        int served = 0;
        for (int i = 0; i < visitors.Length; i++)
        {
            visitors[i] = new Thread(() =>
            {
                for (int visit = 0; visit < 4; visit++)
                {
                    using QmpConnection visitor = scene.NewClient();
                    if (visitor.Run("query-jobs").AsArray().Count == 0)
                        Interlocked.Increment(ref served);
                }
            });
            visitors[i].Start();
        }
        foreach (Thread visitor in visitors)
            visitor.Join();
        Assert.Equal(4 * visitors.Length, served);
        scene.Quit();
    }

    [Fact]
    public void PlaceOfWhoNeverNegotiates_IsGivenToWhoWaits()
    {
        using MonitorScene scene = new();
        QmpConnection[] idle =
        [
            .. Enumerable.Range(0, 31).Select(_ => QmpConnection.To(scene.Host.Socket, isNegotiating: false)),
        ];
        using QmpConnection next = scene.NewClient(); // waits until the first of them has been silent for 5 s
        Assert.Empty(next.Run("query-jobs").AsArray());
        Assert.Empty(scene.Client.Run("query-jobs").AsArray());
        Assert.Null(idle[0].ReadLine());
        foreach (QmpConnection client in idle)
            client.Dispose();
        scene.Quit();
    }

    [Fact]
    public void Limits_AreAnsweredAndTheClientIsDropped()
    {
        using MonitorScene scene = new();
        using QmpConnection tooLong = scene.NewClient();
        tooLong.Send("{\"a\":\"");
        byte[] piece = Encoding.ASCII.GetBytes(new string('x', 65536));
        for (int i = 0; i < 17; i++)
            tooLong.Send(piece);
        JsonNode error = tooLong.ReadAnswer()!["error"]!;
        Assert.Equal("JSON token size limit exceeded", (string?)error["desc"]);
        using QmpConnection tooMany = scene.NewClient();
        tooMany.Send("[" + string.Concat(Enumerable.Repeat("1,", 40_000)));
        Assert.Equal("JSON token count limit exceeded", (string?)tooMany.ReadAnswer()!["error"]!["desc"]);
        Assert.Null(tooMany.ReadAnswer());
        using QmpConnection tooDeep = scene.NewClient();
        tooDeep.Send(new string('[', 1025) + "\n");
        Assert.Equal("JSON nesting depth limit exceeded", (string?)tooDeep.ReadAnswer()!["error"]!["desc"]);
        Assert.Empty(tooDeep.Run("query-jobs").AsArray());
        tooDeep.Send("""{"execute":"query-jobs","id":""" + new string('[', 1000) + new string(']', 1000) + "}");
        Assert.NotNull(tooDeep.ReadAnswer()!["return"]);
    }

    [Fact]
    public void Socket_IsItsOwnersOnly()
    {
        using MonitorScene scene = new();
        UnixFileMode mode = File.GetUnixFileMode(scene.Host.Socket);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, mode);
        Assert.Contains("fb-monitor", scene.Host.ThreadNames());
        scene.Quit();
        Assert.False(File.Exists(scene.Host.Socket));
    }

    [Fact]
    public void Path_ThatIsTaken_IsRefusedOrReplaced()
    {
        using MonitorScene scene = new();
        Assert.Equal(-3, scene.Host.AskNumber($"open {scene.Host.Socket}")); // somebody listens
        Assert.Equal(-3, scene.Host.AskNumber($"open {scene.Folder["vda.img"]}")); // no socket
        Assert.Equal(-8, scene.Host.AskNumber($"open {scene.Folder["nowhere/socket"]}"));
        Assert.Equal(-1, scene.Host.AskNumber($"open {scene.Folder[new string('x', 108)]}"));
        Assert.Equal(MonitorScene.DiskBytes, scene.Disk().Length);
        // A host that was killed leaves its socket behind.
        string left = scene.Folder["left"];
        MonitorHost dead = new(left);
        dead.Dispose();
        Assert.True(File.Exists(left));
        using MonitorHost next = new(left);
        using QmpConnection client = QmpConnection.To(left);
        Assert.Empty(client.Run("query-jobs").AsArray());
        next.Quit();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Close_WithRunningJobs_EndsThemSoonAndTakesEverythingAway(bool isDriven)
    {
        using MonitorScene scene = new(isDriven ? ["--driven"] : []);
        string[] targets = ["t1", "t2", "t3"];
        foreach (string target in targets)
            _ = scene.AddTarget(target);
        scene.StartBackup("t1", "running", 1000);
        scene.StartBackup("t2", "none", 0, ("sync", "none"));
        scene.StartBackup("t3", "pending", 0, ("auto-finalize", false), ("auto-dismiss", false));
        _ = scene.Client.WaitForEvent("BLOCK_JOB_PENDING", "pending");
        _ = scene.Client.Run("block-dirty-bitmap-add", ("node", "vda"), ("name", "stays"));
        scene.Host.Ask("guest vda");
        string[] closed = scene.Host.Ask("close").Split(' ');
        Assert.Equal("0", closed[0]);
        Assert.InRange(int.Parse(closed[1], System.Globalization.CultureInfo.InvariantCulture), 0, 1000);
        while (scene.Client.ReadLine() != null) { }
        Assert.False(File.Exists(scene.Host.Socket));
        Assert.Equal(-3, scene.Host.AskNumber("find running"));
        Assert.Equal(64, scene.Host.Ask("sha256 vda stays").Length);
        long writes = scene.Host.AskNumber("count");
        Eventually.True(() => scene.Host.AskNumber("count") > writes);
        scene.Quit();
    }

    [Fact]
    public void Close_WhileAGrantedWriteDoesNotEnd_SaysSoAndWorksAfterwards()
    {
        using MonitorScene scene = new();
        _ = scene.AddTarget("t");
        scene.StartBackup("t", "j", 1000);
        Assert.Equal(0, scene.Host.AskNumber("hold vda"));
        Assert.Equal(-3, scene.Host.AskNumber("close"));
        Assert.Equal(0, scene.Host.AskNumber("release vda"));
        Assert.Equal(0, scene.Host.AskNumber("close"));
        scene.Quit();
    }

    [Fact]
    public void Bitmaps_AreAtMost4096_AlsoInOneTransaction()
    {
        using MonitorScene scene = new();
        for (int i = 0; i < 4; i++)
            Assert.Null(Add(i * 1000, 1000)["error"]);
        Assert.Contains("4096 bitmaps", (string?)Add(4000, 97)["error"]!["desc"]);
        Assert.Null(Add(4000, 96)["error"]);
        Assert.Contains(
            "4096 bitmaps",
            scene.Client.Refused("block-dirty-bitmap-add", ("node", "vda"), ("name", "one more"))
        );
        scene.Quit();

        JsonNode Add(int first, int count)
        {
            JsonArray actions = [];
            for (int i = first; i < first + count; i++)
                actions.Add(LifecycleTests.Action("block-dirty-bitmap-add", ("node", "vda"), ("name", $"b{i}")));
            return scene.Client.Ask(QmpConnection.Command("transaction", ("actions", actions)));
        }
    }

    [Fact]
    public void JobsThatNobodyDismisses_AreAtMost256()
    {
        using MonitorScene scene = new();
        _ = scene.AddTarget("t");
        for (int i = 0; i < 256; i++)
        {
            scene.StartBackup("t", $"j{i}", 0, ("auto-dismiss", false));
            scene.Client.WaitForStatus($"j{i}", "concluded");
        }
        (string, JsonNode?)[] more = [("device", "vda"), ("target", "t"), ("job-id", "more"), ("sync", "full")];
        Assert.Contains("256 jobs", scene.Client.Refused("blockdev-backup", more));
        _ = scene.Client.Run("job-dismiss", ("id", "j7"));
        scene.Client.WaitForStatus("j7", "null");
        scene.StartBackup("t", "more", 0);
        scene.Client.WaitForStatus("more", "null");
        scene.Quit();
    }
}
