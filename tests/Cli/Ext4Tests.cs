// A real disk: an ext4 file system made from a tree of files, as an image and through loop devices with both
// sector sizes. After the backup the copy compares identical, passes fsck, and holds the same tree.
using System;
using System.Globalization;
using System.IO;
using FastBackup.Base;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class Ext4Tests : IDisposable
{
    const long DiskBytes = 96 << 20;

    readonly TempFolder _folder = new();

    public Ext4Tests()
    {
        Requires.Command("mke2fs");
        Requires.Command("e2fsck");
        Requires.Command("debugfs");
        MakeTree(_folder["tree"]);
        string blocks = (DiskBytes / 4096).ToString(CultureInfo.InvariantCulture);
        string[] line = ["-q", "-t", "ext4", "-b", "4096", "-d", "tree", "disk.img", blocks];
        Programs.Run(_folder.Path, "mke2fs", line).Expect(0);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Image_IsCopiedToAFile()
    {
        Programs.Fastbackup(_folder.Path, "backup", "disk.img", "copy.img").Expect(0);
        Programs.Fastbackup(_folder.Path, "compare", "disk.img", "copy.img").Expect(0);
        AssertSameFileSystem("copy.img");
    }

    [Theory]
    [InlineData(512, 512)]
    [InlineData(512, 4096)]
    [InlineData(4096, 512)]
    [InlineData(4096, 4096)]
    public void LoopDevice_IsCopiedToALoopDevice(int sourceSectorBytes, int targetSectorBytes)
    {
        Disks.Random(_folder["other.img"], DiskBytes, seed: 5); // what was there must not shine through
        using LoopDevice source = new(_folder["disk.img"], sourceSectorBytes);
        using LoopDevice target = new(_folder["other.img"], targetSectorBytes);
        Programs.Fastbackup(_folder.Path, "backup", source.Path, target.Path, "--force").Expect(0);
        Programs.Fastbackup(_folder.Path, "compare", source.Path, target.Path).Expect(0);
        AssertSameFileSystem(target.Path);
    }

    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    public void LoopDevice_IsCopiedToAFileAndBack(int sectorBytes)
    {
        using LoopDevice source = new(_folder["disk.img"], sectorBytes);
        Programs.Fastbackup(_folder.Path, "backup", source.Path, "copy.img").Expect(0);
        Programs.Fastbackup(_folder.Path, "compare", source.Path, "copy.img").Expect(0);
        AssertSameFileSystem("copy.img");

        Disks.Random(_folder["restored.img"], DiskBytes + 4096, seed: 5); // a larger disk will do
        using (LoopDevice target = new(_folder["restored.img"], sectorBytes))
            Programs.Fastbackup(_folder.Path, "backup", "copy.img", target.Path, "--force").Expect(0);
        AssertSameFileSystem("restored.img");
    }

    [Fact]
    public void MountedSource_IsCopiedWithAWarning()
    {
        using LoopDevice source = new(_folder["disk.img"]);
        using MountPoint mount = MountPoint.Device(_folder["mount"], source.Path);
        ProgramResult result = Programs.Fastbackup(_folder.Path, "backup", source.Path, "copy.img").Expect(0);
        Assert.Contains(result.Warnings, line => line.Contains("is mounted or in use", StringComparison.Ordinal));
    }

    void AssertSameFileSystem(string disk)
    {
        Programs.Run(_folder.Path, "e2fsck", "-fn", disk).Expect(0);
        Directory.CreateDirectory(_folder["out"]);
        Programs.Run(_folder.Path, "debugfs", "-R", "rdump / out", disk).Expect(0);
        Directory.Delete(_folder["out/lost+found"]);
        Assert.Equal(FolderPicture.Take(_folder["tree"], hasTimes: false), FolderPicture.Take(_folder["out"], false));
        Directory.Delete(_folder["out"], recursive: true);
    }

    /// <summary>Empty, small, odd, large and sparse files, deep folders, links, and names of all kinds.</summary>
    static void MakeTree(string root)
    {
        Prng prng = new(11);
        for (int folder = 0; folder < 12; folder++)
        {
            string path = Path.Combine(root, $"folder {folder}", folder % 3 == 0 ? "deep/deeper/deepest" : "flat");
            Directory.CreateDirectory(path);
            for (int file = 0; file < 20; file++)
            {
                byte[] content = new byte[(int)prng.Below(file == 0 ? 3_000_000u : 20_000u)];
                prng.Fill(content);
                File.WriteAllBytes(Path.Combine(path, $"file {file} ä"), content);
            }
        }
        File.WriteAllText(Path.Combine(root, "empty"), "");
        File.CreateSymbolicLink(Path.Combine(root, "link"), "folder 1/flat");
        Disks.Sparse(Path.Combine(root, "sparse"), 30_000_000, (10_000_000, 5_000));
    }
}
