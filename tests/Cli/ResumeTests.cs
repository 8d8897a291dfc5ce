// An interrupted copy is gone on with: what was durably there is not copied again, what was written to the disk since
// is, and the result is the disk as it is now.
using System;
using System.IO;
using System.Text.RegularExpressions;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed partial class ResumeTests : IDisposable
{
    const int Mebi = 1 << 20;

    readonly TempFolder _folder = new();

    public ResumeTests() => Disks.Random(_folder["disk.img"], 32 * Mebi + 700);

    public void Dispose() => _folder.Dispose();

    ProgramResult Run(int exitCode, params string[] words) => Programs.Fastbackup(_folder.Path, words).Expect(exitCode);

    ProgramResult Backup(int exitCode, params string[] more) =>
        Run(exitCode, ["backup", "disk.img", "copy.img", .. more]);

    string[] Names() => Directory.GetFileSystemEntries(_folder.Path).AsRelativeTo(_folder.Path);

    /// <summary>A copy that is ended by a signal once a record of it was written.</summary>
    ProgramResult Interrupt(string signal, int speedMebi, params string[] more)
    {
        string record = _folder["copy.img.resume"];
        DateTime before = File.Exists(record) ? File.GetLastWriteTimeUtc(record) : default;
        string[] line = ["backup", "disk.img", "copy.img", "--speed", $"{speedMebi}MiB", .. more];
        using RunningProgram backup = Programs.StartFastbackup(_folder.Path, line);
        Eventually.True(() =>
            File.Exists(record)
            && File.GetLastWriteTimeUtc(record) > before
            && File.ReadAllBytes(record).AsSpan().IndexOf("FBresume"u8) >= 0
        );
        backup.Signal(signal);
        return backup.Wait().Expect(signal == "KILL" ? 137 : 130);
    }

    static double LeftOf(string output) =>
        double.Parse(LeftPattern().Match(output).Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^resumed: ([\d.]+) MiB of 32\.0 MiB left", RegexOptions.Multiline)]
    private static partial Regex LeftPattern();

    [Fact]
    public void CopyThatWasInterrupted_GoesOn()
    {
        ProgramResult interrupted = Interrupt("INT", 8);
        interrupted.ExpectSentence("interrupted after", "kept in 'copy.img.partial'", "--resume", "--force");
        Assert.Equal(["copy.img.partial", "copy.img.resume", "disk.img"], Names());
        Backup(1).ExpectSentence("is left from an unfinished backup", "--resume", "--force");
        double left = LeftOf(Backup(0, "--resume").Output);
        Assert.InRange(left, 0.1, 31);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
        Assert.Equal(["copy.img", "disk.img"], Names());
    }

    [Fact]
    public void ResumeWithNothingThere_IsABackup_AndOverAnExistingFileNone()
    {
        Backup(0, "--resume");
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
        Backup(1, "--resume").ExpectSentence("target 'copy.img' exists");
        Assert.Equal(["copy.img", "disk.img"], Names());
    }

    /// <summary>Killed again and again, and written to in between: the tracker says where.</summary>
    [Fact]
    public void CopyOfADiskThatChanges_IsTheDiskAsOfTheLastRun()
    {
        Run(0, "track", "add", "disk.img");
        string[] tracked = ["--tracker", "disk.img.track"];
        Interrupt("KILL", 8, tracked);
        TrackedImage.Change(_folder, 2, 1); // copied already
        Interrupt("KILL", 8, [.. tracked, "--resume"]);
        TrackedImage.Change(_folder, 3, 2);
        TrackedImage.Change(_folder, 500, 3);
        string output = Backup(0, [.. tracked, "--resume", "--checkpoint", "monday"]).Output;
        Assert.InRange(LeftOf(output), 0.1, 31);
        Assert.Contains("KiB of it changed since", output, StringComparison.Ordinal);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
        Assert.StartsWith("monday  ", Run(0, "checkpoint", "list", "disk.img").Output);
        TrackedImage.Change(_folder, 7, 4); // and the tracker counts from the resumed copy
        Assert.StartsWith("incremental: 64.0 KiB", Backup(0, tracked).Output);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
    }

    [Fact]
    public void CheckpointOfAnUnfinishedCopy_IsListed_AndGoesWithIt()
    {
        Run(0, "track", "add", "disk.img");
        Interrupt("INT", 8, "--tracker", "disk.img.track");
        Assert.StartsWith("unfinished copy copy.img.partial  ", Run(0, "checkpoint", "list", "disk.img").Output);
        Backup(0, "--tracker", "disk.img.track", "--force");
        Assert.Equal("no checkpoints\n", Run(0, "checkpoint", "list", "disk.img").Output);
    }

    /// <summary>A later copy to the same name has made a checkpoint of the same name: it is not this one.</summary>
    [Fact]
    public void CheckpointOfALaterCopy_IsNotTakenForThatOfThisOne()
    {
        Run(0, "track", "add", "disk.img");
        string[] tracked = ["--tracker", "disk.img.track"];
        Interrupt("KILL", 8, tracked);
        File.Move(_folder["copy.img.partial"], _folder["moved.img.partial"]);
        File.Move(_folder["copy.img.resume"], _folder["moved.img.resume"]);
        TrackedImage.Change(_folder, 2, 1);
        Interrupt("KILL", 8, tracked);
        string[] moved = ["backup", "disk.img", "moved.img", "--resume", .. tracked];
        Run(1, moved).ExpectSentence("was written to since", "its tracker does not tell where");
        Backup(0, [.. tracked, "--resume"]);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
    }

    [Fact]
    public void DiskThatWasWrittenTo_IsRefused_WhereNobodyCanTellWhere()
    {
        Interrupt("INT", 8);
        TrackedImage.Touch(_folder, "disk.img", 100, 1);
        byte[] partial = File.ReadAllBytes(_folder["copy.img.partial"]);
        Backup(1, "--resume").ExpectSentence("'disk.img' was written to since", "no --tracker was given", "--force");
        Assert.Equal(partial, File.ReadAllBytes(_folder["copy.img.partial"]));
        Assert.Equal(["copy.img.partial", "copy.img.resume", "disk.img"], Names());
        Backup(0, "--force");
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
        Assert.Equal(["copy.img", "disk.img"], Names());
    }

    [Fact]
    public void RecordOfAnotherCopy_OrNone_IsRefused()
    {
        Interrupt("INT", 8);
        Disks.Random(_folder["other.img"], 32 * Mebi + 700, seed: 2);
        Run(1, "backup", "other.img", "copy.img", "--resume").ExpectSentence("is of a copy of another disk");
        File.Copy(_folder["copy.img.partial"], _folder["two.img.partial"]);
        Run(1, "backup", "disk.img", "two.img", "--resume").ExpectSentence("'two.img.partial' has no record");
        File.Copy(_folder["copy.img.resume"], _folder["two.img.resume"]);
        Run(1, "backup", "disk.img", "two.img", "--resume").ExpectSentence("into another file");
        File.WriteAllText(_folder["copy.img.resume"], "mine");
        Backup(1, "--resume").ExpectSentence("'copy.img.resume' is no whole record");
        Assert.Equal("mine", File.ReadAllText(_folder["copy.img.resume"]));
        Disks.Random(_folder["disk.img"], 40 * Mebi);
        Backup(1, "--resume").ExpectSentence("is left from an unfinished backup"); // of a disk of another size
    }

    [Fact]
    public void HolesOfTheDisk_AreHolesOrZeroes_WhereverTheCopyWasInterrupted()
    {
        File.Delete(_folder["disk.img"]);
        Disks.Sparse(_folder["disk.img"], 64L * Mebi, (0, 8 * Mebi), (20 * Mebi, 8 * Mebi), (50 * Mebi, 4 * Mebi));
        Interrupt("KILL", 4);
        string json = Backup(0, "--resume", "--json").Output;
        Assert.Contains("{\"event\":\"resume\",\"partial\":\"copy.img.partial\",\"left_bytes\":", json);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
    }

    [Fact]
    public void ResumeOfWhatHasNoPartial_IsRefused()
    {
        Run(2, "backup", "disk.img", "copy.img", "--resume", "--tracker", "t", "--since", "monday");
        Run(1, "backup", "disk.img", "nbd://127.0.0.1:1/x", "--resume").ExpectSentence("only a copy into a file");
        Assert.Equal(["disk.img"], Names());
    }
}
