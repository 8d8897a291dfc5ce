// A repository as the target of jobs: live guests go straight into it, whole and by what has changed, and stock restic
// reads the moment of the job; what cannot make a whole point is refused, and no password is ever said.
using System;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

public sealed class RepositoryNodeTests : IDisposable
{
    const string Secret = "open sesame";

    readonly MonitorScene _scene;

    public RepositoryNodeTests()
    {
        Requires.Command("restic");
        _scene = new MonitorScene();
        File.WriteAllText(_scene.Folder["password"], Secret);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(_scene.Folder["password"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    public void Dispose() => _scene.Dispose();

    QmpConnection Client => _scene.Client;

    [Fact]
    public void GuestThatWrites_GoesIntoPoints_OfTheJobsMoments()
    {
        Assert.Equal(0, _scene.Host.AskNumber("guest vda"));
        Client.Run("block-dirty-bitmap-add", ("node", "vda"), ("name", "b"));
        string first = BackUp("r1", "full", null);
        string second = BackUp("r2", "incremental", first[..8]);
        string third = BackUp("r3", "incremental", second);
        _ = _scene.Host.Ask("guest -");
        Assert.Equal(3, new[] { first, second, third }.Distinct().Count());
        Restic("check", "--read-data");
        JsonNode document = JsonNode.Parse(Restic("dump", third, "/vm7/system/disk.json"))!;
        Assert.Equal("incremental", (string?)document["mode"]);
        Assert.Equal(second, (string?)document["parent"]);
        _scene.Quit();
    }

    /// <summary>A copy into a file at the same instant says what the point must be.</summary>
    string BackUp(string node, string sync, string? parent)
    {
        string copy = _scene.AddTarget("copy-" + node);
        _ = Client.Run("blockdev-add", Node(node, ("parent", parent), ("create", true)));
        (string, JsonNode?)[] bitmap = sync == "full" ? [] : [("bitmap", "b")];
        _ = Client.Run(
            "transaction",
            (
                "actions",
                new JsonArray(
                    Backup("point-" + node, node, sync, bitmap),
                    Backup("copy-" + node, "copy-" + node, "full", [])
                )
            )
        );
        Client.WaitForEach("BLOCK_JOB_COMPLETED", "point-" + node, "copy-" + node);
        string point = (string)Described(node)["x-point"]!;
        Assert.Null(Described(node)["x-words"]);
        _ = Client.Run("blockdev-del", ("node-name", node));
        _ = Restic("restore", point, "--target", _scene.Folder["out-" + node]);
        MonitorScene.AssertSame(
            TestFolder.Read(copy),
            Path.Combine(_scene.Folder["out-" + node], "vm7", "system", "disk.img")
        );
        return point;
    }

    [Fact]
    public void LastPoint_IsGoneOnFrom_OnlyByItsCheckpoint()
    {
        _ = Client.Run("blockdev-add", Node("r1", ("create", true)));
        Run("r1");
        Assert.Contains("it has no checkpoint", Refused("r2", ("parent", "latest")), StringComparison.Ordinal);
        _scene.Quit();
    }

    [Fact]
    public void WhatMakesNoWholePoint_IsRefused()
    {
        _ = Client.Run("blockdev-add", Node("r1", ("create", true)));
        _ = Client.Run("block-dirty-bitmap-add", ("node", "vda"), ("name", "b"));
        Assert.Contains("copies no whole disk", Refuse("r1", ("sync", "top")), StringComparison.Ordinal);
        Assert.Contains("copies no whole disk", Refuse("r1", ("sync", "none")), StringComparison.Ordinal);
        string ignoring = Refuse("r1", ("sync", "full"), ("on-source-error", "ignore"));
        Assert.Contains("no error can be ignored", ignoring, StringComparison.Ordinal);
        string lonely = Refuse("r1", ("sync", "incremental"), ("bitmap", "b"));
        Assert.Contains("has no parent", lonely, StringComparison.Ordinal);
        string always = Refuse("r1", ("sync", "full"), ("bitmap", "b"), ("bitmap-mode", "always"));
        Assert.Contains("bitmap-mode always", always, StringComparison.Ordinal);
        Run("r1");
        Assert.Contains("has had its job", Refuse("r1", ("sync", "full")), StringComparison.Ordinal);
        string point = (string)Described("r1")["x-point"]!;
        _ = Client.Run("blockdev-add", Node("r2", ("parent", point)));
        Assert.Contains("has a parent", Refuse("r2", ("sync", "full")), StringComparison.Ordinal);
        _scene.Quit();
    }

    [Fact]
    public void BadNodes_AreRefusedInASentence_WithoutThePassword()
    {
        Assert.Contains("there is no repository at", Refused("r"), StringComparison.Ordinal);
        _ = Client.Run("blockdev-add", Node("r1", ("create", true)));
        Assert.Contains("disk name 'a/b'", Refused("r", ("disk", "a/b")), StringComparison.Ordinal);
        Assert.Contains("size 0", Refused("r", ("size", 0)), StringComparison.Ordinal);
        Assert.Contains("chunk size 3", Refused("r", ("chunk-size", 3)), StringComparison.Ordinal);
        Assert.Contains("'latest'", Refused("r", ("parent", "latest")), StringComparison.Ordinal);
        Assert.Contains("'12345678'", Refused("r", ("parent", "12345678")), StringComparison.Ordinal);
        Assert.Contains("read-only", Refused("r", ("read-only", true)), StringComparison.Ordinal);
        File.WriteAllText(_scene.Folder["password"], Secret + "!");
        Assert.Contains("opens none of the 1 key files", Refused("r"), StringComparison.Ordinal);
        File.Delete(_scene.Folder["password"]);
        Assert.Contains("cannot read password file", Refused("r"), StringComparison.Ordinal);
        string other = Refused("r", ("password-file", WithMode(0x180)));
        Assert.Contains("none of the 1 key", other, StringComparison.Ordinal);
        string open = Refused("r", ("password-file", WithMode(0x1A4)));
        Assert.Contains("can be read or written by others", open, StringComparison.Ordinal);
        _scene.Quit();
    }

    [Fact]
    public void CancelledJob_LeavesNoPoint_AndStoreThatIsGone_FailsTheJob()
    {
        _ = Client.Run("blockdev-add", Node("r1", ("create", true)));
        _ = Client.Run("blockdev-backup", Arguments("r1", ("sync", "full"), ("speed", 1 << 20)));
        Client.WaitForProgress("j");
        _ = Client.Run("job-cancel", ("id", "j"));
        _ = Client.WaitForEvent("BLOCK_JOB_CANCELLED", "j");
        Assert.Null(Described("r1")["x-point"]);
        _ = Client.Run("blockdev-del", ("node-name", "r1"));
        Assert.Empty(Directory.GetFiles(_scene.Folder["repo"] + "/snapshots"));
        _ = Client.Run("blockdev-add", Node("r2"));
        // Where packs would go is a file now.
        Directory.Move(_scene.Folder["repo"] + "/data", _scene.Folder["away"]);
        File.WriteAllText(_scene.Folder["repo"] + "/data", "");
        _ = Client.Run("blockdev-backup", Arguments("r2", ("sync", "full")));
        JsonNode end = Client.WaitForEvent("BLOCK_JOB_COMPLETED", "j");
        Assert.NotNull(end["data"]!["error"]);
        Assert.NotNull(Described("r2")["x-words"]);
        Assert.Null(Described("r2")["x-point"]);
        Assert.Empty(Directory.GetFiles(_scene.Folder["repo"] + "/snapshots"));
        _scene.Quit();
    }

    string WithMode(int mode)
    {
        string path = _scene.Folder[$"other-{mode}"];
        File.WriteAllText(path, "something else");
        File.SetUnixFileMode(path, (UnixFileMode)mode);
        return path;
    }

    void Run(string node)
    {
        _ = Client.Run("blockdev-backup", Arguments(node, ("sync", "full")));
        JsonNode end = Client.WaitForEvent("BLOCK_JOB_COMPLETED", "j");
        Assert.Null(end["data"]!["error"]);
        Client.WaitForStatus("j", "null");
    }

    string Refuse(string node, params (string, JsonNode?)[] more) =>
        Client.Refused("blockdev-backup", Arguments(node, more));

    string Refused(string node, params (string Name, JsonNode? Value)[] more)
    {
        string sentence = Client.Refused("blockdev-add", Node(node, more));
        Assert.DoesNotContain("sesame", sentence, StringComparison.Ordinal);
        return sentence;
    }

    static (string, JsonNode?)[] Arguments(string node, params (string, JsonNode?)[] more) =>
        [("device", "vda"), ("target", node), ("job-id", "j"), .. more];

    static JsonObject Backup(string id, string target, string sync, (string Name, JsonNode? Value)[] more)
    {
        JsonObject data = new()
        {
            ["device"] = "vda",
            ["target"] = target,
            ["job-id"] = id,
            ["sync"] = sync,
            ["speed"] = 8 << 20, // so that the guest is faster somewhere
        };
        foreach ((string name, JsonNode? value) in more)
            data[name] = value;
        return new JsonObject { ["type"] = "blockdev-backup", ["data"] = data };
    }

    (string, JsonNode?)[] Node(string name, params (string Name, JsonNode? Value)[] more)
    {
        (string Name, JsonNode? Value)[] usual =
        [
            ("driver", "x-repository"),
            ("node-name", name),
            ("repository", _scene.Folder["repo"]),
            ("password-file", _scene.Folder["password"]),
            ("host", "vm7"),
            ("disk", "system"),
            ("size", MonitorScene.DiskBytes),
        ];
        return [.. usual.Where(one => !more.Any(two => two.Name == one.Name)), .. more.Where(one => one.Value != null)];
    }

    JsonNode Described(string node) =>
        Client.Run("query-named-block-nodes").AsArray().First(one => (string?)one!["node-name"] == node)!;

    string Restic(params string[] arguments) =>
        Tool.Run(
            "restic",
            ["-r", _scene.Folder["repo"], "--password-file", _scene.Folder["password"], "--no-cache", .. arguments]
        );
}
