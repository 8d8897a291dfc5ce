// Exports that a monitor's clients ask for, with the NBD clients that people have: a live disk, a point in time, and
// what becomes of them when something else ends.
using System;
using System.IO;
using System.Text.Json.Nodes;
using FastBackup.Tests.Nbd;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

public sealed class ExportTests : IDisposable
{
    readonly MonitorScene _scene = new();

    public void Dispose() => _scene.Dispose();

    string Socket => _scene.Folder["nbd"];

    [Fact]
    public void LiveDisk_IsWrittenLikeByAGuest_AndItsBitmapTellsWhere()
    {
        Requires.Command("qemu-io");
        Requires.Command("nbdinfo");
        _ = Run("block-dirty-bitmap-add", ("node", "vda"), ("name", "b"));
        StartServer();
        Export("e", "vda", ("writable", true), ("bitmaps", new JsonArray("b")));
        Assert.Contains("\"e\"", Run("query-block-exports").ToJsonString());
        _ = Tool("qemu-io", "-f", "raw", "-c", "write -P 9 1M 64k", Uri("vda"));
        Assert.Equal(9, _scene.Disk()[1 << 20]);
        string map = Tool("nbdinfo", "--map=qemu:dirty-bitmap:b", Uri("vda"));
        Assert.Matches(@"1048576 +65536 +1", map);
        _ = Run("block-export-del", ("id", "e"));
        Assert.Equal("e", (string?)_scene.Client.WaitForEvent("BLOCK_EXPORT_DELETED")["data"]!["id"]);
        Assert.Empty(Run("query-block-exports").AsArray());
        Assert.NotEqual(0, ToolRun.Of("nbdinfo", [Uri("vda")]).ExitCode);
        _scene.Quit();
        Assert.False(File.Exists(Socket));
    }

    /// <summary>What backup software does with QEMU: fleece, export the overlay, read, end.</summary>
    [Fact]
    public void NodeThatAJobWritesTo_IsItsPointInTime()
    {
        Requires.Command("nbdcopy");
        Requires.Command("nbdinfo");
        _ = _scene.AddTarget("t");
        _ = Run("block-dirty-bitmap-add", ("node", "vda"), ("name", "old"));
        Assert.Equal(0, _scene.Host.AskNumber("write vda 131072 4096 3"));
        JsonArray actions =
        [
            LifecycleTests.Action("block-dirty-bitmap-disable", ("node", "vda"), ("name", "old")),
            LifecycleTests.Action("block-dirty-bitmap-add", ("node", "vda"), ("name", "new")),
            LifecycleTests.Action(
                "blockdev-backup",
                ("device", "vda"),
                ("target", "t"),
                ("sync", "none"),
                ("job-id", "j")
            ),
        ];
        _ = Run("transaction", ("actions", actions));
        byte[] expected = _scene.Disk();
        _scene.Host.Ask("guest vda");
        StartServer();
        Export("e", "t", ("name", "then"), ("bitmaps", new JsonArray("old")));
        Assert.Matches(@"131072 +65536 +1", Tool("nbdinfo", "--map=qemu:dirty-bitmap:old", Uri("then")));
        _ = Tool("nbdcopy", Uri("then"), _scene.Folder["copy.img"]);
        MonitorScene.AssertSame(expected, _scene.Folder["copy.img"]);
        _scene.Host.Ask("guest -");
        Assert.Equal("Cannot export read-only node as writable", Refused("f", "t", ("writable", true)));
        _ = Run("job-cancel", ("id", "j"));
        _scene.Client.WaitForStatus("j", "null");
        Assert.NotEqual(0, ToolRun.Of("nbdcopy", [Uri("then"), _scene.Folder["late.img"]]).ExitCode);
        _ = Run("nbd-server-stop");
        _ = Run("blockdev-del", ("node-name", "t"));
        _scene.Quit();
    }

