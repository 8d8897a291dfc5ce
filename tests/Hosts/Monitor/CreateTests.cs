// blockdev-create: files and images made by the monitor alone, as management programs do it, which QEMU's tools then
// find right; the life of its job; and that nothing that was there is harmed.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using FastBackup.Tests.Processes;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

public sealed class CreateTests : IDisposable
{
    readonly MonitorScene _scene;

    public CreateTests()
    {
        Requires.Command("qemu-img");
        _scene = new MonitorScene();
    }

    public void Dispose() => _scene.Dispose();

    QmpConnection Client => _scene.Client;

    [Theory]
    [InlineData("")]
    [InlineData("cluster-size=4096,refcount-bits=8,preallocation=metadata")]
    [InlineData("cluster-size=32768,extended-l2=true,compression-type=zstd,lazy-refcounts=true")]
    [InlineData("version=v2")]
    public void AFileAndAnImageInIt_BecomeABackup(string options)
    {
        string path = _scene.Folder["t.qcow2"];
        Create("j1", File(path, 0));
        _ = Client.Run("blockdev-add", ("driver", "file"), ("node-name", "f"), ("filename", path));
        Create("j2", Image("f", options));
        _ = Client.Run("blockdev-add", ("driver", "qcow2"), ("node-name", "t"), ("file", "f"));
        _scene.StartBackup("t", "b", 0);
        Client.WaitForStatus("b", "null");
        _ = Client.Run("blockdev-del", ("node-name", "t"));
        _ = Client.Run("blockdev-del", ("node-name", "f"));
        Tool.Run("qemu-img", "check", "-q", path);
        Tool.Run("qemu-img", "compare", "-U", "-q", "-f", "qcow2", "-F", "raw", path, _scene.Folder["vda.img"]);
        _scene.Quit();
    }

    [Fact]
    public void AChain_IsMadeAndFilled()
    {
        (string full, string inc) = (_scene.Folder["full.qcow2"], _scene.Folder["inc.qcow2"]);
        _ = Client.Run("block-dirty-bitmap-add", ("node", "vda"), ("name", "b"));
        Fill("full", full, "", ("sync", "full"));
        Assert.Equal(0, _scene.Host.AskNumber("write vda 5000000 100000 9"));
        Fill("inc", inc, "backing-file=full.qcow2,backing-fmt=qcow2", ("sync", "incremental"), ("bitmap", "b"));
        foreach (string path in (string[])[full, inc])
            Tool.Run("qemu-img", "check", "-q", path);
        Tool.Run("qemu-img", "compare", "-U", "-q", "-f", "qcow2", "-F", "raw", inc, _scene.Folder["vda.img"]);
        Assert.InRange(new FileInfo(inc).Length, 1, 20 << 20);
        _scene.Quit();
    }

    [Fact]
    public void ADataFile_HoldsTheDisk()
    {
        (string path, string data) = (_scene.Folder["d.qcow2"], _scene.Folder["d.raw"]);
        foreach ((string node, string file) in ((string, string)[])[("f", path), ("d", data)])
        {
            Create("make-" + node, File(file, 0));
            _ = Client.Run("blockdev-add", ("driver", "file"), ("node-name", node), ("filename", file));
        }
        Create("j", Image("f", "data-file=d,data-file-raw=true"));
        _ = Client.Run("blockdev-del", ("node-name", "f"));
        _ = Client.Run("blockdev-del", ("node-name", "d"));
        Tool.Run("qemu-img", "check", "-q", path);
        Assert.Equal(MonitorScene.DiskBytes, new FileInfo(data).Length);
        Tool.Run("qemu-io", "-c", "write -P 5 1M 64k", path);
        Assert.Equal(5, System.IO.File.ReadAllBytes(data)[1 << 20]);
        _scene.Quit();
    }

