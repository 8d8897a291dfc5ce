// A copy onto a block device that was interrupted goes on by the record that its run was told to keep.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class DeviceResumeTests : IDisposable
{
    const int Mebi = 1 << 20;
    const string Record = "copy.resume";

    readonly TempFolder _folder = new();

    public DeviceResumeTests() => Disks.Random(_folder["disk.img"], 32 * Mebi);

    public void Dispose() => _folder.Dispose();

    ProgramResult Run(int exitCode, params string[] words) => Programs.Fastbackup(_folder.Path, words).Expect(exitCode);

    ProgramResult Backup(int exitCode, LoopDevice target, params string[] more) =>
        Run(exitCode, ["backup", "disk.img", target.Path, .. more]);

    LoopDevice Device(string name, int sizeBytes = 32 * Mebi)
    {
        Disks.Hole(_folder[name], sizeBytes);
        return new LoopDevice(_folder[name]);
    }

    ProgramResult Interrupt(string signal, LoopDevice target, params string[] more)
    {
        DateTime before = File.Exists(_folder[Record]) ? File.GetLastWriteTimeUtc(_folder[Record]) : default;
        string[] line = ["backup", "disk.img", target.Path, "--speed", "8MiB", "--record", Record, .. more];
        using RunningProgram backup = Programs.StartFastbackup(_folder.Path, line);
        Eventually.True(() =>
            File.Exists(_folder[Record])
            && File.GetLastWriteTimeUtc(_folder[Record]) > before
            && Programs.Run(_folder.Path, "grep", ["-q", "FBresume", Record]).ExitCode == 0
        );
        backup.Signal(signal);
        return backup.Wait().Expect(signal == "KILL" ? 137 : 130);
    }

    void AssertEqual(LoopDevice target) =>
        Assert.True(File.ReadAllBytes(_folder["disk.img"]).AsSpan().SequenceEqual(target.ReadAll()));

    [Fact]
    public void CopyThatWasInterrupted_GoesOn_AndTheRecordGoes()
    {
        using LoopDevice target = Device("target.img");
        Interrupt("INT", target, "--force")
            .ExpectSentence("interrupted after", "run again with --resume and --record 'copy.resume'", "--force");
        Backup(1, target, "--resume").ExpectSentence("is a block device", "give --record");
        Backup(1, target).ExpectSentence("is a block device", "--force");
        string output = Backup(0, target, "--resume", "--record", Record).Output;
        Assert.Matches(@"(?m)^resumed: [\d.]+ MiB of 32\.0 MiB left$", output);
        Assert.DoesNotContain("resumed: 32.0 MiB", output, StringComparison.Ordinal);
        AssertEqual(target);
        Assert.False(File.Exists(_folder[Record]));
    }

    /// <summary>Killed again and again, and the disk written to in between: the tracker says where.</summary>
    [Fact]
    public void CopyOfADiskThatChanges_IsTheDiskAsOfTheLastRun()
    {
        using LoopDevice target = Device("target.img", 40 * Mebi);
        Run(0, "track", "add", "disk.img");
        string[] tracked = ["--tracker", "disk.img.track"];
        Interrupt("KILL", target, ["--force", .. tracked]);
        TrackedImage.Change(_folder, 2, 1);
        Interrupt("KILL", target, ["--resume", .. tracked]);
        TrackedImage.Change(_folder, 3, 2);
        TrackedImage.Change(_folder, 500, 3);
        string output = Backup(0, target, ["--resume", "--record", Record, .. tracked]).Output;
        Assert.Contains("KiB of it changed since", output, StringComparison.Ordinal);
        byte[] copied = target.ReadAll();
        Assert.True(File.ReadAllBytes(_folder["disk.img"]).AsSpan().SequenceEqual(copied.AsSpan(0, 32 * Mebi)));
        Assert.True(copied.AsSpan(32 * Mebi).IndexOfAnyExcept((byte)0) < 0);
        Assert.Equal("no checkpoints\n", Run(0, "checkpoint", "list", "disk.img").Output);
    }

    [Fact]
    public void WhatIsNoRecordOfThisCopy_IsRefused_AndNothingIsWritten()
    {
        using LoopDevice target = Device("target.img");
        using LoopDevice other = Device("other.img");
        Backup(1, target, "--resume", "--record", Record).ExpectSentence("cannot open record 'copy.resume'", "--force");
        Backup(1, target, "--force", "--record", "no/copy.resume")
            .ExpectSentence("cannot open record 'no/copy.resume'");
        File.WriteAllText(_folder[Record], "mine");
        Backup(1, target, "--force", "--record", Record).ExpectSentence("is no whole record of a copy");
        Backup(1, target, "--resume", "--record", Record).ExpectSentence("is no whole record");
        Assert.Equal("mine", File.ReadAllText(_folder[Record]));
        Assert.True(target.ReadAll().AsSpan().IndexOfAnyExcept((byte)0) < 0);
        File.Delete(_folder[Record]);
        Interrupt("INT", target, "--force");
        Backup(1, other, "--resume", "--record", Record).ExpectSentence("onto another target");
        Backup(1, other, "--force", "--record", Record).ExpectSentence("onto another target; give another path");
        Assert.True(other.ReadAll().AsSpan().IndexOfAnyExcept((byte)0) < 0);
        TrackedImage.Touch(_folder, "disk.img", 100, 1);
        Backup(1, target, "--resume", "--record", Record)
            .ExpectSentence("was written to since", "no --tracker was given");
        Backup(0, target, "--force", "--record", Record); // anew, with the same record
        AssertEqual(target);
        Assert.False(File.Exists(_folder[Record]));
        Run(1, "backup", "disk.img", "copy.img", "--record", Record).ExpectSentence("is a file", "leave --record out");
        Run(1, "backup", "disk.img", "nbd://127.0.0.1:1/x", "--force", "--record", Record)
            .ExpectSentence("server's disk", "leave --record out");
        Run(2, "backup", "disk.img", target.Path, "--force", "--record", "");
        Assert.False(File.Exists(_folder[Record]));
    }
}
