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

    readonly TempFolder _folder = new();

    public LiveCheckpointTests()
    {
        Disks.Sparse(_folder["disk.img"], DiskBytes, (0, 5_000), (6_291_456, 3_000_000), ((int)DiskBytes - 700, 700));
        Run("track", "add", "disk.img").Expect(0);
        Run("backup", "disk.img", "monday.img", "--tracker", "disk.img.track", "--checkpoint", "monday").Expect(0);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("KILL", 137)]
    [InlineData("INT", 0)]
    public void Incremental_OfAServedDisk_AndTheNextOneFromItsCheckpoint(string signal, int exitCode)
    {
        using (RunningProgram server = Serve())
        {
            Write("3M 100k");
            Assert.Contains("131072", Ctl("x-checkpoint-list", "node=disk"));
            _ = Ctl("block-dirty-bitmap-add", "node=disk", "name=inc", "x-since=monday");
            Write("9M 512"); // behind the bitmap's beginning, before the instant
            Copy("disk.img", "then.img");
            File.Copy(_folder["monday.img"], _folder["tuesday.img"]);
            _ = Ctl("blockdev-add", "driver=file", "node-name=t", "filename=" + _folder["tuesday.img"]);
            _ = Ctl("transaction", "actions=[" + Checkpoint("tuesday") + "," + Backup() + "]", "--wait", "j");
            Write("1M 512");
            server.Signal(signal);
            server.Wait().Expect(exitCode);
        }
        Disks.AssertEqual(_folder["then.img"], _folder["tuesday.img"]);
        string[] lines = Run("checkpoint", "list", "disk.img").Expect(0).Output.Split('\n');
        Assert.EndsWith("256.0 KiB changed since", lines[0], StringComparison.Ordinal);
        Assert.StartsWith("tuesday  ", lines[1], StringComparison.Ordinal);
        Assert.EndsWith("64.0 KiB changed since", lines[1], StringComparison.Ordinal);
        Run("backup", "disk.img", "tuesday.img", "--tracker", "disk.img.track", "--since", "tuesday").Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["tuesday.img"]);
    }

    [Theory]
    [InlineData("KILL", 137)]
    [InlineData("INT", 0)]
    public void DiskThatGrowsWhileServed_KeepsItsPoints(string signal, int exitCode)
    {
        const long grownBytes = 300L << 20;
        string Grown(long more) => $"{(grownBytes + (more - DiskBytes / 65536) * 65536) / 1048576.0:0.0} MiB";
        using (RunningProgram server = Serve())
        {
            Write("3M 100k");
            _ = Ctl("x-checkpoint-add", "node=disk", "name=tuesday");
            Write("9M 512");
            _ = Ctl("block_resize", "node-name=disk", $"size={grownBytes}");
            _ = Ctl("x-checkpoint-add", "node=disk", "name=wednesday");
            Write("1M 512");
            Write("290M 512");
            server.Signal(signal);
            server.Wait().Expect(exitCode);
        }
        Assert.Equal(
            [$"monday {Grown(4)}", $"tuesday {Grown(2)}", "wednesday 128.0 KiB"],
            Array.ConvertAll(
                Run("checkpoint", "list", "disk.img").Expect(0).Output.TrimEnd('\n').Split('\n'),
                line => line.Split(' ')[0] + " " + line.Split("  ")[^1].Replace(" changed since", "")
            )
        );
        Run("backup", "disk.img", "monday.img", "--tracker", "disk.img.track", "--since", "monday").Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["monday.img"]);
    }

    [Fact]
    public void ManyPoints_AreMadeAndDeleted_WhileAGuestWrites()
    {
        using (RunningProgram server = Serve())
        {
            for (int i = 0; i < 6; i++)
            {
                Write($"{i}M 512");
                _ = Ctl("x-checkpoint-add", "node=disk", $"name=p{i}");
            }
            foreach (int i in (int[])[5, 0, 3])
                _ = Ctl("x-checkpoint-delete", "node=disk", $"name=p{i}");
            Write("10M 512");
            server.Signal("KILL");
            _ = server.Wait();
        }
        Assert.Equal(
            ["monday 448.0", "p1 320.0", "p2 256.0", "p4 128.0"],
            Array.ConvertAll(
                Run("checkpoint", "list", "disk.img").Expect(0).Output.TrimEnd('\n').Split('\n'),
                line => line.Split(' ')[0] + " " + line.Split("  ")[^1].Split(' ')[0]
            )
        );
    }

    [Fact]
    public void WhatCannotBe_IsRefused_AndNothingHasHappened()
    {
        using RunningProgram server = Serve();
        Assert.Contains("has a checkpoint 'monday' already", Refused("x-checkpoint-add", "node=disk", "name=monday"));
        Assert.Contains("has no checkpoint 'x'", Refused("x-checkpoint-delete", "node=disk", "name=x"));
        Assert.Contains("has 1 to 1023 bytes", Refused("x-checkpoint-add", "node=disk", "name="));
        Assert.Contains("Cannot find device='other'", Refused("x-checkpoint-add", "node=other", "name=x"));
        string bitmap = "name=b";
        Assert.Contains("(epoch)", Refused("block-dirty-bitmap-add", "node=disk", bitmap, "x-since=x"));
        string actions = "actions=[" + Checkpoint("tuesday") + ",{\"type\":\"abort\",\"data\":{}}]";
        _ = Refused("transaction", actions);
        string list = Ctl("x-checkpoint-list", "node=disk");
        Assert.Contains("monday", list);
        Assert.DoesNotContain("tuesday", list);
        _ = Ctl("x-checkpoint-add", "node=disk", "name=tuesday"); // what was given up is not in the way
        server.Signal("INT");
        server.Wait().Expect(0);
    }

    static string Checkpoint(string name) =>
        $"{{\"type\":\"x-checkpoint-add\",\"data\":{{\"node\":\"disk\",\"name\":\"{name}\"}}}}";

    static string Backup() =>
        "{\"type\":\"blockdev-backup\",\"data\":{\"job-id\":\"j\",\"device\":\"disk\",\"target\":\"t\","
        + "\"sync\":\"incremental\",\"bitmap\":\"inc\"}}";

    ProgramResult Run(params string[] words) => Programs.Fastbackup(_folder.Path, words);

    string Ctl(params string[] words) => Run(["ctl", "m", .. words]).Expect(0).Output;

    string Refused(params string[] words) => Run(["ctl", "m", .. words]).Expect(1).Error;

    /// <summary>Of a disk that is locked by whoever serves it.</summary>
    void Copy(string from, string to) => _ = Programs.Run(_folder.Path, "cp", [from, to]).Expect(0);

    void Write(string place)
    {
        Requires.Command("qemu-io");
        string uri = $"nbd+unix:///disk?socket={_folder["s"]}";
        _ = Programs.Run(_folder.Path, "qemu-io", ["-f", "raw", "-c", $"write -P 7 {place}", uri]).Expect(0);
    }

    RunningProgram Serve()
    {
        RunningProgram server = Programs.StartFastbackup(
            _folder.Path,
            ["serve", "disk.img", "--socket", "s", "--track", "--monitor", "m"]
        );
        Eventually.True(() => server.Output.Contains("serving", StringComparison.Ordinal) || server.HasExited);
        return server;
    }
}
