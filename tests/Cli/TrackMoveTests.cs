// A tracker moves from one host to another, by the command; each host is a folder.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class TrackMoveTests : IDisposable
{
    const int Mebi = 1 << 20;

    readonly TempFolder _folder = new(); // of the host that has the tracker
    readonly TempFolder _other = new();

    public TrackMoveTests()
    {
        Disks.Random(_folder["disk.img"], 5 * Mebi + 700);
        Run(0, "track", "add", "disk.img");
        Run(0, "backup", "disk.img", "copy.img", "--tracker", "disk.img.track");
        TrackedImage.Change(_folder, granule: 8, 1);
        Run(0, "checkpoint", "add", "disk.img", "monday");
        TrackedImage.Change(_folder, granule: 48, 1);
    }

    public void Dispose()
    {
        _folder.Dispose();
        _other.Dispose();
    }

    ProgramResult Run(int exitCode, params string[] words) => Programs.Fastbackup(_folder.Path, words).Expect(exitCode);

    ProgramResult There(int exitCode, params string[] words) =>
        Programs.Fastbackup(_other.Path, words).Expect(exitCode);

    string Expect() => There(0, "track", "expect", "disk.img").Output.TrimEnd('\n');

    void Export(string word, params string[] more) =>
        Run(0, ["track", "export", "disk.img", _other["token"], "--to", word, .. more]);

    void CopyDisk() => File.Copy(_folder["disk.img"], _other["disk.img"], overwrite: true);

    [Fact]
    public void MovedTracker_GoesOnThere_WithItsCheckpoints_AndNotHere()
    {
        Export(Expect());
        CopyDisk();
        Assert.StartsWith(
            "128.0 KiB of 5.0 MiB",
            There(0, "track", "import", "disk.img", "token").Output,
            StringComparison.Ordinal
        );
        Assert.Equal("monday 48\n", TrackedImage.Python(_other, "points", "disk.img.track"));
        File.Copy(_folder["copy.img"], _other["copy.img"]);
        string said = There(0, "backup", "disk.img", "copy.img", "--tracker", "disk.img.track").Output;
        Assert.StartsWith("incremental: 128.0 KiB changed since the last backup\n", said);
        There(0, "compare", "disk.img", "copy.img");
        string refused = Run(1, "backup", "disk.img", "copy.img", "--tracker", "disk.img.track").Error;
        Assert.Contains(
            "was moved to another host (epoch); add a new one for this disk",
            refused,
            StringComparison.Ordinal
        );
        Assert.Equal("moved durable 8 48\n", TrackedImage.Python(_folder, "read", "disk.img.track"));
    }

    [Fact]
    public void Token_IsTakenOnce_AndItsTrackerIsGivenOnce()
    {
        string word = Expect();
        Export(word);
        CopyDisk();
        There(0, "track", "import", "disk.img", "token");
        string again = There(1, "track", "import", "disk.img", "token").Error;
        Assert.Contains("does not wait for a token", again, StringComparison.Ordinal);
        string twice = Run(1, "track", "export", "disk.img", _other["token2"], "--to", word).Error;
        Assert.Contains("(epoch)", twice, StringComparison.Ordinal);
        Assert.False(File.Exists(_other["token2"]));
    }

    [Fact]
    public void SharedDisk_MovesWithoutBeingRead()
    {
        string word = There(0, "track", "expect", "disk.img", "--tracker", "there.track").Output.TrimEnd('\n');
        Export(word, "--shared");
        string disk = _folder["disk.img"];
        There(0, "track", "import", disk, "token", "--tracker", "there.track");
        Assert.Equal("closed durable 8 48\n", TrackedImage.Python(_other, "read", "there.track"));
    }

    [Fact]
    public void WhatDoesNotFit_IsRefused_AndItStillWaits()
    {
        CopyDisk();
        TrackedImage.Change(_folder, granule: 21, 7); // in no place that is looked at
        Export(Expect());
        byte[] token = File.ReadAllBytes(_other["token"]);
        Refuse("is not as it was when its tracker was exported (foreign-writes)"); // copied too early
        CopyDisk();
        File.AppendAllText(_other["disk.img"], "more");
        Refuse("(resized)");
        CopyDisk();
        File.WriteAllBytes(_other["token"], token[..^4096]);
        Refuse("is no token of 'track export'");
        File.WriteAllText(_other["token"], "letters");
        Refuse("is no token of 'track export'");
        File.Delete(_other["token"]);
        Refuse("cannot open 'token'");
        Directory.CreateDirectory(_other["token"]);
        Refuse("is no file");
        Directory.Delete(_other["token"]);
        foreach (int at in (int[])[2 * 4096 + 64, token.Length - 4096])
        {
            byte[] changed = (byte[])token.Clone();
            changed[at] ^= 1;
            File.WriteAllBytes(_other["token"], changed);
            Refuse("is not signed");
        }
        There(0, "track", "expect", "disk.img", "--tracker", "another.track");
        Refuse("is for another tracker", "another.track");
        string info = There(1, "track", "info", "disk.img").Error;
        Assert.Contains("waits for what 'track import' brings (waiting)", info, StringComparison.Ordinal);
        There(0, "track", "remove", "disk.img", "--tracker", "another.track");
        Assert.False(File.Exists(_other["another.track"]));
        File.WriteAllBytes(_other["token"], token);
        There(0, "track", "import", "disk.img", "token");
    }

    [Fact]
    public void SharedDiskThatIsAnother_OrWasWrittenTo_IsRefused()
    {
        Export(Expect(), "--shared");
        CopyDisk();
        Refuse("is another one than the token's (foreign-disk)");
        TrackedImage.Touch(_folder, "disk.img", 21 * 65536 + 5000, 7);
        string disk = _folder["disk.img"];
        string said = There(1, "track", "import", disk, "token", "--tracker", "disk.img.track").Error;
        Assert.Contains("exported (foreign-writes)", said, StringComparison.Ordinal);
    }

    void Refuse(string sentence, string tracker = "disk.img.track")
    {
        ProgramResult import = There(1, "track", "import", "disk.img", "token", "--tracker", tracker);
        Assert.Contains(sentence, import.Error, StringComparison.Ordinal);
        Assert.Single(import.Error.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public void ExportThatIsRefused_ChangesNothing()
    {
        string word = Expect();
        byte[] tracker = File.ReadAllBytes(_folder["disk.img.track"]);
        string wrong = Run(2, "track", "export", "disk.img", "token", "--to", word + "0").Error;
        Assert.Contains("is no word of 'track expect'", wrong, StringComparison.Ordinal);
        File.WriteAllText(_folder["token"], "mine");
        string taken = Run(1, "track", "export", "disk.img", "token", "--to", word).Error;
        Assert.Contains("cannot create 'token'", taken, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(_folder["token"]));
        string exists = There(1, "track", "expect", "disk.img").Error;
        Assert.Contains("'disk.img.track'", exists, StringComparison.Ordinal);
        Assert.Equal(tracker, File.ReadAllBytes(_folder["disk.img.track"]));
    }
}