    [Fact]
    public void TheJob_IsOneOfAll_UntilItIsDismissed()
    {
        string path = _scene.Folder["x"];
        _ = Client.Run("blockdev-create", ("job-id", "made"), ("options", File(path, 4096)));
        List<string> seen = [];
        while (!seen.Contains("concluded"))
            seen.Add(NextStatus());
        JsonNode job = Assert.Single(Client.Run("query-jobs").AsArray())!;
        Assert.Equal(
            ("made", "create", "concluded"),
            ((string)job["id"]!, (string)job["type"]!, (string)job["status"]!)
        );
        Assert.Null(job["error"]);
        Assert.Empty(Client.Run("query-block-jobs").AsArray());
        Assert.Equal("Job ID 'made' already in use", Refused("made", File(path + "2", 1)));
        Assert.Equal(
            "Job 'made' in state 'concluded' cannot accept command verb 'cancel'",
            Client.Refused("job-cancel", ("id", "made"))
        );
        _ = Client.Run("job-dismiss", ("id", "made"));
        Assert.Equal("Job not found", Client.Refused("job-dismiss", ("id", "made")));
        seen.Add(NextStatus());
        Assert.Equal(["created", "running", "waiting", "pending", "concluded", "null"], seen);
        _scene.Quit();

        string NextStatus() => (string)Client.WaitForEvent("JOB_STATUS_CHANGE", "made")["data"]!["status"]!;
    }

    [Fact]
    public void WhatIsThere_IsNotHarmed()
    {
        string path = _scene.AddHole("there");
        _ = Client.Run("blockdev-create", ("job-id", "j"), ("options", File(path, 0)));
        Client.WaitForStatus("j", "concluded");
        JsonNode job = Assert.Single(Client.Run("query-jobs").AsArray())!;
        Assert.Equal($"Could not create '{path}': file exists (EEXIST)", (string?)job["error"]);
        Assert.Equal(MonitorScene.DiskBytes, new FileInfo(path).Length);
        _ = Client.Run("blockdev-add", ("driver", "file"), ("node-name", "f"), ("filename", path));
        Assert.Contains("comes into a file that has none", Refused("k", Image("f", "")));
        Assert.Contains("node-name='nobody'", Refused("k", Image("nobody", "")));
        Assert.Contains("Invalid job ID", Refused("1", File(path, 0)));
        _ = Client.Run("blockdev-del", ("node-name", "f"));
        _scene.Quit();
    }

    void Fill(string name, string path, string options, params (string Name, JsonNode? Value)[] backup)
    {
        Create("file-" + name, File(path, 0));
        _ = Client.Run("blockdev-add", ("driver", "file"), ("node-name", "f"), ("filename", path));
        Create("image-" + name, Image("f", options));
        _ = Client.Run("blockdev-add", ("driver", "qcow2"), ("node-name", "t"), ("file", "f"));
        _ = Client.Run("blockdev-backup", [("job-id", name), ("device", "vda"), ("target", "t"), .. backup]);
        Client.WaitForStatus(name, "null");
        _ = Client.Run("blockdev-del", ("node-name", "t"));
        _ = Client.Run("blockdev-del", ("node-name", "f"));
    }

    void Create(string id, JsonObject options)
    {
        _ = Client.Run("blockdev-create", ("job-id", id), ("options", options));
        Client.WaitForStatus(id, "concluded");
        JsonNode job = Client.Run("query-jobs").AsArray().Single(one => (string?)one!["id"] == id)!;
        Assert.Null((string?)job["error"]);
        _ = Client.Run("job-dismiss", ("id", id));
    }

    string Refused(string id, JsonObject options) =>
        Client.Refused("blockdev-create", ("job-id", id), ("options", options));

    static JsonObject File(string path, long size) =>
        new()
        {
            ["driver"] = "file",
            ["filename"] = path,
            ["size"] = size,
        };

    /// <param name="node">That it comes into.</param>
    /// <param name="more">Further options: names and values.</param>
    static JsonObject Image(string node, string more)
    {
        JsonObject options = new()
        {
            ["driver"] = "qcow2",
            ["file"] = node,
            ["size"] = MonitorScene.DiskBytes,
        };
        foreach (string one in more.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = one.Split('=');
            options[parts[0]] =
                long.TryParse(parts[1], out long number) ? number
                : bool.TryParse(parts[1], out bool isSo) ? isSo
                : parts[1];
        }
        return options;
    }
}
