// Checkpoints on the command line: made, listed, deleted, and backups from each of them, of a disk at rest.
using System;
using System.IO;
using System.Linq;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class CheckpointTests : IDisposable
{
    const int Mebi = 1 << 20;
    const string NoTime = "                    ";

    readonly TempFolder _folder = new();

    public CheckpointTests()
    {
        Disks.Random(_folder["disk.img"], 5 * Mebi + 700);
        Run(0, "track", "add", "disk.img");
    }

    public void Dispose() => _folder.Dispose();

    ProgramResult Run(int exitCode, params string[] words) => Programs.Fastbackup(_folder.Path, words).Expect(exitCode);

    ProgramResult Checkpoint(int exitCode, params string[] words) => Run(exitCode, ["checkpoint", .. words]);

    ProgramResult Backup(int exitCode, string target, params string[] more) =>
        Run(exitCode, ["backup", "disk.img", target, "--tracker", "disk.img.track", .. more]);

    [Fact]
    public void Chain_RestoresEachPoint()
    {
        Backup(0, "monday.img", "--checkpoint", "monday");
        Change(48, 1);
        File.Copy(_folder["monday.img"], _folder["tuesday.img"]);
        ProgramResult tuesday = Backup(0, "tuesday.img", "--since", "monday", "--checkpoint", "tuesday");
        Assert.StartsWith("incremental: 64.0 KiB changed since checkpoint 'monday'\n", tuesday.Output);
        byte[] wasTuesday = File.ReadAllBytes(_folder["disk.img"]);
        Change(3, 2);
        File.Copy(_folder["monday.img"], _folder["all.img"]);
        Assert.StartsWith("incremental: 128.0 KiB changed since", Backup(0, "all.img", "--since", "monday").Output);
        File.Copy(_folder["tuesday.img"], _folder["last.img"]);
        Assert.StartsWith("incremental: 64.0 KiB changed since", Backup(0, "last.img", "--since", "tuesday").Output);
        Run(0, "compare", "disk.img", "all.img");
        Run(0, "compare", "disk.img", "last.img");
        Assert.Equal(wasTuesday, File.ReadAllBytes(_folder["tuesday.img"]));
    }

    [Fact]
    public void ChainOverGrowth_RestoresEachPoint()
    {
        Backup(0, "monday.img", "--checkpoint", "monday");
        Change(48, 1);
        Run(0, "track", "grow", "disk.img", $"{7 * Mebi + 5}");
        File.Copy(_folder["monday.img"], _folder["tuesday.img"]);
        ProgramResult tuesday = Backup(0, "tuesday.img", "--since", "monday", "--checkpoint", "tuesday");
        Assert.StartsWith("incremental: 2.1 MiB changed since checkpoint 'monday'\n", tuesday.Output);
        Run(0, "compare", "disk.img", "tuesday.img");
        Change(3, 2);
        Run(0, "track", "grow", "disk.img", $"{7 * Mebi + 6}");
        Assert.StartsWith(
            "incremental: 64.0 KiB changed since", // granule 3, and the last one, of six bytes
            Backup(0, "tuesday.img", "--since", "tuesday", "--checkpoint", "wednesday").Output
        );
        Run(0, "compare", "disk.img", "tuesday.img");
        Backup(0, "monday.img", "--since", "monday");
        Run(0, "compare", "disk.img", "monday.img");
        string all = string.Join(' ', Enumerable.Range(80, 33));
        Assert.Equal($"monday 3 48 {all}\ntuesday 3 112\nwednesday\n", Python("points", "disk.img.track"));
    }

    [Fact]
    public void List_SaysHowMuchHasChangedSinceEach()
    {
        Assert.Equal("no checkpoints\n", Checkpoint(0, "list", "disk.img").Output);
        Checkpoint(0, "add", "disk.img", "monday");
        Change(48, 1);
        Assert.Equal("added 'tuesday'\n", Checkpoint(0, "add", "disk.img", "tuesday").Output);
        string[] lines = Checkpoint(0, "list", "disk.img").Output.Split('\n');
        Assert.Equal("monday   64.0 KiB changed since", lines[0].Remove("monday   ".Length, NoTime.Length + 2));
        Assert.EndsWith("Z  0 B changed since", lines[1]);
        string json = Checkpoint(0, "list", "disk.img", "--json").Output;
        Assert.Contains("\"checkpoints\":[{\"name\":\"monday\",\"created\":\"20", json, StringComparison.Ordinal);
        Assert.Contains("\"changed_bytes\":65536}", json, StringComparison.Ordinal);
    }

    [Fact]
    public void Delete_LosesNothingOfTheOthers()
    {
        Backup(0, "monday.img", "--checkpoint", "monday");
        Change(48, 1);
        Checkpoint(0, "add", "disk.img", "tuesday");
        Change(3, 2);
        Checkpoint(0, "add", "disk.img", "wednesday");
        Assert.Equal("deleted 'tuesday'\n", Checkpoint(0, "delete", "disk.img", "tuesday").Output);
        Assert.StartsWith("incremental: 128.0 KiB", Backup(0, "monday.img", "--since", "monday").Output);
        Run(0, "compare", "disk.img", "monday.img");
    }

    [Fact]
    public void ReaderByTheDocument_Agrees()
    {
        Backup(0, "monday.img", "--checkpoint", "monday");
        Change(48, 1);
        Checkpoint(0, "add", "disk.img", "tuesday");
        Change(3, 2);
        Assert.Equal("monday 3 48\ntuesday 3\n", Python("points", "disk.img.track"));
        Assert.Equal("closed durable 3 48\n", Python("read", "disk.img.track"));
        Checkpoint(0, "delete", "disk.img", "monday");
        Assert.Equal("tuesday 3\n", Python("points", "disk.img.track"));
    }

    [Fact]
    public void BackupWithoutSince_IsFromTheLastOneWithout()
    {
        Backup(0, "copy.img");
        Change(48, 1);
        Checkpoint(0, "add", "disk.img", "tuesday");
        Change(3, 2);
        Assert.StartsWith("incremental: 128.0 KiB changed since the last backup\n", Backup(0, "copy.img").Output);
        Run(0, "compare", "disk.img", "copy.img");
        Assert.StartsWith("0 B of", Run(0, "track", "info", "disk.img").Output);
        Assert.Contains("64.0 KiB changed since", Checkpoint(0, "list", "disk.img").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void CheckpointThatIsNotThere_NeedsAFullBackup_WithTheReason()
    {
        Backup(0, "copy.img");
        ProgramResult refused = Backup(1, "copy.img", "--since", "monday", "--json");
        Assert.Contains("\"mode\":\"full\",\"reason\":\"epoch\"", refused.Output, StringComparison.Ordinal);
        Assert.Contains("--force", refused.Error, StringComparison.Ordinal);
        string full = Backup(0, "copy.img", "--since", "monday", "--force").Output;
        Assert.StartsWith(
            "full: there is no such checkpoint; it was deleted, or the tracker began anew (epoch)\n",
            full
        );
    }

    [Fact]
    public void UnwatchedWrites_TakeAllCheckpoints_AndAFullOneHeals()
    {
        Backup(0, "copy.img", "--checkpoint", "monday");
        Touch(3 * Mebi, 1);
        string refused = Backup(1, "copy.img", "--since", "monday", "--json").Output;
        Assert.Contains("\"reason\":\"foreign-writes\"", refused, StringComparison.Ordinal);
        Backup(0, "copy.img", "--since", "monday", "--checkpoint", "tuesday", "--force");
        Assert.StartsWith("tuesday  ", Checkpoint(0, "list", "disk.img").Output);
        Run(0, "compare", "disk.img", "copy.img");
    }

    [Fact]
    public void ReasonsOfOtherDisks_AreInJson()
    {
        Resize(4 * Mebi);
        string refused = Backup(1, "copy.img", "--since", "monday", "--json").Output;
        Assert.Contains("\"mode\":\"refused\",\"reason\":\"resized\"", refused, StringComparison.Ordinal);
    }

    [Fact]
    public void BackupThatFails_MakesNoCheckpoint()
    {
        Backup(0, "copy.img", "--checkpoint", "monday");
        Change(48, 1);
        File.WriteAllBytes(_folder["copy.img"], new byte[Mebi]);
        Backup(1, "copy.img", "--since", "monday", "--checkpoint", "tuesday");
        Assert.DoesNotContain("tuesday", Checkpoint(0, "list", "disk.img").Output, StringComparison.Ordinal);
        Assert.Contains("64.0 KiB changed since", Checkpoint(0, "list", "disk.img").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void BadNames_AreOneSentence()
    {
        Checkpoint(0, "add", "disk.img", "monday");
        Assert.Contains("has a checkpoint 'monday' already", Checkpoint(1, "add", "disk.img", "monday").Error);
        Assert.Contains("has no checkpoint 'x'", Checkpoint(1, "delete", "disk.img", "x").Error);
        Assert.Contains("NAME is empty", Checkpoint(2, "add", "disk.img", "").Error);
        Assert.Contains("NAME has 1024 bytes", Checkpoint(2, "add", "disk.img", new string('x', 1024)).Error);
        Checkpoint(0, "add", "disk.img", new string('x', 1023));
        Assert.Contains("already", Backup(1, "copy.img", "--checkpoint", "monday").Error);
        Assert.Contains("give --tracker, too", Run(2, "backup", "disk.img", "copy.img", "--since", "monday").Error);
        Assert.False(File.Exists(_folder["copy.img"]));
    }

    void Resize(long sizeBytes)
    {
        using FileStream file = File.OpenWrite(_folder["disk.img"]);
        file.SetLength(sizeBytes);
    }

    void Touch(long offset, byte value) => TrackedImage.Touch(_folder, "disk.img", offset, value);

    void Change(int granule, byte value) => TrackedImage.Change(_folder, granule, value);

    string Python(params string[] words) => TrackedImage.Python(_folder, words);
}
