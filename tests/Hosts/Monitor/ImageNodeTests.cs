// Images as nodes, over a file that came inside or a node: targets that QEMU reads, and what is refused leaves nothing.
using System;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

public sealed class ImageNodeTests : IDisposable
{
    const string Size = "8M"; // of the scene's disk

    readonly MonitorScene _scene;

    public ImageNodeTests()
    {
        Requires.Command("qemu-img");
        _scene = new MonitorScene();
    }

    public void Dispose() => _scene.Dispose();

    QmpConnection Client => _scene.Client;

    /// <summary>As people keep a chain with QEMU: images made by its tool, each based on the one before.</summary>
    [Fact]
    public void FullAndIncremental_IntoImagesOfQemus()
    {
        MonitorScene scene = _scene;
        string full = Create("full.qcow2", Size);
        _ = Client.Run("block-dirty-bitmap-add", ("node", "vda"), ("name", "b"));
        _ = Client.Run("blockdev-add", Over("t", full, "inner"));
        scene.StartBackup("t", "full", 0);
        Client.WaitForStatus("full", "null");
        _ = Client.Run("blockdev-del", ("node-name", "t"));
        AssertIs(full);
        Assert.Equal(0, scene.Host.AskNumber("write vda 70000 4096 7"));
        Assert.Equal(0, scene.Host.AskNumber("write vda 5000000 100000 9"));
        byte[] expected = scene.Disk();
        string inc = Create("inc.qcow2", "-F", "qcow2", "-b", full);
        _ = Client.Run("blockdev-add", ("driver", "file"), ("node-name", "f"), ("filename", inc));
        _ = Client.Run("blockdev-add", ("driver", "qcow2"), ("node-name", "i"), ("file", "f"));
        Assert.Equal(["f", "i", "vda"], Names());
        _ = Client.Run(
            "blockdev-backup",
            ("job-id", "inc"),
            ("device", "vda"),
            ("target", "i"),
            ("sync", "incremental"),
            ("bitmap", "b")
        );
        Client.WaitForStatus("inc", "null");
        Assert.Equal("Block device f is in use", Client.Refused("blockdev-del", ("node-name", "f")));
        _ = Client.Run("blockdev-del", ("node-name", "i"));
        _ = Client.Run("blockdev-del", ("node-name", "f"));
        AssertIs(inc);
        Assert.Equal(expected, scene.Disk());
        Assert.NotEqual(
            0,
            ToolRun.Of("qemu-img", ["compare", "-q", "-F", "raw", full, scene.Folder["vda.img"]]).ExitCode
        );
        scene.Quit();
    }

    /// <summary>Packed, based on each other, and no image before the job has ended.</summary>
    [Fact]
    public void NewImages_AreMadeWithTheirFiles()
    {
        MonitorScene scene = _scene;
        (string full, string inc) = (scene.Folder["full.qcow2"], scene.Folder["inc.qcow2"]);
        _ = Client.Run("block-dirty-bitmap-add", ("node", "vda"), ("name", "b"));
        JsonObject making = new() { ["size"] = MonitorScene.DiskBytes, ["compress"] = "zstd" };
        _ = Client.Run("blockdev-add", [.. Over("t", full, "inner"), ("x-new", making)]);
        Assert.Equal(new byte[512], File.ReadAllBytes(full)[..512]);
        scene.StartBackup("t", "full", 0);
        Client.WaitForStatus("full", "null");
        AssertIs(full);
        Assert.InRange(new FileInfo(full).Length, MonitorScene.DiskBytes, MonitorScene.DiskBytes + (10 * 65536));
        _ = Client.Run("blockdev-del", ("node-name", "t"));
        Assert.Equal(0, scene.Host.AskNumber("write vda 5000000 100000 9"));
        making = new()
        {
            ["size"] = MonitorScene.DiskBytes,
            ["backing"] = full,
            ["backing-format"] = "qcow2",
        };
        _ = Client.Run("blockdev-add", [.. Over("i", inc, "inner"), ("x-new", making)]);
        _ = Client.Run(
            "blockdev-backup",
            ("job-id", "inc"),
            ("device", "vda"),
            ("target", "i"),
            ("sync", "incremental"),
            ("bitmap", "b")
        );
        Client.WaitForStatus("inc", "null");
        _ = Client.Run("blockdev-del", ("node-name", "i"));
        AssertIs(inc);
        Assert.InRange(new FileInfo(inc).Length, 0, 12 * 65536);
        string there = Client.Refused("blockdev-add", [.. Over("n", inc, "inner"), ("x-new", making.DeepClone())]);
        Assert.Contains("exists", there);
        making = new() { ["size"] = MonitorScene.DiskBytes, ["preallocation"] = "full" };
        string places = Client.Refused("blockdev-add", [.. Over("n", scene.Folder["new"], "inner"), ("x-new", making)]);
        Assert.Contains("does not accept value 'full'", places);
        making = new()
        {
            ["size"] = 65536,
            ["preallocation"] = "metadata",
            ["compress"] = "zstd",
        };
        string both = Client.Refused("blockdev-add", [.. Over("n", scene.Folder["new"], "inner"), ("x-new", making)]);
        Assert.Contains("neither packed nor based on another", both);
        making = new() { ["size"] = 4096, ["backing"] = full };
        string other = Client.Refused("blockdev-add", [.. Over("n", scene.Folder["new"], "inner"), ("x-new", making)]);
        Assert.Contains("it is no copy of it", other);
        Assert.False(File.Exists(scene.Folder["new"]));
        scene.Quit();
    }

