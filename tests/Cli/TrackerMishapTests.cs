// Trackers that are rotten, full, read-only, in use, or not what they were: one sentence with the reason and what to
// do, the exit code 1, and nothing done; a guest is served all the same.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class TrackerMishapTests : IDisposable
{
    const int Mebi = 1 << 20;

    readonly TempFolder _folder = new();

    public TrackerMishapTests()
    {
        Disks.Random(_folder["disk.img"], 5 * Mebi + 700);
        Run(0, "track", "add", "disk.img");
        Run(0, "backup", "disk.img", "copy.img", "--tracker", "disk.img.track");
    }

    public void Dispose() => _folder.Dispose();

    ProgramResult Run(int exitCode, params string[] words) => Programs.Fastbackup(_folder.Path, words).Expect(exitCode);

    /// <summary>One copy of all is worth nothing: the other counts. Neither of a page: all that it tells about has
    /// changed.</summary>
    [Fact]
    public void TrackerWithBitsThatRotted_NamesTooMuch_AndNeverTooLittle()
    {
        TrackedImage.SetChanged(_folder, granule: 48);
        TrackedImage.Rot(_folder, "one.track", 100);
        Assert.StartsWith("64.0 KiB of", Info("one.track"));
        int[] fine = [.. Areas(kind: 2), .. Areas(kind: 3)];
        TrackedImage.Rot(_folder, "page.track", fine[0] + 70);
        Assert.StartsWith("64.0 KiB of", Info("page.track"));
        TrackedImage.Rot(_folder, "pages.track", [.. fine.Select(at => at + 70)]);
        Assert.StartsWith("5.0 MiB of 5.0 MiB (100 %)", Info("pages.track"));
    }

    [Fact]
    public void TrackerByASymbolicLink_IsTheOneThatItLeadsTo()
    {
        File.CreateSymbolicLink(_folder["link.track"], "disk.img.track");
        File.CreateSymbolicLink(_folder["nowhere.track"], "missing");
        Assert.StartsWith("0 B of", Info("link.track"));
        Run(1, "track", "remove", "disk.img", "--tracker", "link.track")
            .ExpectSentence("'link.track' is a symbolic link to 'disk.img.track': remove that, then the link");
        Assert.StartsWith("0 B of", Info("disk.img.track"));
        Run(1, "track", "info", "disk.img", "--tracker", "nowhere.track")
            .ExpectSentence("cannot open 'nowhere.track'", "make one with 'fastbackup track add'");
        Run(1, "track", "add", "disk.img", "--tracker", "nowhere.track")
            .ExpectSentence("cannot create 'nowhere.track'", "(EEXIST)");
    }

    [Fact]
    public void TrackerThatCannotBeWritten_IsRefused_BeforeAnythingIsCopied()
    {
        using MountPoint mount = MountPoint.Tmpfs(_folder["mount"], "size=4m");
        Run(0, "track", "add", "disk.img", "--tracker", "mount/t.track");
        _ = Programs.Run(_folder.Path, "mount", ["-o", "remount,ro", "mount"]).Expect(0);
        Assert.StartsWith("5.0 MiB of", Info("mount/t.track"));
        foreach (
            string[] words in (string[][])
                [
                    ["backup", "disk.img", "t.img"],
                    ["checkpoint", "add", "disk.img", "x"],
                ]
        )
            Run(1, [.. words, "--tracker", "mount/t.track"])
                .ExpectSentence("cannot open 'mount/t.track'", "(EROFS)", "give a place that can be written to");
        Assert.False(File.Exists(_folder["t.img"]));
    }

    [Fact]
    public void TrackerOnAFullFileSystem_IsRefused_AndWhatIsThereStays()
    {
        using MountPoint mount = MountPoint.Tmpfs(_folder["mount"], "size=600k");
        Run(0, "track", "add", "disk.img", "--tracker", "mount/t.track");
        _ = Programs.Run(_folder.Path, "sh", ["-c", "cat /dev/zero > mount/fill || true"]);
        Run(1, "checkpoint", "add", "disk.img", "monday", "--tracker", "mount/t.track")
            .ExpectSentence("cannot write tracker 'mount/t.track'", "(ENOSPC)", "make room there");
        Assert.StartsWith("5.0 MiB of", Info("mount/t.track"));
        Run(0, "backup", "disk.img", "t.img", "--tracker", "mount/t.track"); // it needs no more room than it has
        Assert.StartsWith("0 B of", Info("mount/t.track"));
        Run(1, "track", "add", "disk.img", "--tracker", "mount/u.track").ExpectSentence("mount/u.track'", "(ENOSPC)");
        Assert.False(File.Exists(_folder["mount/u.track"]));
    }

    /// <summary>The driver's name for a loop device is its file: another one behind it is another disk.</summary>
    [Fact]
    public void TrackerOfADeviceThatIsAnotherNow_IsForeign()
    {
        string device;
        using (LoopDevice loop = new(_folder["disk.img"]))
        {
            device = loop.Path;
            Run(0, "track", "add", device, "--tracker", "loop.track");
            Run(0, "backup", device, "copy2.img", "--tracker", "loop.track");
        }
        File.Copy(_folder["disk.img"], _folder["other.img"]);
        using LoopDevice other = new(_folder["other.img"]);
        Run(1, "track", "info", other.Path, "--tracker", "loop.track")
            .ExpectSentence("belongs to another disk (foreign-disk)", "add a new one for this disk");
    }

    [Fact]
    public void TrackerThatIsInUse_IsNotOpenedTwice_AndTheSecondDiskIsServedWithoutIt()
    {
        using ServedDisk disk = new(path => Disks.Random(path, 5 * Mebi));
        using RunningProgram server = disk.Serve();
        foreach (
            string[] words in (string[][])
                [
                    ["checkpoint", "add", "disk.img", "x"],
                    ["track", "remove", "disk.img"],
                ]
        )
            disk.Run(words).Expect(1).ExpectSentence("is being written by another program that holds its lock");
        Disks.Random(disk["other.img"], Mebi);
        File.CreateSymbolicLink(disk["other.img.track"], "disk.img.track");
        using RunningProgram second = Programs.StartFastbackup(
            disk.Folder,
            ["serve", "other.img", "--socket", "s2", "--track"]
        );
        Eventually.True(() => second.Output.Contains("serving", StringComparison.Ordinal) || second.HasExited);
        Assert.Contains("is served without its tracker: tracker: 'other.img.track' is being written", second.Said);
        ServedDisk.End(second, "INT");
        ServedDisk.End(server, "INT");
        disk.Run("track", "info", "disk.img").Expect(0);
    }

    string Info(string tracker) => Run(0, "track", "info", "disk.img", "--tracker", tracker).Output;

    /// <summary>Where the areas of a kind begin, by the header.</summary>
    int[] Areas(ushort kind)
    {
        byte[] bytes = File.ReadAllBytes(_folder["disk.img.track"]);
        IEnumerable<int> places = Enumerable.Range(0, bytes[208]).Select(i => 512 + 48 * i);
        return
        [
            .. places
                .Where(at => BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at)) == kind)
                .Select(at => (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at + 16))),
        ];
    }
}
