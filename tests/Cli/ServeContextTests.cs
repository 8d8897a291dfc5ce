// What serve tells of a disk's areas, held against what the field's own servers tell: layers of a chain, dirty extents
// of random traces, and what has changed since a checkpoint.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class ServeContextTests : IDisposable
{
    const long DiskBytes = 64L << 20;

    readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AllocationDepth_OfAChain_IsThatOfQemusServer()
    {
        Requires.Command("nbdinfo");
        Requires.Command("qemu-nbd");
        MakeChain();
        using RunningProgram ours = Serve("top.qcow2", "--read-only");
        string[] line = ["-r", "-A", "-f", "qcow2", "-k", _folder["q"], "-x", "disk", "top.qcow2"];
        using RunningProgram theirs = new(_folder.Path, "qemu-nbd", line);
        Eventually.True(() => File.Exists(_folder["q"]));
        string[] map = ["--map=qemu:allocation-depth", "--json"];
        string expected = Tool("nbdinfo", [.. map, $"nbd+unix:///disk?socket={_folder["q"]}"]);
        Assert.Contains("\"type\": 3", expected, StringComparison.Ordinal);
        Assert.Equal(Runs(expected), Runs(Tool("nbdinfo", [.. map, Uri("disk")])));
        ours.Signal("INT");
        ours.Wait().Expect(0);
    }

    [Fact]
    public void DirtyExtents_OfRandomTraces_AreThoseOfQemu()
    {
        const int traceCount = 100;
        Requires.Command("qemu-storage-daemon");
        Requires.Command("/usr/bin/python3");
        Requires.Command("/usr/lib/python3/dist-packages/nbd.py");
        Disks.Sparse(_folder["disk.img"], DiskBytes);
        Disks.Sparse(_folder["theirs.img"], DiskBytes);
        using RunningProgram ours = Serve("disk.img", "--monitor", "m");
        string[] daemon =
        [
            "--chardev",
            "socket,path=qm,server=on,wait=off,id=m",
            "--monitor",
            "chardev=m",
            "--blockdev",
            "driver=file,filename=theirs.img,node-name=disk,discard=unmap",
            "--nbd-server",
            "addr.type=unix,addr.path=q",
            "--export",
            "type=nbd,id=live,node-name=disk,name=disk,writable=on",
        ];
        using RunningProgram theirs = new(_folder.Path, "qemu-storage-daemon", daemon);
        Eventually.True(() => File.Exists(_folder["q"]) && File.Exists(_folder["qm"]));
        string said = Tool(
            "/usr/bin/python3", // for which the distribution has libnbd
            [
                Repository.PathOf("tests/Cli/Command/dirty_extents.py"),
                $"{traceCount}",
                "12",
                .. (string[])["m", "disk", Uri("disk")],
                .. (string[])["qm", "disk", $"nbd+unix:///disk?socket={_folder["q"]}"],
            ]
        );
        Assert.InRange(int.Parse(said, CultureInfo.InvariantCulture), traceCount * 9 / 10, traceCount);
        ours.Signal("INT");
        ours.Wait().Expect(0);
    }

    [Fact]
    public void Checkpoint_IsADirtyBitmapOfWhatHasChangedSince()
    {
        Requires.Command("nbdinfo");
        using ServedDisk disk = new(path => Disks.Random(path, (int)DiskBytes / 4));
        disk.Run("backup", "disk.img", "copy.img", "--tracker", "disk.img.track", "--checkpoint", "monday").Expect(0);
        string uri = $"nbd+unix:///disk?socket={disk["s"]}";
        using RunningProgram server = disk.Serve();
        disk.Write("3M 100k");
        _ = disk.Ctl("x-checkpoint-add", "node=disk", "name=tuesday");
        disk.Write("9M 512");
        string facts = Programs.Run(disk.Folder, "nbdinfo", uri).Expect(0).Output;
        Assert.Contains("qemu:dirty-bitmap:checkpoint:monday", facts, StringComparison.Ordinal);
        Assert.Equal([(3 << 20, 128 << 10), (9 << 20, 64 << 10)], Dirty(disk, uri, "monday"));
        Assert.Equal([(9 << 20, 64 << 10)], Dirty(disk, uri, "tuesday"));
        disk.Run("backup", uri, "copy.img", "--bitmap", "checkpoint:monday").Expect(0);
        Assert.Contains(
            "has no dirty bitmap 'checkpoint:sunday': it offers 'checkpoint:monday', 'checkpoint:tuesday'",
            disk.Run("backup", uri, "copy.img", "--bitmap", "checkpoint:sunday").Expect(1).Error,
            StringComparison.Ordinal
        );
        ServedDisk.End(server, "INT");
        Disks.AssertEqual(disk["disk.img"], disk["copy.img"]);
    }

    /// <summary>Three layers, each with something of its own over some of the one below.</summary>
    void MakeChain()
    {
        Requires.Command("qemu-img");
        Requires.Command("qemu-io");
        string? below = null;
        foreach (
            (string name, string write) in ((string, string)[])[("base", "0 8M"), ("mid", "4M 8M"), ("top", "7M 2M")]
        )
        {
            string[] backing = below == null ? [] : ["-b", below, "-F", "qcow2"];
            _ = Tool("qemu-img", ["create", "-q", "-f", "qcow2", .. backing, $"{name}.qcow2", $"{DiskBytes}"]);
            _ = Tool("qemu-io", ["-f", "qcow2", "-c", $"write -P 7 {write}", $"{name}.qcow2"]);
            below = $"{name}.qcow2";
        }
    }

    /// <summary>Runs of a map of nbdinfo, neighbours of one kind joined.</summary>
    static List<(long Offset, long Length, long Kind)> Runs(string json)
    {
        List<(long Offset, long Length, long Kind)> runs = [];
        using JsonDocument map = JsonDocument.Parse(json);
        foreach (JsonElement one in map.RootElement.EnumerateArray())
        {
            long length = one.GetProperty("length").GetInt64();
            long kind = one.GetProperty("type").GetInt64();
            if (runs.Count > 0 && runs[^1].Kind == kind)
                runs[^1] = runs[^1] with { Length = runs[^1].Length + length };
            else
                runs.Add((one.GetProperty("offset").GetInt64(), length, kind));
        }
        return runs;
    }

    static (int Offset, int Length)[] Dirty(ServedDisk disk, string uri, string checkpoint)
    {
        string map = $"--map=qemu:dirty-bitmap:checkpoint:{checkpoint}";
        string json = Programs.Run(disk.Folder, "nbdinfo", map, "--json", uri).Expect(0).Output;
        return [.. Runs(json).Where(run => run.Kind == 1).Select(run => ((int)run.Offset, (int)run.Length))];
    }

    RunningProgram Serve(string disk, params string[] more)
    {
        string[] line = ["serve", $"disk={disk}", "--socket", "s", .. more];
        RunningProgram server = Programs.StartFastbackup(_folder.Path, line);
        Eventually.True(() => server.Output.Contains("serving", StringComparison.Ordinal) || server.HasExited);
        return server;
    }

    string Uri(string export) => $"nbd+unix:///{export}?socket={_folder["s"]}";

    string Tool(string name, params string[] line) => Programs.Run(_folder.Path, name, line).Expect(0).Output;
}
