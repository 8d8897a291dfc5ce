// A target that does not answer: a file system that is frozen in the middle of a backup. The command ends its job and
// says what is still held, although the kernel lets the process go only when the file system thaws.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class HungTargetTests : IDisposable
{
    readonly TempFolder _folder = new();

    public HungTargetTests() => Disks.Random(_folder["disk.img"], 32 << 20);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Interrupt_WithAFrozenTarget_EndsTheJobAndSaysWhatIsHeld()
    {
        Requires.Command("fsfreeze");
        Requires.Command("mke2fs");
        Disks.Sparse(_folder["fs.img"], 96 << 20);
        Programs.Run("/", "mke2fs", "-q", "-t", "ext4", "-F", _folder["fs.img"]).Expect(0);
        using LoopDevice device = new(_folder["fs.img"]);
        using MountPoint mount = MountPoint.Device(_folder["mount"], device.Path);
        using RunningProgram backup = new(
            _folder.Path,
            "sh",
            ["-c", $"exec {BuiltCommand.Line} backup disk.img mount/copy.img --speed 8MiB 2> said.txt"]
        );
        Eventually.True(() => File.Exists(_folder["mount/copy.img.partial"]));
        Programs.Run("/", "fsfreeze", "--freeze", mount.Path).Expect(0);
        try
        {
            Eventually.True(backup.IsStuck); // in the next write: four a second are asked for
            backup.Signal("TERM");
            Eventually.True(() => Said().Contains("interrupted after", StringComparison.Ordinal));
            Assert.Contains("are still held by a device that does not answer", Said());
        }
        finally
        {
            Programs.Run("/", "fsfreeze", "--unfreeze", mount.Path).Expect(0);
        }
        backup.Wait().Expect(130);
    }

    string Said() => File.Exists(_folder["said.txt"]) ? File.ReadAllText(_folder["said.txt"]) : "";
}
