// Persistent bitmaps of a disk that is served: there again after any end of the process, with what they had, and what
// cannot be done with them.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class PersistentBitmapTests : IDisposable
{
    const long DiskBytes = 20_000_000 / 512 * 512;

    readonly ServedDisk _disk;

    public PersistentBitmapTests()
    {
        _disk = new ServedDisk(path =>
            Disks.Sparse(path, DiskBytes, (0, 5_000), (6_291_456, 3_000_000), ((int)DiskBytes - 700, 700))
        );
    }

    public void Dispose() => _disk.Dispose();

    [Theory]
    [InlineData("KILL")]
    [InlineData("INT")]
    public void Bitmap_IsThereAgain_WithWhatItHad_AndTheNextCopyIsTheDisk(string signal)
    {
        using (RunningProgram server = _disk.Serve())
        {
            Copy("t0", "monday.img", Add("monday"));
            _disk.Write("3M 100k");
            _disk.Write("9M 512");
            Assert.Equal("monday true 196608", Bitmaps());
            ServedDisk.End(server, signal);
        }
        using (RunningProgram server = _disk.Serve())
        {
            Assert.Equal("monday true 196608", Bitmaps());
            _disk.Write("1M 512");
            Assert.Equal("monday true 262144", Bitmaps());
            _ = _disk.Ctl("block-dirty-bitmap-add", "node=disk", "name=since");
            _ = _disk.Ctl("block-dirty-bitmap-merge", "node=disk", "target=since", "bitmaps=[\"monday\"]");
            File.Copy(_disk["monday.img"], _disk["tuesday.img"]);
            Copy("t1", "tuesday.img", Add("tuesday"), "\"sync\":\"incremental\",\"bitmap\":\"since\"");
            _disk.Write("12M 512");
            _ = _disk.Ctl("block-dirty-bitmap-remove", "node=disk", "name=monday");
            _ = _disk.Ctl("block-dirty-bitmap-remove", "node=disk", "name=since");
            ServedDisk.End(server, signal);
        }
        using (RunningProgram server = _disk.Serve())
        {
            Assert.Equal("tuesday true 65536", Bitmaps());
            Copy("t2", "tuesday.img", "", "\"sync\":\"bitmap\",\"bitmap\":\"tuesday\",\"bitmap-mode\":\"never\"");
            Assert.Equal("tuesday true 65536", Bitmaps());
            ServedDisk.End(server, signal);
        }
        Disks.AssertEqual(_disk["disk.img"], _disk["tuesday.img"]);
    }

    [Fact]
    public void WhatCannotBe_IsRefused_WithTheRule_AndNothingHasHappened()
    {
        using RunningProgram server = _disk.Serve();
        string[] add = ["block-dirty-bitmap-add", "node=disk", "name=b", "persistent:=true"];
        Assert.Contains("cannot be disabled", _disk.Refused([.. add, "disabled:=true"]));
        Assert.Contains("granularity of its tracker, 65536", _disk.Refused([.. add, "granularity:=4096"]));
        Assert.Equal("", Bitmaps());
        _ = _disk.Ctl(add);
        _disk.Write("3M 512");
        const string rule = "Bitmap 'b' is persistent: it has what changed since it was added";
        Assert.Contains("already", _disk.Refused(add));
        Assert.Contains(rule, _disk.Refused("block-dirty-bitmap-clear", "node=disk", "name=b"));
        Assert.Contains(rule, _disk.Refused("block-dirty-bitmap-disable", "node=disk", "name=b"));
        Assert.Contains(rule, _disk.Refused("x-checkpoint-delete", "node=disk", "name=b"));
        Assert.Contains("already", _disk.Refused("x-checkpoint-add", "node=disk", "name=b"));
        _ = _disk.Ctl("block-dirty-bitmap-add", "node=disk", "name=c");
        Assert.Contains(rule, _disk.Refused("block-dirty-bitmap-merge", "node=disk", "target=b", "bitmaps=[\"c\"]"));
        Disks.Sparse(_disk["t.img"], DiskBytes);
        _ = _disk.Ctl("blockdev-add", "driver=file", "node-name=t", "filename=" + _disk["t.img"]);
        string backup = Backup("j", "t", "\"sync\":\"incremental\",\"bitmap\":\"b\"");
        Assert.Contains("bitmap-mode never", _disk.Refused("transaction", $"actions:=[{backup}]"));
        string abort = ",{\"type\":\"abort\",\"data\":{}}]";
        _ = _disk.Refused("transaction", "actions:=[" + Add("d") + abort);
        _ = _disk.Ctl("block-dirty-bitmap-enable", "node=disk", "name=b"); // it is
        Assert.Equal("b true 65536, c false 0", Bitmaps());
        _ = _disk.Ctl("block-dirty-bitmap-remove", "node=disk", "name=b");
        Assert.Equal("[]", _disk.Ctl("x-checkpoint-list", "node=disk").Trim());
        ServedDisk.End(server, "INT");
    }

    /// <summary>Two of them, a checkpoint, changes of others and a copy, in one transaction.</summary>
    [Theory]
    [InlineData("KILL")]
    [InlineData("INT")]
    public void SeveralOfOneDisk_AreOfOneInstant_WithAllElseOfTheirTransaction(string signal)
    {
        using (RunningProgram server = _disk.Serve())
        {
            _ = _disk.Ctl("block-dirty-bitmap-add", "node=disk", "name=old");
            _ = _disk.Ctl("block-dirty-bitmap-add", "node=disk", "name=all");
            _disk.Write("3M 100k");
            string more = string.Join(
                ',',
                Add("a"),
                Action("x-checkpoint-add", "\"name\":\"point\""),
                Action("block-dirty-bitmap-merge", "\"target\":\"all\",\"bitmaps\":[\"old\"]"),
                Action("block-dirty-bitmap-clear", "\"name\":\"old\""),
                Add("b")
            );
            Copy("t0", "monday.img", more);
            Assert.Equal(0, Programs.Run(_disk.Folder, "cmp", ["disk.img", "monday.img"]).ExitCode);
            _disk.Write("9M 512");
            Assert.Equal("a true 65536, all false 196608, b true 65536, old false 65536", Bitmaps());
            _ = _disk.Ctl("block-dirty-bitmap-add", "node=disk", "name=since", "x-since=point");
            Assert.Contains("since false 65536", Bitmaps(), StringComparison.Ordinal);
            ServedDisk.End(server, signal);
        }
        using (RunningProgram server = _disk.Serve())
        {
            Assert.Equal("a true 65536, b true 65536", Bitmaps());
            _ = _disk.Ctl("block-dirty-bitmap-remove", "node=disk", "name=a");
            _disk.Write("1M 512");
            Assert.Equal("b true 131072", Bitmaps());
            _ = _disk.Ctl("block-dirty-bitmap-add", "node=disk", "name=since", "x-since=point");
            Assert.Contains("since false 131072", Bitmaps(), StringComparison.Ordinal);
            ServedDisk.End(server, signal);
        }
    }

    [Fact]
    public void SeveralOfOneDisk_OfWhichOneCannotBe_AreNone()
    {
        using RunningProgram server = _disk.Serve();
        _ = _disk.Ctl("block-dirty-bitmap-add", "node=disk", "name=a", "persistent:=true");
        string point = Action("x-checkpoint-add", "\"name\":\"d\"");
        string[] wrong =
        [
            $"{Add("d")},{Add("a")}",
            $"{Add("d")},{Add("d")}",
            $"{Add("d")},{point}",
            $"{Add("d")},{Add("")}",
            $"{Add("d")},{Add("e")},{Action("block-dirty-bitmap-clear", "\"name\":\"none\"")}",
            $"{Add("d")},{Add("e")},{Action("block-dirty-bitmap-clear", "\"name\":\"a\"")}",
            $"{point},{Add("e")},{{\"type\":\"abort\",\"data\":{{}}}}",
        ];
        foreach (string actions in wrong)
            _ = _disk.Refused("transaction", $"actions:=[{actions}]");
        Assert.Equal("a true 0", Bitmaps());
        string points = _disk.Ctl("x-checkpoint-list", "node=disk");
        Assert.Contains("\"a\"", points, StringComparison.Ordinal);
        Assert.DoesNotContain("\"d\"", points, StringComparison.Ordinal);
        Assert.DoesNotContain("\"e\"", points, StringComparison.Ordinal);
        _ = _disk.Ctl("transaction", $"actions:=[{Add("d")},{Add("e")}]"); // nothing of all that is in hand
        Assert.Equal("a true 0, d true 0, e true 0", Bitmaps());
        ServedDisk.End(server, "INT");
    }

    [Fact]
    public void TrackerThatFails_MakesThemInconsistent()
    {
        using RunningProgram server = _disk.Serve();
        _ = _disk.Ctl("transaction", $"actions:=[{Add("b")}]");
        using (FileStream live = new(_disk.LivePath, FileMode.Open, FileAccess.Write))
            live.SetLength(4096);
        Assert.DoesNotContain("inconsistent", _disk.Ctl("query-named-block-nodes"), StringComparison.Ordinal);
        _disk.Write("3M 512"); // the guest goes on
        Assert.Contains("inconsistent", _disk.Ctl("query-named-block-nodes"), StringComparison.Ordinal);
        Assert.Equal("b true 65536", Bitmaps());
        _ = _disk.Ctl("block-dirty-bitmap-remove", "node=disk", "name=b");
        Assert.Equal("", Bitmaps());
        server.Signal("INT");
        _ = server.Wait();
    }

    [Fact]
    public void DiskWithoutATracker_HasNone()
    {
        File.Delete(_disk["disk.img.track"]);
        using RunningProgram server = _disk.Serve(isTracked: false);
        string said = _disk.Refused("block-dirty-bitmap-add", "node=disk", "name=b", "persistent:=true");
        Assert.Contains("Can't store persistent bitmaps to disk: Operation not supported", said);
        ServedDisk.End(server, "INT");
    }

    static string Action(string type, string more) => $"{{\"type\":\"{type}\",\"data\":{{\"node\":\"disk\",{more}}}}}";

    static string Add(string name) =>
        "{\"type\":\"block-dirty-bitmap-add\",\"data\":{\"node\":\"disk\",\"name\":\""
        + name
        + "\",\"persistent\":true}}";

    static string Backup(string id, string target, string more) =>
        $"{{\"type\":\"blockdev-backup\",\"data\":{{\"job-id\":\"{id}\",\"device\":\"disk\","
        + $"\"target\":\"{target}\",{more}}}}}";

    /// <summary>A copy, with what happens in its instant.</summary>
    void Copy(string target, string file, string more, string sync = "\"sync\":\"full\"")
    {
        if (!File.Exists(_disk[file]))
            Disks.Sparse(_disk[file], DiskBytes);
        _ = _disk.Ctl("blockdev-add", "driver=file", "node-name=" + target, "filename=" + _disk[file]);
        string actions = more.Length > 0 ? more + "," : "";
        _ = _disk.Ctl("transaction", $"actions:=[{actions}{Backup("j", target, sync)}]", "--wait", "j");
    }

    /// <summary>Of each its name, whether it is persistent, and how many bytes it names.</summary>
    string Bitmaps()
    {
        Requires.Command("python3");
        const string show =
            "import json,sys\n"
            + "nodes=json.load(open('nodes'))\n"
            + "print(', '.join(f\"{b['name']} {str(b['persistent']).lower()} {b['count']}\" for n in nodes "
            + "if n['node-name']=='disk' for b in sorted(n.get('dirty-bitmaps',[]),key=lambda b:b['name'])))";
        File.WriteAllText(_disk["nodes"], _disk.Ctl("query-named-block-nodes"));
        return Programs.Run(_disk.Folder, "python3", ["-c", show]).Expect(0).Output.TrimEnd('\n');
    }
}
