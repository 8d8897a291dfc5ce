// Backups that read only what has changed: by the tracker's checkpoints, from the parent point.
using System;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text.Json;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class RepositoryIncrementalTests : IDisposable
{
    const int Mebi = 1 << 20;
    const string Line = "backup disk.img --repo REPO --tracker disk.img.track --json";

    readonly RepositoryFolder _repo = new();

    public void Dispose() => _repo.Dispose();

    [Fact]
    public void WhatHasNotChanged_IsNotRead()
    {
        Make();
        Change(40, 1);
        Change(100, 2);
        JsonElement done = Backup("incremental", null);
        Assert.Equal((ulong)(2 * Mebi), done.Number("read_bytes"));
        Assert.Equal((ulong)(8 * Mebi + 5), done.Number("same_bytes") + done.Number("read_bytes"));
        done = Backup("incremental", null);
        Assert.Equal(0ul, done.Number("read_bytes"));
        _repo.Check();
        _repo.AssertRestores("latest", "disk.img");
    }

    [Fact]
    public void PartsUnmarkedAreTakenFromTheParent_EvenIfTheDiskSaysOtherwise()
    {
        Make();
        // What no tracker knows of is not looked at: the proof that nothing else is read.
        Disks.Copy(_repo["disk.img"], _repo["before.img"]);
        Change(16, 3);
        byte[] bytes = File.ReadAllBytes(_repo["disk.img"]);
        Assert.Equal((ulong)Mebi, Backup("incremental", null).Number("read_bytes"));
        _repo.AssertRestores("latest", "disk.img");
        Assert.Equal(8 * Mebi + 5, bytes.Length);
        _repo.AssertRestores(_repo.Points()[0], "before.img");
    }

    [Fact]
    public void BackupsElsewhere_DisturbNothing()
    {
        Make();
        Change(20, 1);
        // Into a file: moves the tracker's own base, which is not ours.
        _repo.Fastbackup("backup disk.img copy.img --tracker disk.img.track").Expect(0);
        Change(60, 2);
        Assert.Equal((ulong)(2 * Mebi), Backup("incremental", null).Number("read_bytes"));
        _repo.AssertRestores("latest", "disk.img");
    }

    [Fact]
    public void CheckpointThatIsGone_MakesAFullOne()
    {
        Make();
        string name = _repo
            .Fastbackup("checkpoint list disk.img --json")
            .Expect(0)
            .Events()[^1]
            .GetProperty("checkpoints")
            .EnumerateArray()
            .Single()
            .Text("name")!;
        _repo.Fastbackup("checkpoint", "delete", "disk.img", name).Expect(0);
        Backup("full", "checkpoint");
        Change(3, 9);
        Backup("incremental", null);
        _repo.AssertRestores("latest", "disk.img");
    }

    [Fact]
    public void TrackerThatCannotTell_MakesAFullOne()
    {
        Make();
        TrackedImage.Touch(_repo["disk.img"], 5 * Mebi, 0x55); // by nobody who tracks
        Backup("full", "foreign-writes");
        Change(3, 9);
        Backup("incremental", null);
        _repo.AssertRestores("latest", "disk.img");
    }

    [Fact]
    public void ParentThatIsForgotten_LeavesTheOneBefore()
    {
        Make();
        Change(3, 9);
        Backup("incremental", null);
        Change(90, 9);
        _repo.Fastbackup("repo", "forget", "REPO", _repo.Points()[1][..12]).Expect(0);
        // The point before it has a checkpoint that is gone: nobody knows what has changed since.
        Backup("full", "checkpoint");
        _repo.AssertRestores("latest", "disk.img");
    }

    [Fact]
    public void OtherChunkSize_MakesAFullOne_AndStays()
    {
        Make();
        JsonElement done = _repo.Fastbackup(Line + " --chunk 256KiB").Expect(0).Events()[^1];
        Assert.Equal("chunk-size", done.Text("reason"));
        Change(3, 9);
        Assert.Equal(256ul * 1024, Backup("incremental", null).Number("read_bytes"));
        _repo.AssertRestores("latest", "disk.img");
        _repo.Check();
    }

    [Fact]
    public void ChunkOfTheParentThatIsLost_IsReadAgain()
    {
        Make();
        Change(3, 9);
        Backup("incremental", null);
        string content = _repo.Files("data").OrderByDescending(path => new FileInfo(path).Length).First();
        File.Delete(content); // of the first point, from which the second has all but a chunk
        JsonElement done = Backup("incremental", null);
        Assert.Equal((ulong)(7 * Mebi + 5), done.Number("read_bytes"));
        _repo.AssertRestores("latest", "disk.img");
        _repo.AssertRestores(_repo.Points()[1], "disk.img");
    }

    [Fact]
    public void ListsOfTheParentThatAreLost_MakeAFullOne()
    {
        Make();
        foreach (string pack in _repo.Files("data").OrderBy(path => new FileInfo(path).Length).Take(1))
            File.Delete(pack);
        Change(3, 9);
        Backup("full", "parent-damaged");
        _repo.AssertRestores(_repo.Points()[1], "disk.img");
    }

    [Fact]
    public void DiskThatHasGrown_GoesOn()
    {
        Make();
        _repo.Fastbackup($"track grow disk.img {12 * Mebi}").Expect(0);
        JsonElement done = Backup("incremental", null);
        Assert.InRange(done.Number("same_bytes"), 7ul * Mebi, 8ul * Mebi);
        _repo.AssertRestores("latest", "disk.img");
        _repo.Check();
    }

    [Fact]
    public void Trial_SaysWhatWouldBeDone_AndDoesNothing()
    {
        Make();
        Change(40, 1);
        Change(100, 2);
        string[] before = Everything();
        JsonElement[] events = _repo.Fastbackup(Line + " --dry-run").Expect(0).Events();
        JsonElement point = events.Single(one => one.Text("event") == "point");
        Assert.Equal("incremental", point.Text("mode"));
        Assert.Equal(_repo.Points()[0], point.Text("parent"));
        JsonElement plan = point.GetProperty("plan");
        Assert.Equal((ulong)(2 * Mebi), plan.Number("read_bytes"));
        Assert.Equal((ulong)(6 * Mebi + 5), plan.Number("same_bytes"));
        Assert.InRange(plan.Number("stored_bytes_max"), 2ul * Mebi, 2ul * Mebi + 4096);
        Assert.InRange(plan.Number("stored_bytes_likely"), (ulong)Mebi, plan.Number("stored_bytes_max"));
        Assert.True(events[^1].GetProperty("dry_run").GetBoolean());
        Assert.False(events[^1].TryGetProperty("point", out _));
        Assert.Equal(before, Everything());
        // So it is done; and what others make of the same disk is told, too.
        JsonElement done = Backup("incremental", null);
        Assert.Equal(plan.Number("read_bytes"), done.Number("read_bytes"));
        Assert.InRange(done.Number("stored_bytes"), 1ul, plan.Number("stored_bytes_max") + 16 * 1024);
        Trial("backup disk.img --repo REPO", "reading all of it (no-tracker)", "would read 8.0 MiB");
        Trial("backup disk.img --repo REPO --host other", "reading all of it (first)", "0 B in holes");
        TrackedImage.Touch(_repo["disk.img"], 5 * Mebi, 0x55);
        Trial("backup disk.img --repo REPO --tracker disk.img.track", "reading all of it (foreign-writes)");
        _repo.Fastbackup("backup disk.img target.img --dry-run").Expect(2).ExpectSentence("--dry-run goes with --repo");
    }

    void Trial(string line, params string[] words)
    {
        string[] before = Everything();
        string said = _repo.Fastbackup(line + " --dry-run").Expect(0).Output;
        foreach (string word in words)
            Assert.Contains(word, said, StringComparison.Ordinal);
        Assert.EndsWith("nothing was read or stored: this was a trial\n", said, StringComparison.Ordinal);
        Assert.Equal(before, Everything());
    }

    /// <summary>All files, and what is in them.</summary>
    string[] Everything() =>
        [
            .. Directory
                .GetFiles(_repo.Path, "*", SearchOption.AllDirectories)
                .Order(StringComparer.Ordinal)
                .Select(path => path + " " + Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)))),
        ];

    /// <summary>A disk with a tracker, and its first point.</summary>
    void Make()
    {
        Disks.Random(_repo["disk.img"], 8 * Mebi + 5);
        _repo.Init();
        _repo.Fastbackup("track add disk.img").Expect(0);
        JsonElement done = _repo.Fastbackup(Line + " --chunk 1MiB").Expect(0).Events()[^1]; // so are those that follow
        Assert.Equal("first", done.Text("reason"));
    }

    JsonElement Backup(string mode, string? reason)
    {
        JsonElement done = _repo.Fastbackup(Line).Expect(0).Events()[^1];
        Assert.Equal(mode, done.Text("mode"));
        Assert.Equal(reason, done.TryGetProperty("reason", out JsonElement why) ? why.GetString() : null);
        return done;
    }

    /// <summary>A write of which the tracker knows.</summary>
    void Change(int granule, byte value) => TrackedImage.Change(_repo.Path, granule, value);
}
