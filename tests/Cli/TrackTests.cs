// Trackers on the command line: made, read and removed, and backups by them, of a disk at rest.
using System;
using System.IO;
using System.Linq;
using System.Xml.Linq;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class TrackTests : IDisposable
{
    const int Mebi = 1 << 20;

    readonly TempFolder _folder = new();

    public TrackTests()
    {
        Disks.Random(_folder["disk.img"], 5 * Mebi + 700);
        Run(0, "track", "add", "disk.img");
    }

    public void Dispose() => _folder.Dispose();

    ProgramResult Run(int exitCode, params string[] words) => Programs.Fastbackup(_folder.Path, words).Expect(exitCode);

    ProgramResult Backup(int exitCode, params string[] more) =>
        Run(exitCode, ["backup", "disk.img", "copy.img", "--tracker", "disk.img.track", .. more]);

    [Fact]
    public void NewTracker_IsAFullBackup_ThenNothingHasChanged()
    {
        Assert.StartsWith("5.0 MiB of 5.0 MiB (100 %) changed", Run(0, "track", "info", "disk.img").Output);
        Assert.StartsWith("full: everything counts as changed (new)\n", Backup(0).Output);
        Assert.StartsWith("0 B of 5.0 MiB (0 %) changed", Run(0, "track", "info", "disk.img").Output);
        Assert.StartsWith("incremental: 0 B changed since the last backup\n", Backup(0).Output);
        Run(0, "compare", "disk.img", "copy.img");
    }

    [Fact]
    public void Incremental_CopiesWhatTheTrackerNames_AndNothingElse()
    {
        Backup(0);
        Touch("disk.img", 3 * Mebi, 1); // told to the tracker below
        Touch("copy.img", Mebi, 99); // no incremental comes by here
        SetChanged(granule: 48);
        Assert.StartsWith("incremental: 64.0 KiB changed since the last backup\n", Backup(0).Output);
        byte[] disk = File.ReadAllBytes(_folder["disk.img"]);
        byte[] copy = File.ReadAllBytes(_folder["copy.img"]);
        Assert.Equal(1, copy[3 * Mebi]);
        Assert.Equal(99, copy[Mebi]);
        copy[Mebi] = disk[Mebi];
        Assert.Equal(disk, copy);
        Assert.StartsWith("0 B of", Run(0, "track", "info", "disk.img").Output);
    }

    [Fact]
    public void DiskThatWasWrittenToUnwatched_NeedsAFullBackup_WithTheReason()
    {
        Backup(0);
        Touch("disk.img", 3 * Mebi, 1);
        ProgramResult info = Run(1, "track", "info", "disk.img");
        Assert.Equal(
            "fastbackup: tracker 'disk.img.track' was not there when the disk was written to (foreign-writes); "
                + "a full backup with it makes it right again\n",
            info.Error
        );
        Assert.Contains("--force", Backup(1).Error, StringComparison.Ordinal); // the last copy is not overwritten
        ProgramResult full = Backup(0, "--force");
        Assert.StartsWith("full: the tracker was not there when the disk was written to (foreign-writes)", full.Output);
        Run(0, "track", "info", "disk.img");
        Run(0, "compare", "disk.img", "copy.img");
    }

    [Fact]
    public void BackupThatFails_ForgetsNothing()
    {
        Backup(0);
        SetChanged(granule: 48);
        File.WriteAllBytes(_folder["copy.img"], new byte[Mebi]);
        Assert.Contains("has another size than the source", Backup(1).Error, StringComparison.Ordinal);
        Assert.StartsWith("64.0 KiB of", Run(0, "track", "info", "disk.img").Output);
    }

    [Fact]
    public void DiskThatHasGrown_KeepsItsTracker_AndTheLastCopyGrowsWithIt()
    {
        Backup(0);
        Touch("disk.img", 3 * Mebi, 1);
        SetChanged(granule: 48);
        string grown = Run(0, "track", "grow", "disk.img", $"{9 * Mebi + 100}").Output; // 48, and all from 80 on
        Assert.StartsWith("4.1 MiB of 9.0 MiB (45.14 %) changed", grown);
        Assert.Equal(grown, Run(0, "track", "info", "disk.img").Output);
        Assert.Equal(9 * Mebi + 100, new FileInfo(_folder["disk.img"]).Length);
        Touch("copy.img", Mebi, 99); // no incremental comes by here
        Assert.StartsWith("incremental: 4.1 MiB changed since the last backup\n", Backup(0).Output);
        byte[] copy = File.ReadAllBytes(_folder["copy.img"]);
        Assert.Equal(99, copy[Mebi]);
        byte[] disk = File.ReadAllBytes(_folder["disk.img"]);
        copy[Mebi] = disk[Mebi];
        Assert.Equal(disk, copy);
        Assert.StartsWith("0 B of 9.0 MiB", Run(0, "track", "info", "disk.img").Output);
        Assert.Equal("closed durable\n", Python("read", "disk.img.track"));
    }

    /// <summary>Its times have changed: nobody knows what else was done to it.</summary>
    [Fact]
    public void DiskThatOthersHaveMadeLarger_NeedsAFullBackup_WhichHealsIt()
    {
        Backup(0);
        Resize("disk.img", 9 * Mebi);
        Assert.Contains("(foreign-writes)", Run(1, "track", "info", "disk.img").Error, StringComparison.Ordinal);
        Backup(0, "--force");
        Assert.StartsWith("0 B of 9.0 MiB", Run(0, "track", "info", "disk.img").Output);
        Run(0, "compare", "disk.img", "copy.img");
    }

    [Theory]
    [InlineData("1MiB", 1, "SIZE 1048576 is not above the")]
    [InlineData("0", 2, "SIZE '0' is no size")]
    [InlineData("much", 2, "SIZE 'much'")]
    [InlineData("9EiB", 1, "SIZE")]
    [InlineData("7EiB", 1, "cannot be tracked; it is too large")]
    public void GrowthThatCannotBe_IsRefused_AndChangesNothing(string size, int exitCode, string words)
    {
        Backup(0);
        byte[] tracker = File.ReadAllBytes(_folder["disk.img.track"]);
        long bytes = new FileInfo(_folder["disk.img"]).Length;
        Assert.Contains(words, Run(exitCode, "track", "grow", "disk.img", size).Error, StringComparison.Ordinal);
        Assert.Equal(bytes, new FileInfo(_folder["disk.img"]).Length);
        Assert.Equal(tracker, File.ReadAllBytes(_folder["disk.img.track"]));
    }

    [Fact]
    public void GrowthOfADiskThatItsTrackerDoesNotKnow_IsRefused_AndChangesNothing()
    {
        Backup(0);
        Touch("disk.img", 3 * Mebi, 1);
        long bytes = new FileInfo(_folder["disk.img"]).Length;
        string said = Run(1, "track", "grow", "disk.img", "9MiB").Error;
        Assert.Contains("(foreign-writes)", said, StringComparison.Ordinal);
        Assert.Equal(bytes, new FileInfo(_folder["disk.img"]).Length);
    }

    [Fact]
    public void Map_IsDrawn()
    {
        Backup(0);
        SetChanged(granule: 48);
        string[] lines = Run(0, "track", "map", "disk.img").Output.Split('\n');
        Assert.Equal(new string('.', 48) + "#" + new string('.', 15), lines[1]);
        Assert.Equal(new string('.', 17), lines[2]);
    }

    [Fact]
    public void Map_IsWritten_AsAPictureThatOthersCanRead()
    {
        Backup(0);
        SetChanged(granule: 48);
        File.WriteAllText(_folder["old.svg"], "letters");
        string[] lines = Run(0, "track", "map", "disk.img", "--svg", "old.svg").Output.Split('\n');
        Assert.Equal(new string('.', 48) + "#" + new string('.', 15), lines[1]); // the terminal has its own
        XElement picture = XElement.Load(_folder["old.svg"]);
        XNamespace svg = "http://www.w3.org/2000/svg";
        Assert.Equal(svg + "svg", picture.Name);
        XElement[] squares = [.. picture.Elements(svg + "g").Last().Elements(svg + "rect")];
        Assert.Equal(81, squares.Length); // one a granule
        XElement changed = Assert.Single(squares, square => square.HasElements);
        Assert.Same(squares[48], changed);
        Assert.Equal("bytes 3145728 to 3211263: 1 of 1 granules", (string)changed.Element(svg + "title")!);
        Assert.Single(squares.Select(square => (string)square.Attribute("fill")!).Distinct().Skip(1)); // two colours
        Assert.Empty(Directory.GetFiles(_folder.Path, "*.tmp"));
    }

    [Fact]
    public void PictureThatCannotBeWritten_IsOneSentence()
    {
        ProgramResult map = Run(1, "track", "map", "disk.img", "--svg", "nowhere/disk.svg", "--json");
        Assert.Contains("\"status\":\"failed\",\"exit_code\":1", map.Output, StringComparison.Ordinal);
        map.ExpectSentence("cannot write picture 'nowhere/disk.svg': no such file or directory (ENOENT); give another");
        Run(1, "track", "map", "disk.img", "--svg", ".").ExpectSentence("'.': it is a directory; name a file");
    }

    [Fact]
    public void TrackerInPlaceOfItsDisk_IsSaidToBeOne() =>
        Run(1, "track", "info", "disk.img.track").ExpectSentence("name the disk, not its tracker");

    [Fact]
    public void ReaderByTheDocument_Agrees()
    {
        Backup(0);
        SetChanged(granule: 48);
        SetChanged(granule: 80);
        Assert.Equal("closed durable 48 80\n", Python("read", "disk.img.track"));
        Assert.StartsWith("64.7 KiB of", Run(0, "track", "info", "disk.img").Output); // the last one is short
    }

    [Fact]
    public void Json_HasTheReason()
    {
        Touch("disk.img", 0, 1);
        string said = Run(1, "track", "info", "disk.img", "--json").Output;
        Assert.Contains("\"status\":\"refused\",\"exit_code\":1", said, StringComparison.Ordinal);
        Assert.Contains("\"reason\":\"foreign-writes\"", said, StringComparison.Ordinal);
    }

    [Fact]
    public void Remove_TakesTheTracker_AndNothingThatIsNone()
    {
        Assert.Equal("removed 'disk.img.track'\n", Run(0, "track", "remove", "disk.img").Output);
        File.WriteAllText(_folder["disk.img.track"], "letters");
        Assert.Contains("not a tracker file", Run(1, "track", "remove", "disk.img").Error, StringComparison.Ordinal);
        Assert.True(File.Exists(_folder["disk.img.track"]));
    }

    [Theory]
    [InlineData("other.img", "belongs to another disk (foreign-disk)")]
    [InlineData("smaller.img", "belongs to this disk as it was when it was larger (resized)")]
    [InlineData("text.track", "is not a tracker file (not-a-tracker)")]
    [InlineData("short.track", "was cut short (truncated)")]
    [InlineData("rotten.track", "has no whole header left (torn-header); add a new one for this disk")]
    [InlineData("/dev/null", "'/dev/null' is neither a regular file nor a block device")]
    [InlineData("disk.img", "is the disk itself")]
    [InlineData("missing.track", "cannot open 'missing.track'")]
    [InlineData(".", "is a directory")]
    public void BadTracker_IsOneSentence(string name, string sentence)
    {
        string disk = "disk.img";
        string tracker = name.EndsWith(".track", StringComparison.Ordinal) ? name : "disk.img.track";
        if (name == "other.img")
            Disks.Random(_folder[disk = name], 5 * Mebi + 700);
        else if (name == "smaller.img")
            Resize("disk.img", 4 * Mebi);
        else if (name == "text.track")
            File.WriteAllText(_folder[name], "letters");
        else if (name == "short.track")
            File.WriteAllBytes(_folder[name], File.ReadAllBytes(_folder["disk.img.track"])[..^4096]);
        else if (name == "rotten.track")
            TrackedImage.Rot(_folder, name, 100, 65_536 + 100); // both copies of the header
        else if (name is "disk.img" or "." or "/dev/null")
            tracker = name;
        ProgramResult info = Run(1, "track", "info", disk, "--tracker", tracker);
        Assert.Contains(sentence, info.Error, StringComparison.Ordinal);
        Assert.Single(info.Error.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public void TrackerThatExists_IsNotReplaced()
    {
        ProgramResult add = Run(1, "track", "add", "disk.img");
        add.ExpectSentence("cannot create 'disk.img.track'", "'fastbackup track remove' removes it");
        Assert.StartsWith("5.0 MiB of 5.0 MiB", Run(0, "track", "info", "disk.img").Output);
    }

    [Fact]
    public void Granularity_IsChosen()
    {
        Run(0, "track", "add", "disk.img", "--tracker", "fine.track", "--granularity", "4KiB");
        string said = Run(0, "track", "info", "disk.img", "--tracker", "fine.track").Output;
        Assert.Contains("in granules of 4.0 KiB", said, StringComparison.Ordinal);
        ProgramResult wrong = Run(2, "track", "add", "disk.img", "--granularity", "1000");
        Assert.Contains("is not a power of two of 4KiB to 4MiB", wrong.Error, StringComparison.Ordinal);
    }

    void Touch(string name, long offset, byte value) => TrackedImage.Touch(_folder, name, offset, value);

    void Resize(string name, long bytes)
    {
        using FileStream file = File.OpenWrite(_folder[name]);
        file.SetLength(bytes);
    }

    void SetChanged(int granule) => TrackedImage.SetChanged(_folder, granule);

    string Python(params string[] words) => TrackedImage.Python(_folder, words);
}