    [Fact]
    public void ClientThatStays_KeepsItsExport_UntilSomebodyIsHard()
    {
        StartServer();
        Export("e", "vda");
        using NbdClient client = new(Socket, "vda");
        Assert.Equal("export 'e' still in use", _scene.Client.Refused("block-export-del", ("id", "e")));
        _ = Run("block-export-del", ("id", "e"), ("mode", "hard"));
        _ = _scene.Client.WaitForEvent("BLOCK_EXPORT_DELETED");
        Assert.Equal("NBD server already running", _scene.Client.Refused("nbd-server-start", Address(_scene)));
        _ = Run("nbd-server-stop");
        Assert.False(File.Exists(Socket));
        StartServer();
        Export("e", "vda");
        _scene.Quit();
    }

    [Fact]
    public void End_LetsClientsGo()
    {
        StartServer();
        Export("e", "vda", ("writable", true));
        using NbdClient client = new(Socket, "vda");
        _scene.Quit();
        Assert.False(File.Exists(Socket));
    }

    [Fact]
    public void NodeWithAnExport_IsInUse()
    {
        _ = _scene.AddTarget("t");
        StartServer();
        Export("e", "t", ("writable", true));
        Assert.Contains("exported", _scene.Client.Refused("blockdev-del", ("node-name", "t")));
        _ = Run("nbd-server-remove", ("name", "t"));
        _ = Run("blockdev-del", ("node-name", "t"));
        _scene.Quit();
    }

    [Theory]
    [InlineData("192.0.2.1", "10809", "'192.0.2.1' can be reached from other machines, which needs TLS")]
    [InlineData("example.org", "10809", "'example.org' is no address")]
    [InlineData("127.0.0.1", "0", "'0' is no port")]
    [InlineData("::1", "x", "'x' is no port")]
    public void Address_ThatIsNotOfThisMachine_IsRefused(string host, string port, string expected)
    {
        JsonObject inside = new() { ["host"] = host, ["port"] = port };
        JsonObject address = new() { ["type"] = "inet", ["data"] = inside };
        Assert.StartsWith(expected, _scene.Client.Refused("nbd-server-start", ("addr", address)));
    }

    [Fact]
    public void Path_ThatIsNoSocket_IsLeftAlone()
    {
        File.WriteAllText(Socket, "precious");
        Assert.EndsWith("exists and is not a socket", _scene.Client.Refused("nbd-server-start", Address(_scene)));
        Assert.Equal("precious", File.ReadAllText(Socket));
    }

    [Fact]
    public void Servers_OneAfterTheOther_LeaveNothing()
    {
        int files = 0;
        for (int i = 0; i < 20; i++)
        {
            StartServer();
            Export("e", "vda");
            using (NbdClient client = new(Socket, "vda"))
            {
                _ = Run("nbd-server-stop");
                _ = _scene.Client.WaitForEvent("BLOCK_EXPORT_DELETED");
            }
            if (i == 0)
                files = _scene.Host.FileCount(); // what streams need is made once, and stays
        }
        Eventually.True(() => _scene.Host.FileCount() <= files);
        _scene.Quit();
    }

    /// <summary>For nbd-server-start.</summary>
    internal static (string, JsonNode?) Address(MonitorScene scene)
    {
        JsonObject inside = new() { ["path"] = scene.Folder["nbd"] };
        return ("addr", new JsonObject { ["type"] = "unix", ["data"] = inside });
    }

    void StartServer() => _ = Run("nbd-server-start", Address(_scene));

    void Export(string id, string node, params (string Name, JsonNode? Value)[] more) =>
        _ = Run("block-export-add", [("type", "nbd"), ("id", id), ("node-name", node), .. more]);

    string Refused(string id, string node, params (string Name, JsonNode? Value)[] more) =>
        _scene.Client.Refused("block-export-add", [("type", "nbd"), ("id", id), ("node-name", node), .. more]);

    JsonNode Run(string command, params (string Name, JsonNode? Value)[] arguments) =>
        _scene.Client.Run(command, arguments);

    string Uri(string export) => $"nbd+unix:///{export}?socket={Socket}";

    static string Tool(string program, params string[] arguments)
    {
        ToolRun run = ToolRun.Of(program, arguments);
        run.ExpectSuccess();
        return run.Output;
    }
}
