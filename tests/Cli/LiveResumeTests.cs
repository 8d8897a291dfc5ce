// Copies of a disk that is served, interrupted by a kill: what is left is copied, and what was written to since; the
// result is the disk at the instant of the second job.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class LiveResumeTests : IDisposable
{
    const long DiskBytes = 40L << 20;

    readonly ServedDisk _disk;

    public LiveResumeTests()
    {
        _disk = new ServedDisk(path => Disks.Random(path, DiskBytes));
    }

    public void Dispose() => _disk.Dispose();

    [Fact]
    public void CopyThatWasKilled_GoesOn_AndIsTheDiskOfTheSecondInstant()
    {
        Disks.Sparse(_disk["t.img"], DiskBytes);
        using (RunningProgram server = _disk.Serve())
        {
            AddTarget();
            _ = _disk.Ctl("x-checkpoint-add", "node=disk", "name=start");
            _ = _disk.Ctl([.. Backup("full"), "speed:=4194304"]);
            Eventually.True(IsRecorded);
            _disk.Write("2M 512"); // is copied by then, or not
            _disk.Write("38M 512"); // is not
            server.Signal("KILL");
            server.Wait().Expect(137);
        }
        Assert.False(AreEqual());
        using (RunningProgram server = _disk.Serve())
        {
            _disk.Write("5M 512");
            AddTarget();
            Unfinished("rest");
            string rest = _disk.Ctl("query-named-block-nodes");
            _ = _disk.Ctl([.. Backup("bitmap"), "bitmap=rest", "bitmap-mode=never", "--wait", "j"]);
            Assert.DoesNotContain($"\"count\": {DiskBytes}", rest, StringComparison.Ordinal); // not all of it
            Assert.True(AreEqual());
            Assert.False(File.Exists(_disk["record"]));
            server.Signal("INT");
            server.Wait().Expect(0);
        }
    }

    [Fact]
    public void WhatIsNoRecordOfThisCopy_IsRefused()
    {
        Disks.Sparse(_disk["t.img"], DiskBytes);
        Disks.Sparse(_disk["u.img"], DiskBytes);
        using RunningProgram server = _disk.Serve();
        AddTarget();
        _ = _disk.Ctl("blockdev-add", "driver=file", "node-name=u", "filename=" + _disk["u.img"]);
        Assert.Contains("no checkpoint 'start' (epoch)", _disk.Refused(Backup("full")));
        _ = _disk.Ctl("x-checkpoint-add", "node=disk", "name=start");
        File.WriteAllText(_disk["record"], "letters");
        Assert.Contains("is no whole record of a copy", _disk.Refused(Backup("full")));
        Assert.Contains("is no whole record of a copy", RefusedBitmap("t"));
        Assert.Equal("letters", File.ReadAllText(_disk["record"]));
        File.Delete(_disk["record"]);
        Assert.Contains("cannot open record", RefusedBitmap("t"));
        Assert.Contains("does not go with sync mode 'top'", _disk.Refused(Backup("top")));
        _ = _disk.Ctl([.. Backup("full"), "speed:=4194304"]);
        Eventually.True(IsRecorded);
        Assert.Contains("onto another target", RefusedBitmap("u"));
        Assert.Contains("of a job that runs", _disk.Refused(Backup("full", "u", "k")));
        _ = _disk.Ctl("job-cancel", "id=j");
        _ = _disk.Ctl("x-checkpoint-delete", "node=disk", "name=start");
        Assert.Contains("(epoch)", RefusedBitmap("t"));
        _ = _disk.Ctl("x-checkpoint-add", "node=disk", "name=start"); // another one of its name
        Assert.Contains("(epoch)", RefusedBitmap("t"));
        server.Signal("INT");
        server.Wait().Expect(0);
    }

    /// <summary>It has its length before it has its first record.</summary>
    bool IsRecorded() => Programs.Run(_disk.Folder, "grep", ["-qs", "FBresume", "record"]).ExitCode == 0;

    string[] Backup(string sync, string target = "t", string id = "j") =>
        [
            "blockdev-backup",
            $"job-id={id}",
            "device=disk",
            $"target={target}",
            $"sync={sync}",
            $"x-record={_disk["record"]}",
            "x-record-since=start",
        ];

    void Unfinished(string name) => _ = _disk.Ctl(UnfinishedWords(name, "t"));

    string RefusedBitmap(string target) => _disk.Refused(UnfinishedWords("b", target));

    string[] UnfinishedWords(string name, string target) =>
        [
            "block-dirty-bitmap-add",
            "node=disk",
            $"name={name}",
            $"x-unfinished={_disk["record"]}",
            $"x-target={target}",
        ];

    void AddTarget() => _ = _disk.Ctl("blockdev-add", "driver=file", "node-name=t", "filename=" + _disk["t.img"]);

    /// <summary>Of files that others have locked.</summary>
    bool AreEqual() => Programs.Run(_disk.Folder, "cmp", ["-s", "disk.img", "t.img"]).ExitCode == 0;
}
