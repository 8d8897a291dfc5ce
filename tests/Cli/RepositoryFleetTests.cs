// Several disks of a machine in one point: made at one T0, restored together or one by one, and when one of them fails.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class RepositoryFleetTests : IDisposable
{
    const int Mebi = 1 << 20;

    readonly RepositoryFolder _repo = new();

    public RepositoryFleetTests()
    {
        Disks.Sparse(_repo["system.img"], 6 * Mebi, (0, 4 * Mebi));
        Disks.Random(_repo["data.img"], 3 * Mebi + 5, seed: 2);
        Disks.Random(_repo["swap.img"], Mebi, seed: 3);
        _repo.Init();
    }

    public void Dispose() => _repo.Dispose();

    [Fact]
    public void SeveralDisks_AreOnePoint_ThatComesBackWholeOrInParts()
    {
        JsonElement done = _repo
            .Fastbackup("backup system.img data.img swap.img --repo REPO --host vm --disk a --disk b --disk c --json")
            .Expect(0)
            .Events()[^1];
        Assert.Equal(["a", "b", "c"], done.GetProperty("backups").EnumerateArray().Select(one => one.Text("disk")));
        Assert.Equal((ulong)(10 * Mebi + 5), done.Number("bytes"));
        string point = Assert.Single(_repo.Points());
        _repo.Check();
        Assert.Contains("has 3 disks that could be meant", _repo.Fastbackup("repo restore REPO x").Expect(1).Error);
        _repo.AssertRestores("latest", "data.img", "vm/b");
        _repo.Fastbackup("repo restore REPO out --all").Expect(0);
        Disks.AssertEqual(_repo["system.img"], _repo["out/a"]);
        Disks.AssertEqual(_repo["data.img"], _repo["out/b"]);
        Disks.AssertEqual(_repo["swap.img"], _repo["out/c"]);
        _repo.Fastbackup("repo restore REPO out --all").Expect(1);
        // A point of one of them alone: the last one of that disk, and not of the others.
        TrackedImage.Touch(_repo["data.img"], 5, 1);
        _repo.Fastbackup("backup data.img --repo REPO --host vm --disk b").Expect(0);
        _repo.AssertRestores("latest", "data.img", "b");
        _repo.AssertRestores("latest", "swap.img", "c");
        _repo.Restic("restore latest --target by-restic").Expect(0);
        Disks.AssertEqual(_repo["data.img"], _repo["by-restic/vm/b/disk.img"]);
        Assert.Equal(point, _repo.Points()[0]);
    }

    [Fact]
    public void DiskThatFails_IsLeftOut_AndTold()
    {
        File.Delete(_repo["data.img"]);
        var result = _repo.Fastbackup("backup system.img data.img swap.img --repo REPO --host vm --json").Expect(1);
        JsonElement done = result.Events()[^1];
        Assert.Contains("disk 'data.img' is left out of the point: source: cannot open 'data.img'", result.Error);
        Assert.Equal("failed", done.Text("status"));
        Assert.Equal("disk", done.Text("error"));
        Assert.Equal(
            [("data.img", "failed"), ("system.img", "done"), ("swap.img", "done")],
            done.GetProperty("backups").EnumerateArray().Select(one => (one.Text("disk"), one.Text("status")))
        );
        _repo.AssertRestores("latest", "swap.img", "swap.img");
        _repo.Check();
        File.Delete(_repo["system.img"]);
        File.Delete(_repo["swap.img"]);
        result = _repo.Fastbackup("backup system.img data.img swap.img --repo REPO --host vm").Expect(1);
        Assert.Contains("none of 3 disks could be read; no point was made", result.Error);
        Assert.Single(_repo.Points());
        Assert.Empty(_repo.Files("locks"));
    }

    [Fact]
    public void StockRestic_CopiesAndMountsOurs()
    {
        _repo.Fastbackup("backup system.img data.img --repo REPO --host vm").Expect(0);
        using RepositoryFolder other = new() { Variables = [("RESTIC_FROM_PASSWORD", RepositoryFolder.Password)] };
        other.Init();
        other.Restic($"copy --from-repo {_repo["repo"]}").Expect(0);
        Disks.Copy(_repo["data.img"], other["data.img"]);
        other.AssertRestores("latest", "data.img", "data.img");
        other.Check();
        Requires.Root();
        Requires.Command("fusermount3");
        Directory.CreateDirectory(_repo["mnt"]);
        string[] words = ["--no-cache", "-r", "repo", "mount", "mnt"];
        using RunningProgram mount = new(_repo.Path, "restic", words, ("RESTIC_PASSWORD", RepositoryFolder.Password));
        string file = _repo["mnt/hosts/vm/latest/vm/data.img/disk.img"];
        Eventually.True(() => mount.HasExited || File.Exists(file));
        Disks.AssertEqual(_repo["data.img"], file);
        mount.Signal("INT");
        _ = mount.Wait();
        Assert.Empty(Directory.GetFileSystemEntries(_repo["mnt"]));
    }
}
