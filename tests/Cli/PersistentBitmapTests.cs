// Persistent bitmaps of a disk that is served: there again after any end of the process, with what they had, and what
// cannot be done with them.
using System;
using System.Buffers.Binary;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class PersistentBitmapTests : IDisposable
{
    const long DiskBytes = 20_000_000 / 512 * 512;

    readonly TempFolder _folder = new();

    public PersistentBitmapTests()
    {
        Disks.Sparse(_folder["disk.img"], DiskBytes, (0, 5_000), (6_291_456, 3_000_000), ((int)DiskBytes - 700, 700));
        Run("track", "add", "disk.img").Expect(0);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("KILL")]
    [InlineData("INT")]
    public void Bitmap_IsThereAgain_WithWhatItHad_AndTheNextCopyIsTheDisk(string signal)
    {
        using (RunningProgram server = Serve())
        {
            Copy("t0", "monday.img", Add("monday"));
            Write("3M 100k");
            Write("9M 512");
            Assert.Equal("monday true 196608", Bitmaps());
            End(server, signal);
        }
        using (RunningProgram server = Serve())
        {
            Assert.Equal("monday true 196608", Bitmaps());
            Write("1M 512");
            Assert.Equal("monday true 262144", Bitmaps());
            _ = Ctl("block-dirty-bitmap-add", "node=disk", "name=since");
            _ = Ctl("block-dirty-bitmap-merge", "node=disk", "target=since", "bitmaps=[\"monday\"]");
            File.Copy(_folder["monday.img"], _folder["tuesday.img"]);
            Copy("t1", "tuesday.img", Add("tuesday"), "\"sync\":\"incremental\",\"bitmap\":\"since\"");
            Write("12M 512");
            _ = Ctl("block-dirty-bitmap-remove", "node=disk", "name=monday");
            _ = Ctl("block-dirty-bitmap-remove", "node=disk", "name=since");
            End(server, signal);
        }
        using (RunningProgram server = Serve())
        {
            Assert.Equal("tuesday true 65536", Bitmaps());
            Copy("t2", "tuesday.img", "", "\"sync\":\"bitmap\",\"bitmap\":\"tuesday\",\"bitmap-mode\":\"never\"");
            Assert.Equal("tuesday true 65536", Bitmaps());
            End(server, signal);
        }
        Disks.AssertEqual(_folder["disk.img"], _folder["tuesday.img"]);
    }

    [Fact]
    public void WhatCannotBe_IsRefused_WithTheRule_AndNothingHasHappened()
    {
        using RunningProgram server = Serve();
        string[] add = ["block-dirty-bitmap-add", "node=disk", "name=b", "persistent:=true"];
        Assert.Contains("cannot be disabled", Refused([.. add, "disabled:=true"]));
        Assert.Contains("granularity of its tracker, 65536", Refused([.. add, "granularity:=4096"]));
        Assert.Equal("", Bitmaps());
        _ = Ctl(add);
        Write("3M 512");
        const string rule = "Bitmap 'b' is persistent: it has what changed since it was added";
        Assert.Contains("already", Refused(add));
        Assert.Contains(rule, Refused("block-dirty-bitmap-clear", "node=disk", "name=b"));
        Assert.Contains(rule, Refused("block-dirty-bitmap-disable", "node=disk", "name=b"));
        Assert.Contains(rule, Refused("x-checkpoint-delete", "node=disk", "name=b"));
        Assert.Contains("already", Refused("x-checkpoint-add", "node=disk", "name=b"));
        _ = Ctl("block-dirty-bitmap-add", "node=disk", "name=c");
        Assert.Contains(rule, Refused("block-dirty-bitmap-merge", "node=disk", "target=b", "bitmaps=[\"c\"]"));
        Disks.Sparse(_folder["t.img"], DiskBytes);
        _ = Ctl("blockdev-add", "driver=file", "node-name=t", "filename=" + _folder["t.img"]);
        string backup = Backup("j", "t", "\"sync\":\"incremental\",\"bitmap\":\"b\"");
        Assert.Contains("bitmap-mode never", Refused("transaction", $"actions:=[{backup}]"));
        string abort = ",{\"type\":\"abort\",\"data\":{}}]";
        _ = Refused("transaction", "actions:=[" + Add("d") + abort);
        _ = Ctl("block-dirty-bitmap-enable", "node=disk", "name=b"); // it is
        Assert.Equal("b true 65536, c false 0", Bitmaps());
        _ = Ctl("block-dirty-bitmap-remove", "node=disk", "name=b");
        Assert.Equal("[]", Ctl("x-checkpoint-list", "node=disk").Trim());
        End(server, "INT");
    }

    [Fact]
    public void TrackerThatFails_MakesThemInconsistent()
    {
        byte[] tracker = File.ReadAllBytes(_folder["disk.img.track"]);
        using RunningProgram server = Serve();
        _ = Ctl("transaction", $"actions:=[{Add("b")}]");
        UInt128 id = BinaryPrimitives.ReadUInt128LittleEndian(tracker.AsSpan(48));
        using (FileStream live = new($"/dev/shm/fastbackup-{id:x32}.live", FileMode.Open, FileAccess.Write))
            live.SetLength(4096);
        Assert.DoesNotContain("inconsistent", Ctl("query-named-block-nodes"), StringComparison.Ordinal);
        Write("3M 512"); // the guest goes on
        Assert.Contains("inconsistent", Ctl("query-named-block-nodes"), StringComparison.Ordinal);
        Assert.Equal("b true 65536", Bitmaps());
        _ = Ctl("block-dirty-bitmap-remove", "node=disk", "name=b");
        Assert.Equal("", Bitmaps());
        server.Signal("INT");
        _ = server.Wait();
    }

    [Fact]
    public void DiskWithoutATracker_HasNone()
    {
        File.Delete(_folder["disk.img.track"]);
        using RunningProgram server = Serve(isTracked: false);
        string said = Refused("block-dirty-bitmap-add", "node=disk", "name=b", "persistent:=true");
        Assert.Contains("Can't store persistent bitmaps to disk: Operation not supported", said);
        End(server, "INT");
    }

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
        if (!File.Exists(_folder[file]))
            Disks.Sparse(_folder[file], DiskBytes);
        _ = Ctl("blockdev-add", "driver=file", "node-name=" + target, "filename=" + _folder[file]);
        string actions = more.Length > 0 ? more + "," : "";
        _ = Ctl("transaction", $"actions:=[{actions}{Backup("j", target, sync)}]", "--wait", "j");
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
        File.WriteAllText(_folder["nodes"], Ctl("query-named-block-nodes"));
        return Programs.Run(_folder.Path, "python3", ["-c", show]).Expect(0).Output.TrimEnd('\n');
    }

    static void End(RunningProgram server, string signal)
    {
        server.Signal(signal);
        server.Wait().Expect(signal == "KILL" ? 137 : 0);
    }

    ProgramResult Run(params string[] words) => Programs.Fastbackup(_folder.Path, words);

    string Ctl(params string[] words) => Run(["ctl", "m", .. words]).Expect(0).Output;

    string Refused(params string[] words) => Run(["ctl", "m", .. words]).Expect(1).Error;

    void Write(string place)
    {
        Requires.Command("qemu-io");
        string uri = $"nbd+unix:///disk?socket={_folder["s"]}";
        _ = Programs.Run(_folder.Path, "qemu-io", ["-f", "raw", "-c", $"write -P 7 {place}", uri]).Expect(0);
    }

    RunningProgram Serve(bool isTracked = true)
    {
        File.Delete(_folder["s"]);
        File.Delete(_folder["m"]);
        string[] more = isTracked ? ["--track"] : [];
        RunningProgram server = Programs.StartFastbackup(
            _folder.Path,
            ["serve", "disk.img", "--socket", "s", "--monitor", "m", .. more]
        );
        Eventually.True(() => server.Output.Contains("serving", StringComparison.Ordinal) || server.HasExited);
        return server;
    }
}
