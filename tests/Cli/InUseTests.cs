// Disks that somebody uses, with real programs and devices: a target is refused, a source is copied with a warning, and
// --ignore-locks is the way past that. What is a part of the source is no target, whatever is ignored.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class InUseTests : IDisposable
{
    const int DiskBytes = 4 << 20;

    readonly TempFolder _folder = new();

    public InUseTests()
    {
        Disks.Random(_folder["disk.img"], DiskBytes);
        Disks.Random(_folder["used.img"], DiskBytes, seed: 2);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ImageOfAnotherProgram()
    {
        byte[] before = File.ReadAllBytes(_folder["used.img"]);
        using (RunningProgram server = Serve("used.img"))
        {
            Backup("disk.img", "used.img", "--force")
                .Expect(1)
                .ExpectSentence("target 'used.img' is being written by another program", "--ignore-locks");
            Assert.Equal(before, File.ReadAllBytes(_folder["used.img"]));
            AssertWarned(
                Backup("used.img", "copy.img", "--quiet"),
                "source 'used.img' is being written by another program"
            );
            ProgramResult compared = Programs.Fastbackup(_folder.Path, "compare", "copy.img", "used.img");
            AssertWarned(compared, "second disk 'used.img' is being written");
            Assert.Empty(Backup("used.img", "other.img", "--ignore-locks").Expect(0).Warnings);
            Backup("disk.img", "used.img", "--force", "--ignore-locks").Expect(0);
        }
        Disks.AssertEqual(_folder["disk.img"], _folder["used.img"]);
    }

    [Fact]
    public void DisksOfABackup_AreSeenByOtherPrograms()
    {
        Requires.Command("qemu-nbd");
        string[] slow = ["backup", "disk.img", "copy.img", "--speed", "500KiB"];
        using RunningProgram backup = Programs.StartFastbackup(_folder.Path, slow);
        Eventually.True(() => File.Exists(_folder["copy.img.partial"]));
        foreach (string image in new[] { "disk.img", "copy.img.partial" })
        {
            ProgramResult refused = Programs.Run(_folder.Path, "qemu-nbd", "-f", "raw", "-k", _folder["q"], image);
            Assert.Contains("Failed to get", refused.Expect(1).Error, StringComparison.Ordinal);
        }
        backup.Signal("INT");
        Assert.Equal(130, backup.Wait().ExitCode);
    }

    [Fact]
    public void FileBehindAMountedLoopDevice()
    {
        Requires.Command("mke2fs");
        Programs.Run(_folder.Path, "mke2fs", "-q", "-t", "ext4", "mounted.img", "8M").Expect(0);
        using LoopDevice loop = new(_folder["mounted.img"]);
        Assert.Empty(Backup("mounted.img", "first.img").Expect(0).Warnings); // attached, but not used
        using MountPoint mount = MountPoint.DeviceReadOnly(_folder["mount"], loop.Path);
        Backup("disk.img", "mounted.img", "--force")
            .Expect(1)
            .ExpectSentence($"'mounted.img' is behind '{loop.Path}', which is mounted", "--ignore-locks");
        AssertWarned(Backup("mounted.img", "copy.img"), $"is behind '{loop.Path}', which is mounted");
    }

    [Fact]
    public void SwapFile()
    {
        Requires.Root();
        Requires.Command("mkswap");
        Programs.Run(_folder.Path, "mkswap", "used.img").Expect(0);
        File.SetUnixFileMode(_folder["used.img"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        ProgramResult on = Programs.Run(_folder.Path, "swapon", "used.img");
        Requires.That(on.ExitCode == 0, "needs to swap onto a file: " + on.Error.Trim());
        try
        {
            Backup("disk.img", "used.img", "--force").Expect(1).ExpectSentence("'used.img' is used as swap space");
        }
        finally
        {
            Programs.Run(_folder.Path, "swapoff", "used.img").Expect(0);
        }
    }

    [Fact]
    public void OwnPart_IsNoTarget()
    {
        using LoopDevice loop = new(_folder["disk.img"]);
        using DiskPart onlyPart = new(loop, 2048, 4096);
        string part = onlyPart.Path;
        string picture = FolderPicture.Take(_folder.Path);
        (string Source, string Target)[] pairs = [(loop.Path, part), (part, loop.Path), (part, "disk.img")];
        foreach ((string source, string target) in pairs)
            Backup(source, target, "--force", "--ignore-locks")
                .Expect(1)
                .ExpectSentence($"'{target}'", $"'{source}' are parts of each other");
        Assert.Equal(picture, FolderPicture.Take(_folder.Path));
    }

    [Fact]
    public void DiskWithAMountedPart_IsNoTarget()
    {
        Requires.Command("mke2fs");
        Disks.Sparse(_folder["parted.img"], 32 << 20);
        using LoopDevice loop = new(_folder["parted.img"]);
        using DiskPart part = new(loop, 2048, 61440);
        Programs.Run("/", "mke2fs", "-q", "-t", "ext4", part.Path).Expect(0);
        using MountPoint mount = MountPoint.Device(_folder["mount"], part.Path);
        foreach (string target in new[] { loop.Path, "parted.img" })
            Backup("disk.img", target, "--force").Expect(1).ExpectSentence($"'{target}'", "mounted or in use");
        AssertWarned(Backup(loop.Path, "copy.img"), "is mounted or in use");
    }

    [Fact]
    public void ReadOnlyBlockDevice_IsNoTarget()
    {
        using LoopDevice loop = new(_folder["used.img"], isReadOnly: true);
        byte[] before = loop.ReadAll();
        Backup("disk.img", loop.Path, "--force").Expect(1).ExpectSentence($"'{loop.Path}' is read-only");
        Assert.Equal(before, loop.ReadAll());
    }

    [Fact]
    public void LoopDeviceWithAnEndThatNobodyCanRead_IsNoSource()
    {
        Disks.Random(_folder["odd.img"], (1 << 20) + 1536);
        using LoopDevice loop = new(_folder["odd.img"], sectorBytes: 4096);
        Backup(loop.Path, "copy.img").Expect(1).ExpectSentence($"'{loop.Path}' has 1050112 bytes", "the last 1536");
    }

    RunningProgram Serve(string image)
    {
        Requires.Command("qemu-nbd");
        string[] line = ["-f", "raw", "-t", "-k", _folder["server.sock"], image];
        RunningProgram server = new(_folder.Path, Requires.FindCommand("qemu-nbd")!, line);
        Eventually.True(() => File.Exists(_folder["server.sock"]));
        return server;
    }

    ProgramResult Backup(params string[] arguments) => Programs.Fastbackup(_folder.Path, ["backup", .. arguments]);

    static void AssertWarned(ProgramResult result, string part) =>
        Assert.Contains(result.Expect(0).Warnings, line => line.Contains(part, StringComparison.Ordinal));
}
