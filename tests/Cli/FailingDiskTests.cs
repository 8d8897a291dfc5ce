// Disks that fail while they are used: a loop device whose backing file shrank answers with EIO behind its end.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class FailingDiskTests : IDisposable
{
    const int Mebi = 1 << 20;
    const int GoodBytes = 3 * Mebi;

    readonly TempFolder _folder = new();

    public FailingDiskTests() => Disks.Random(_folder["disk.img"], 8 * Mebi);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void UnreadableSource_IsReportedWithItsOffset()
    {
        using LoopDevice source = new(_folder["disk.img"]);
        Shrink("disk.img");
        ProgramResult result = Programs.Fastbackup(_folder.Path, "backup", source.Path, "copy.img").Expect(1);
        result.ExpectSentence($"cannot read source '{source.Path}'", "(EIO) at offset", "kept in 'copy.img.partial'");
        Assert.False(File.Exists(_folder["copy.img"]));
    }

    [Fact]
    public void UnreadableDisk_IsNoDifference()
    {
        File.Copy(_folder["disk.img"], _folder["copy.img"]);
        using LoopDevice disk = new(_folder["disk.img"]);
        Shrink("disk.img");
        ProgramResult result = Programs.Fastbackup(_folder.Path, "compare", disk.Path, "copy.img", "--json").Expect(3);
        result.ExpectSentence($"cannot read '{disk.Path}'", "(EIO) at offset");
        Assert.Contains("\"status\":\"failed\"", result.OutputLines[^1]);
    }

    [Fact]
    public void FullBlockDevice_IsReportedAndNamed()
    {
        using MountPoint mount = MountPoint.Tmpfs(_folder["mount"], "size=4m");
        Disks.Sparse(_folder["mount/thin.img"], 8 * Mebi); // more than there is room for
        using LoopDevice target = new(_folder["mount/thin.img"]);
        ProgramResult result = Programs
            .Fastbackup(_folder.Path, "backup", "disk.img", target.Path, "--force")
            .Expect(1);
        result.ExpectSentence($"cannot write target '{target.Path}'", "at offset", "holds an unfinished copy");
    }

    void Shrink(string name)
    {
        using FileStream file = File.OpenWrite(_folder[name]);
        file.SetLength(GoodBytes);
    }
}