    [Fact]
    public void ANewImage_HasAPlaceForEachCluster()
    {
        MonitorScene scene = _scene;
        string path = scene.Folder["places.qcow2"];
        JsonObject making = new() { ["size"] = MonitorScene.DiskBytes, ["preallocation"] = "metadata" };
        _ = Client.Run("blockdev-add", [.. Over("t", path, "inner"), ("x-new", making)]);
        scene.StartBackup("t", "full", 0);
        Client.WaitForStatus("full", "null");
        _ = Client.Run("blockdev-del", ("node-name", "t"));
        AssertIs(path);
        ToolRun map = ToolRun.Of("qemu-img", ["map", "--output", "json", path]);
        Assert.All(
            JsonNode.Parse(map.Output)!.AsArray(),
            extent => Assert.Equal(65536 + (long)extent!["start"]!, (long)extent["offset"]!)
        );
        scene.Quit();
    }

    [Fact]
    public void AnImage_IsASource_AndWhatItLiesOnIsNobodyElses()
    {
        MonitorScene scene = _scene;
        string disk = scene.Folder["vda.img"];
        string image = scene.Folder["x.qcow2"];
        Tool.Run("qemu-img", "convert", "-U", "-c", "-f", "raw", "-O", "qcow2", disk, image);
        string target = scene.AddTarget("t");
        _ = Client.Run("blockdev-add", [.. Over("i", image, "inner"), ("read-only", true)]);
        _ = Client.Run("blockdev-backup", ("job-id", "j"), ("device", "i"), ("target", "t"), ("sync", "full"));
        Client.WaitForStatus("j", "null");
        MonitorScene.AssertSame(scene.Disk(), target);
        Assert.Contains("read-only", Backup("i"));
        _ = Client.Run("blockdev-add", ("driver", "raw"), ("node-name", "r"), ("file", "inner"));
        Assert.NotEqual("", Backup("r")); // it holds an image that is open
        Assert.Contains("is busy", Client.Refused("blockdev-add", Over("k", "inner")));
        _ = Client.Run("blockdev-del", ("node-name", "r"));
        _ = Client.Run("blockdev-del", ("node-name", "i"));
        Assert.Equal(["t", "vda"], Names());
        scene.Quit();
    }

    [Fact]
    public void WhatIsRefused_LeavesNothing()
    {
        MonitorScene scene = _scene;
        string image = Create("x.qcow2", Size);
        string raw = scene.AddHole("x.img");
        Assert.Equal(
            "Duplicate nodes with node-name='same'",
            Client.Refused("blockdev-add", Over("same", image, "same"))
        );
        Assert.Contains("qcow2", Client.Refused("blockdev-add", Over("i", raw, "inner")));
        Assert.Contains("No such file", Client.Refused("blockdev-add", Over("i", image + "x", "inner")));
        Assert.Contains("node-name='nobody'", Client.Refused("blockdev-add", Over("i", "nobody")));
        JsonObject inside = new()
        {
            ["driver"] = "qcow2",
            ["file"] = new JsonObject { ["driver"] = "file", ["filename"] = image },
        };
        Assert.Equal(
            "an image inside of an image is not supported",
            Client.Refused("blockdev-add", ("driver", "qcow2"), ("node-name", "i"), ("file", inside))
        );
        _ = Client.Run("blockdev-add", ("driver", "file"), ("node-name", "f"), ("filename", raw));
        Assert.Contains("qcow2", Client.Refused("blockdev-add", Over("i", "f")));
        scene.StartBackup("f", "j", 0); // and it is free again
        Client.WaitForStatus("j", "null");
        _ = Client.Run("blockdev-del", ("node-name", "f"));
        _ = Client.Run("blockdev-add", Over("i", image, "inner")); // so is this
        scene.StartBackup("i", "j", 0);
        Client.WaitForStatus("j", "null");
        scene.Quit(); // with an image that is open
        AssertIs(image);
    }

    string Create(string name, params string[] more)
    {
        string[] based = more.Length > 1 ? more : [];
        string[] size = more.Length > 1 ? [] : more;
        Tool.Run("qemu-img", ["create", "-q", "-f", "qcow2", .. based, _scene.Folder[name], .. size]);
        return _scene.Folder[name];
    }

    void AssertIs(string image)
    {
        Tool.Run("qemu-img", "check", "-U", "-q", image);
        Tool.Run("qemu-img", "compare", "-U", "-q", "-f", "qcow2", "-F", "raw", image, _scene.Folder["vda.img"]);
    }

    string Backup(string target) =>
        Client.Refused("blockdev-backup", ("job-id", "x"), ("device", "vda"), ("target", target), ("sync", "full"));

    string[] Names() =>
        [
            .. Client
                .Run("query-named-block-nodes")
                .AsArray()
                .Select(node => (string)node!["node-name"]!)
                .Order(StringComparer.Ordinal),
        ];

    static (string Name, JsonNode? Value)[] Over(string name, string node) =>
        [("driver", "qcow2"), ("node-name", name), ("file", node)];

    static (string Name, JsonNode? Value)[] Over(string name, string file, string inside) =>
        [
            ("driver", "qcow2"),
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
}
