// Signals and the end of a full disk: what was copied is kept under its partial name and never looks whole.
using System;
using System.IO;
using System.Linq;
using System.Threading;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class InterruptTests : IDisposable
{
    readonly TempFolder _folder = new();

    public InterruptTests() => Disks.Random(_folder["disk.img"], 32 << 20);

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    [InlineData("HUP")]
    public void Signal_EndsCleanlyAndKeepsThePartial(string signal)
    {
        using RunningProgram backup = StartSlowly();
        backup.Signal(signal);
        ProgramResult result = backup.Wait().Expect(130);
        result.ExpectSentence("interrupted after", "MiB of 32.0 MiB", "kept in 'copy.img.partial'", "--force");
        Assert.False(File.Exists(_folder["copy.img"]));
        Assert.Equal(32 << 20, new FileInfo(_folder["copy.img.partial"]).Length);

        Programs.Fastbackup(_folder.Path, "backup", "disk.img", "copy.img").Expect(1).ExpectSentence("is left from");
        Programs.Fastbackup(_folder.Path, "backup", "disk.img", "copy.img", "--force").Expect(0);
        Disks.AssertEqual(_folder["disk.img"], _folder["copy.img"]);
        Assert.False(File.Exists(_folder["copy.img.partial"]));
    }

    [Fact]
    public void Kill_LeavesOnlyThePartial()
    {
        using RunningProgram backup = StartSlowly();
        backup.Signal("KILL");
        backup.Wait().Expect(137);
        Assert.Equal(["copy.img.partial", "disk.img"], [.. Names().Except(["copy.img.resume"])]);
    }

    [Fact]
    public void Interrupt_OfForcedBackup_KeepsTheOldTarget()
    {
        Disks.Random(_folder["copy.img"], 100_000, seed: 9);
        byte[] old = File.ReadAllBytes(_folder["copy.img"]);
        using RunningProgram backup = StartSlowly("--force");
        backup.Signal("INT");
        backup.Wait().Expect(130);
        Assert.Equal(old, File.ReadAllBytes(_folder["copy.img"]));
        Assert.Equal(["copy.img", "copy.img.partial", "copy.img.resume", "disk.img"], Names());
    }

    [Fact]
    public void Interrupt_OfDemo_RemovesEverything()
    {
        using RunningProgram demo = Programs.StartFastbackup(_folder.Path, "demo", "--size", "4GiB", "--dir", ".");
        Eventually.True(() => Directory.GetDirectories(_folder.Path).Length == 1);
        Thread.Sleep(200);
        demo.Signal("INT");
        demo.Wait().Expect(130).ExpectSentence("interrupted");
        Assert.Equal(["disk.img"], Names());
    }

    [Fact]
    public void FullFileSystem_IsReportedWithItsOffset()
    {
        using MountPoint mount = MountPoint.Tmpfs(_folder["mount"], "size=20m");
        ProgramResult result = Programs.Fastbackup(_folder.Path, "backup", "disk.img", "mount/copy.img").Expect(1);
        result.ExpectSentence(
            "cannot write target 'mount/copy.img.partial'",
            "no space left on device (ENOSPC) at offset",
            "of 32.0 MiB",
            "kept in 'mount/copy.img.partial'"
        );
        string[] left = Directory.GetFiles(mount.Path).AsRelativeTo(_folder.Path);
        Assert.Equal(["mount/copy.img.partial"], [.. left.Except(["mount/copy.img.resume"])]);
    }

    [Fact]
    public void FullDisk_IsReportedWithItsOffset()
    {
        Requires.Root();
        Requires.Command("mke2fs");
        Programs.Run(_folder.Path, "mke2fs", "-q", "-t", "ext4", "small.img", "24M").Expect(0);
        using LoopDevice loop = new(_folder["small.img"]);
        using MountPoint mount = MountPoint.Device(_folder["mount"], loop.Path);
        ProgramResult result = Programs.Fastbackup(_folder.Path, "backup", "disk.img", "mount/copy.img").Expect(1);
        result.ExpectSentence("(ENOSPC) at offset", "kept in 'mount/copy.img.partial'");
        Assert.False(File.Exists(_folder["mount/copy.img"]));
    }

    RunningProgram StartSlowly(params string[] more)
    {
        string[] line = ["backup", "disk.img", "copy.img", "--speed", "4MiB", .. more];
        RunningProgram backup = Programs.StartFastbackup(_folder.Path, line);
        string partial = _folder["copy.img.partial"];
        Eventually.True(() => File.Exists(partial) && Disks.AllocatedBytes(partial) > 0);
        Thread.Sleep(300);
        return backup;
    }

    string[] Names() => Directory.GetFileSystemEntries(_folder.Path).AsRelativeTo(_folder.Path);
}
