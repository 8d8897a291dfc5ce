// Checkpoints of a disk that is served: made in the instant of a copy, listed, deleted, and there after a kill.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class LiveCheckpointTests : IDisposable
{
    const long DiskBytes = 20_000_000 / 512 * 512;

    readonly ServedDisk _disk;

    public LiveCheckpointTests()
    {
        _disk = new ServedDisk(path =>
            Disks.Sparse(path, DiskBytes, (0, 5_000), (6_291_456, 3_000_000), ((int)DiskBytes - 700, 700))
        );
        _disk
            .Run("backup", "disk.img", "monday.img", "--tracker", "disk.img.track", "--checkpoint", "monday")
            .Expect(0);
    }

    public void Dispose() => _disk.Dispose();

    [Theory]
    [InlineData("KILL", 137)]
    [InlineData("INT", 0)]
    public void Incremental_OfAServedDisk_AndTheNextOneFromItsCheckpoint(string signal, int exitCode)
    {
        using (RunningProgram server = _disk.Serve())
        {
            _disk.Write("3M 100k");
            Assert.Contains("131072", _disk.Ctl("x-checkpoint-list", "node=disk"));
            _ = _disk.Ctl("block-dirty-bitmap-add", "node=disk", "name=inc", "x-since=monday");
            _disk.Write("9M 512"); // behind the bitmap's beginning, before the instant
            Copy("disk.img", "then.img");
            File.Copy(_disk["monday.img"], _disk["tuesday.img"]);
            _ = _disk.Ctl("blockdev-add", "driver=file", "node-name=t", "filename=" + _disk["tuesday.img"]);
            _ = _disk.Ctl("transaction", "actions=[" + Checkpoint("tuesday") + "," + Backup() + "]", "--wait", "j");
            _disk.Write("1M 512");
            server.Signal(signal);
            server.Wait().Expect(exitCode);
        }
        Disks.AssertEqual(_disk["then.img"], _disk["tuesday.img"]);
        string[] lines = _disk.Run("checkpoint", "list", "disk.img").Expect(0).Output.Split('\n');
        Assert.EndsWith("256.0 KiB changed since", lines[0], StringComparison.Ordinal);
        Assert.StartsWith("tuesday  ", lines[1], StringComparison.Ordinal);
        Assert.EndsWith("64.0 KiB changed since", lines[1], StringComparison.Ordinal);
        _disk.Run("backup", "disk.img", "tuesday.img", "--tracker", "disk.img.track", "--since", "tuesday").Expect(0);
        Disks.AssertEqual(_disk["disk.img"], _disk["tuesday.img"]);
    }

    [Theory]
    [InlineData("KILL", 137)]
    [InlineData("INT", 0)]
    public void DiskThatGrowsWhileServed_KeepsItsPoints(string signal, int exitCode)
    {
        const long grownBytes = 300L << 20;
        string Grown(long more) => $"{(grownBytes + (more - DiskBytes / 65536) * 65536) / 1048576.0:0.0} MiB";
        using (RunningProgram server = _disk.Serve())
        {
            _disk.Write("3M 100k");
            _ = _disk.Ctl("x-checkpoint-add", "node=disk", "name=tuesday");
            _disk.Write("9M 512");
            _ = _disk.Ctl("block_resize", "node-name=disk", $"size={grownBytes}");
            _ = _disk.Ctl("x-checkpoint-add", "node=disk", "name=wednesday");
            _disk.Write("1M 512");
            _disk.Write("290M 512");
            server.Signal(signal);
            server.Wait().Expect(exitCode);
        }
        Assert.Equal(
            [$"monday {Grown(4)}", $"tuesday {Grown(2)}", "wednesday 128.0 KiB"],
            Array.ConvertAll(
                _disk.Run("checkpoint", "list", "disk.img").Expect(0).Output.TrimEnd('\n').Split('\n'),
                line => line.Split(' ')[0] + " " + line.Split("  ")[^1].Replace(" changed since", "")
            )
        );
        _disk.Run("backup", "disk.img", "monday.img", "--tracker", "disk.img.track", "--since", "monday").Expect(0);
        Disks.AssertEqual(_disk["disk.img"], _disk["monday.img"]);
    }

    [Fact]
    public void ManyPoints_AreMadeAndDeleted_WhileAGuestWrites()
    {
        using (RunningProgram server = _disk.Serve())
        {
            for (int i = 0; i < 6; i++)
            {
                _disk.Write($"{i}M 512");
                _ = _disk.Ctl("x-checkpoint-add", "node=disk", $"name=p{i}");
            }
            foreach (int i in (int[])[5, 0, 3])
                _ = _disk.Ctl("x-checkpoint-delete", "node=disk", $"name=p{i}");
            _disk.Write("10M 512");
            server.Signal("KILL");
            _ = server.Wait();
        }
        Assert.Equal(
            ["monday 448.0", "p1 320.0", "p2 256.0", "p4 128.0"],
            Array.ConvertAll(
                _disk.Run("checkpoint", "list", "disk.img").Expect(0).Output.TrimEnd('\n').Split('\n'),
                line => line.Split(' ')[0] + " " + line.Split("  ")[^1].Split(' ')[0]
            )
        );
    }

    [Fact]
    public void WhatCannotBe_IsRefused_AndNothingHasHappened()
    {
        using RunningProgram server = _disk.Serve();
        Assert.Contains(
            "has a checkpoint 'monday' already",
            _disk.Refused("x-checkpoint-add", "node=disk", "name=monday")
        );
        Assert.Contains("has no checkpoint 'x'", _disk.Refused("x-checkpoint-delete", "node=disk", "name=x"));
        Assert.Contains("has 1 to 1023 bytes", _disk.Refused("x-checkpoint-add", "node=disk", "name="));
        Assert.Contains("Cannot find device='other'", _disk.Refused("x-checkpoint-add", "node=other", "name=x"));
        string bitmap = "name=b";
        Assert.Contains("(epoch)", _disk.Refused("block-dirty-bitmap-add", "node=disk", bitmap, "x-since=x"));
        string actions = "actions=[" + Checkpoint("tuesday") + ",{\"type\":\"abort\",\"data\":{}}]";
        _ = _disk.Refused("transaction", actions);
        string list = _disk.Ctl("x-checkpoint-list", "node=disk");
        Assert.Contains("monday", list);
        Assert.DoesNotContain("tuesday", list);
        _ = _disk.Ctl("x-checkpoint-add", "node=disk", "name=tuesday"); // what was given up is not in the way
        server.Signal("INT");
        server.Wait().Expect(0);
    }

    static string Checkpoint(string name) =>
        $"{{\"type\":\"x-checkpoint-add\",\"data\":{{\"node\":\"disk\",\"name\":\"{name}\"}}}}";

    static string Backup() =>
        "{\"type\":\"blockdev-backup\",\"data\":{\"job-id\":\"j\",\"device\":\"disk\",\"target\":\"t\","
        + "\"sync\":\"incremental\",\"bitmap\":\"inc\"}}";

    /// <summary>Of a disk that is locked by whoever serves it.</summary>
    void Copy(string from, string to) => _ = Programs.Run(_disk.Folder, "cp", [from, to]).Expect(0);
}
