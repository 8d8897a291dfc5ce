// Backups into a repository, judged by stock restic, and its own restored by us.
using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class RepositoryTests : IDisposable
{
    const int Mebi = 1 << 20;

    readonly RepositoryFolder _repo = new(isInMemory: false);

    public void Dispose() => _repo.Dispose();

    [Fact]
    public void FullBackup_IsWhatResticReads()
    {
        Disks.Sparse(_repo["disk.img"], 20 * Mebi + 777, (0, 3 * Mebi), (9 * Mebi + 13, 2 * Mebi), (20 * Mebi, 777));
        _repo.Fastbackup("repo init REPO").Expect(0);
        JsonElement done = _repo
            .Fastbackup("backup disk.img --repo REPO --host vm --disk web --tag nightly --json")
            .Expect(0)
            .Events()[^1];
        Assert.Equal("full", done.Text("mode"));
        Assert.Equal((ulong)(20 * Mebi + 777), done.Number("bytes"));
        _repo.Check();
        Assert.Contains("nightly", _repo.Restic("snapshots").Expect(0).Output);
        _repo.Restic("restore latest --target out").Expect(0);
        Disks.AssertEqual(_repo["disk.img"], _repo["out/vm/web/disk.img"]);
        _repo.AssertRestores("latest", "disk.img");
        _repo.Fastbackup("repo restore REPO new.img").Expect(0);
        Assert.InRange(Disks.AllocatedBytes(_repo["new.img"]), 5 * Mebi, 9 * Mebi); // holes stay holes, per chunk
        _repo.Fastbackup("repo verify REPO --read-data").Expect(0);
        Assert.Empty(_repo.Files("locks"));
        Assert.Empty(_repo.Files("tmp"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4097)]
    [InlineData(Mebi)]
    [InlineData(3 * Mebi - 1)]
    public void DiskOfAnySize_ComesBackExactly(int sizeBytes)
    {
        Disks.Random(_repo["disk.img"], sizeBytes);
        _repo.Init();
        _repo.Fastbackup("backup disk.img --repo REPO --chunk 256KiB").Expect(0);
        _repo.AssertRestores("latest", "disk.img");
        _repo.Fastbackup("repo verify REPO --against disk.img").Expect(0);
    }

    [Fact]
    public void WhatResticHasStored_IsRestoredByUs()
    {
        Disks.Sparse(_repo["disk.img"], 9 * Mebi + 5, (Mebi, 5 * Mebi));
        Directory.CreateDirectory(_repo["dir/deep"]);
        Disks.Random(_repo["dir/deep/other.img"], 2 * Mebi + 1, seed: 3);
        _repo.Restic("init --repository-version 2").Expect(0);
        _repo.Restic("backup disk.img").Expect(0);
        _repo.Restic("backup dir").Expect(0);
        string[] points = _repo.Points();
        _repo.AssertRestores(points[0], "disk.img");
        _repo.AssertRestores(points[1], "dir/deep/other.img", "deep/other.img");
        // And the other way round: into restic's repository.
        _repo.Fastbackup("backup disk.img --repo REPO").Expect(0);
        _repo.Check();
        _repo.AssertRestores(_repo.Points()[2], "disk.img");
    }

    [Fact]
    public void Keys_OpenTheSame_AsRestics()
    {
        Disks.Random(_repo["disk.img"], Mebi);
        _repo.Init();
        _repo.Fastbackup("backup disk.img --repo REPO").Expect(0);
        File.WriteAllText(_repo["second"], "another one\n");
        File.SetUnixFileMode(_repo["second"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _repo.Fastbackup("repo add-key REPO --new-password-file second").Expect(0);
        _repo.Fastbackup("repo list REPO --password-file second").Expect(0);
        _repo.Restic("--password-file second snapshots").Expect(0);
        JsonElement[] keys =
        [
            .. _repo.Fastbackup("repo keys REPO --json").Expect(0).Events()[^1].GetProperty("keys").EnumerateArray(),
        ];
        string mine = keys.Single(key => key.GetProperty("is_current").GetBoolean()).Text("id")!;
        string other = keys.Single(key => !key.GetProperty("is_current").GetBoolean()).Text("id")!;
        _repo.Fastbackup("repo", "remove-key", "REPO", mine[..12]).Expect(1).ExpectSentence("by another one");
        _repo.Fastbackup("repo", "remove-key", "REPO", other[..12]).Expect(0);
        _repo.Fastbackup("repo list REPO --password-file second").Expect(1).ExpectSentence("opens none");
        _repo.Fastbackup("repo list REPO").Expect(0);
    }

    [Fact]
    public void Onto_WritesOnlyWhatDiffers()
    {
        Disks.Random(_repo["disk.img"], 6 * Mebi);
        _repo.Init();
        _repo.Fastbackup("backup disk.img --repo REPO --chunk 1MiB").Expect(0);
        Disks.Copy(_repo["disk.img"], _repo["other.img"]);
        TrackedImage.Touch(_repo["other.img"], 2 * Mebi + 5, 0xff);
        _repo
            .Fastbackup("repo verify REPO --against other.img")
            .Expect(1)
            .ExpectSentence($"differ first in the chunk at offset {2 * Mebi}");
        JsonElement done = _repo.Fastbackup("repo restore REPO other.img --onto --json").Expect(0).Events()[^1];
        Assert.Equal((ulong)Mebi, done.Number("written_bytes"));
        Disks.AssertEqual(_repo["disk.img"], _repo["other.img"]);
    }

    [Fact]
    public void Forget_KeepsWhatTheRulesSay()
    {
        Disks.Random(_repo["disk.img"], Mebi);
        _repo.Init();
        for (int i = 0; i < 3; i++)
        {
            TrackedImage.Touch(_repo["disk.img"], i, (byte)i);
            _repo.Fastbackup("backup disk.img --repo REPO" + (i == 0 ? " --tag first" : "")).Expect(0);
        }
        string[] points = _repo.Points();
        _repo.Fastbackup("repo forget REPO --keep-last 1 --keep-tag first --dry-run").Expect(0);
        Assert.Equal(points, _repo.Points());
        _repo.Fastbackup("repo forget REPO --keep-last 1 --keep-tag first").Expect(0);
        Assert.Equal([points[0], points[2]], _repo.Points());
        _repo.Fastbackup("repo", "forget", "REPO", points[0][..10]).Expect(0);
        _repo.Restic("prune").Expect(0);
        _repo.Check();
        _repo.AssertRestores("latest", "disk.img");
    }
}
