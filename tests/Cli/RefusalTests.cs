// Every refusal: exit code 1, one sentence that names the value, the rule and what to do, and nothing changed:
// the folder is the same to the byte before and after.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class RefusalTests : IDisposable
{
    const long DiskBytes = 300_000;

    readonly TempFolder _folder = new();

    public RefusalTests() => Disks.Random(_folder["disk.img"], DiskBytes);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void MissingSource() =>
        AssertRefused(["nothing.img", "copy.img"], "'nothing.img'", "ENOENT", "check the path");

    [Fact]
    public void SourceThatIsADirectory()
    {
        Directory.CreateDirectory(_folder["folder"]);
        AssertRefused(["folder", "copy.img"], "'folder' is a directory", "give a disk image");
    }

    [Fact]
    public void SourceThatIsNoDisk() =>
        AssertRefused(["/dev/null", "copy.img"], "'/dev/null' is neither a regular file");

    [Fact]
    public void EmptySource()
    {
        File.WriteAllText(_folder["empty.img"], "");
        AssertRefused(["empty.img", "copy.img"], "'empty.img' is empty", "0 bytes");
    }

    [Fact]
    public void UnreadableSource()
    {
        string picture = FolderPicture.Take(_folder.Path);
        UnixFileMode mode = File.GetUnixFileMode(_folder["disk.img"]);
        File.SetUnixFileMode(_folder["disk.img"], UnixFileMode.None);
        ProgramResult result = Programs.FastbackupBoundByPermissions(_folder.Path, "backup", "disk.img", "copy.img");
        result.Expect(1).ExpectSentence("'disk.img'", "EACCES", "run as a user who may read it");
        File.SetUnixFileMode(_folder["disk.img"], mode);
        Assert.Equal(picture, FolderPicture.Take(_folder.Path));
    }

    [Fact]
    public void ExistingTarget()
    {
        File.WriteAllText(_folder["copy.img"], "precious");
        AssertRefused(["disk.img", "copy.img"], "'copy.img' exists", "--force");
    }

    [Fact]
    public void TargetThatIsADirectory()
    {
        Directory.CreateDirectory(_folder["folder"]);
        AssertRefused(["disk.img", "folder", "--force"], "'folder' is a directory", "name of a file in it");
        AssertRefused(["disk.img", "folder/", "--force"], "'folder/' names no file");
    }

    [Fact]
    public void TargetThatIsNoDisk() =>
        AssertRefused(["disk.img", "/dev/null", "--force"], "'/dev/null' is neither a regular file");

    [Theory]
    [InlineData("/dev/fastbackup-no-such-disk", "in /dev")]
    [InlineData("/proc/fastbackup-no-such-disk", "would lie on proc")]
    public void TargetWhereNoFilesAreKept(string path, string part)
    {
        AssertRefused(["disk.img", path], $"target '{path}'", part);
        Assert.False(File.Exists(path) || File.Exists(path + ".partial"));
    }

    [Fact]
    public void TargetInAMissingDirectory() =>
        AssertRefused(["disk.img", "nowhere/copy.img"], "nowhere/copy.img", "ENOENT", "folder must exist");

    [Fact]
    public void TargetBelowAFile() => AssertRefused(["disk.img", "disk.img/copy.img"], "ENOTDIR", "no folder");

    [Fact]
    public void TargetInADirectoryWithoutWritePermission()
    {
        Directory.CreateDirectory(_folder["folder"]);
        UnixFileMode mode = File.GetUnixFileMode(_folder["folder"]);
        File.SetUnixFileMode(_folder["folder"], UnixFileMode.UserRead | UnixFileMode.UserExecute);
        ProgramResult result = Programs.FastbackupBoundByPermissions(_folder.Path, "backup", "disk.img", "folder/copy");
        result.Expect(1).ExpectSentence("'folder/copy.partial'", "EACCES", "must be writable");
        File.SetUnixFileMode(_folder["folder"], mode);
        Assert.Empty(Directory.GetFiles(_folder["folder"]));
    }

    [Fact]
    public void TargetOnAReadOnlyFileSystem()
    {
        using MountPoint mount = MountPoint.Tmpfs(_folder["mount"], "size=1m,ro");
        AssertRefused(["disk.img", "mount/copy.img"], "'mount/copy.img.partial'", "EROFS", "writable file system");
    }

    [Fact]
    public void TargetThatIsTheSource_IsSeenThroughItsPath()
    {
        AssertRefused(["disk.img", "disk.img"], "is the source itself");
        AssertRefused(["disk.img", "disk.img", "--force"], "is the source itself");
        AssertRefused(["disk.img", _folder["./disk.img"], "--force"], "is the source itself");
    }

    [Fact]
    public void TargetThatIsTheSource_IsSeenThroughLinks()
    {
        File.CreateSymbolicLink(_folder["soft.img"], "disk.img");
        Programs.Run(_folder.Path, "ln", "disk.img", "hard.img").Expect(0);
        AssertRefused(["disk.img", "soft.img", "--force"], "'soft.img' is the source itself");
        AssertRefused(["disk.img", "hard.img", "--force"], "'hard.img' is the source itself");
        AssertRefused(["soft.img", "hard.img", "--force"], "'hard.img' is the source itself");
    }

    [Fact]
    public void TargetThatIsTheSource_IsSeenThroughLoopDevices()
    {
        Disks.Random(_folder["aligned.img"], 256 * 1024);
        using LoopDevice loop = new(_folder["aligned.img"]);
        using LoopDevice second = new(_folder["aligned.img"]);
        AssertRefused(["aligned.img", loop.Path, "--force"], "is the source itself");
        AssertRefused([loop.Path, "aligned.img", "--force"], "is the source itself");
        AssertRefused([loop.Path, loop.Path, "--force"], "is the source itself");
        AssertRefused([loop.Path, second.Path, "--force"], "is the source itself");
    }

    [Fact]
    public void PartialThatIsTheSource_IsNeverReplaced()
    {
        File.Move(_folder["disk.img"], _folder["copy.img.partial"]);
        AssertRefused(["copy.img.partial", "copy.img", "--force"], "'copy.img.partial', which is the source");
    }

    [Fact]
    public void LeftoverPartial()
    {
        File.WriteAllText(_folder["copy.img.partial"], "half");
        AssertRefused(["disk.img", "copy.img"], "'copy.img.partial' is left from", "remove it", "--force");
    }

    [Fact]
    public void PartialThatIsADirectory()
    {
        Directory.CreateDirectory(_folder["copy.img.partial"]);
        AssertRefused(["disk.img", "copy.img", "--force"], "'copy.img.partial', which is no regular file");
    }

    [Fact]
    public void BlockDeviceWithoutForce()
    {
        Disks.Random(_folder["big.img"], 512 * 1024, seed: 3);
        using LoopDevice loop = new(_folder["big.img"]);
        AssertRefused(["disk.img", loop.Path], $"'{loop.Path}' is a block device", "--force");
    }

    [Fact]
    public void BlockDeviceThatIsTooSmall()
    {
        Disks.Random(_folder["small.img"], 128 * 1024, seed: 3);
        using LoopDevice loop = new(_folder["small.img"]);
        AssertRefused(["disk.img", loop.Path, "--force"], $"'{loop.Path}' has 131072 bytes", "the source needs 300000");
    }

    [Fact]
    public void BlockDeviceThatIsMounted()
    {
        Requires.Command("mke2fs");
        Programs.Run(_folder.Path, "mke2fs", "-q", "-t", "ext4", "mounted.img", "8M").Expect(0);
        using LoopDevice loop = new(_folder["mounted.img"]);
        using MountPoint mount = MountPoint.DeviceReadOnly(_folder["mount"], loop.Path);
        byte[] before = loop.ReadAll();
        ProgramResult result = Programs.Fastbackup(_folder.Path, "backup", "disk.img", loop.Path, "--force");
        result.Expect(1).ExpectSentence($"'{loop.Path}' is mounted or in use", "release it first");
        Assert.Equal(before, loop.ReadAll());
    }

    [Theory]
    [InlineData("nothing.img", "disk.img", "first disk", "'nothing.img'")]
    [InlineData("disk.img", "nothing.img", "second disk", "'nothing.img'")]
    [InlineData("disk.img", ".", "second disk", "is a directory")]
    public void CompareOfWhatIsNoDisk(string left, string right, string role, string what) =>
        Programs.Fastbackup(_folder.Path, "compare", left, right).Expect(3).ExpectSentence(role, what);

    [Fact]
    public void DemoInAMissingFolder() =>
        Programs
            .Fastbackup(_folder.Path, "demo", "--dir", "nowhere")
            .Expect(1)
            .ExpectSentence("'nowhere' is not a folder");

    [Fact]
    public void DemoWithoutRoom() =>
        Programs
            .Fastbackup(_folder.Path, "demo", "--size", "16TiB", "--dir", ".")
            .Expect(1)
            .ExpectSentence("the demo needs 41.6 TiB in '.'", "are free", "smaller --size");

    [Fact]
    public void DoctorOfAMissingPath() =>
        Programs.Fastbackup(_folder.Path, "doctor", "nowhere").Expect(1).ExpectSentence("'nowhere'", "ENOENT");

    void AssertRefused(string[] arguments, params string[] parts)
    {
        string picture = FolderPicture.Take(_folder.Path);
        ProgramResult result = Programs.Fastbackup(_folder.Path, ["backup", .. arguments]);
        result.Expect(1).ExpectSentence(parts);
        Assert.Equal("", result.Output);
        Assert.Equal(picture, FolderPicture.Take(_folder.Path));
    }
}
