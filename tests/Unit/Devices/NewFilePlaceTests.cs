// Where a new disk is not made, on lines of /proc/self/mountinfo and /etc/fstab as they are on real machines.
using System;
using System.IO;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Devices.Targets;
using FastBackup.Ports.Linux;
using FastBackup.Runtime;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

[Trait("System", "Linux")] // mounts, /dev and /proc
public sealed class NewFilePlaceTests
{
    static readonly string[] s_mounts =
    [
        "1 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw",
        "20 1 0:5 / /dev rw,nosuid shared:2 - devtmpfs udev rw,size=1k",
        "21 20 0:22 / /dev/shm rw - tmpfs tmpfs rw",
        "22 1 0:20 / /sys rw shared:7 master:1 - sysfs sysfs rw",
        "23 1 0:30 / /tmp rw - tmpfs tmpfs rw",
        "24 1 8:17 / /mnt/back\\040up rw - xfs /dev/sdb1 rw",
        "25 1 8:33 / /srv/images rw - ext4 /dev/sdc1 rw",
        "not a line of it",
        "26 1 x:y / /broken rw - ext4 none rw",
    ];

    static readonly string[] s_fstab =
    [
        "# /etc/fstab",
        "UUID=1 / ext4 defaults 0 1",
        "UUID=2 /mnt/back\\040up xfs defaults 0 2",
        "UUID=3\t/srv/images\text4\tdefaults 0 2",
        "UUID=4 /backup ext4 noauto 0 2",
        "UUID=5 none swap sw 0 0",
        "short line",
    ];

    readonly MountTable _mounts = MountTable.Parse(s_mounts);

    [Theory]
    [InlineData(20, "'x' does not exist, and a new file in /dev would lie in memory")]
    [InlineData(22, "'x' would lie on sysfs")]
    [InlineData(21, "")]
    [InlineData(23, "")]
    [InlineData(24, "")]
    [InlineData(1, "")]
    [InlineData(99, "")] // not known: the file system will say what it thinks
    public void AMount_IsJudgedByItsKind(uint id, string sentence)
    {
        OpenRefusal refusal = NewFilePlace.Judge(_mounts.Find(id, 0), "x");
        Assert.Equal(sentence.Length == 0, refusal.IsNone);
        Assert.StartsWith(sentence, refusal.Sentence ?? "", StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutItsNumber_AMountIsFoundByItsDevice() =>
        Assert.Equal("/mnt/back up", _mounts.Find(0, 8ul << 32 | 17)!.Value.Point);

    [Fact]
    public void ATmpfsOnDev_IsTheSame() // as in containers
    {
        MountTable table = MountTable.Parse(["5 1 0:9 / /dev rw - tmpfs tmpfs rw"]);
        Assert.False(NewFilePlace.Judge(table.Find(5, 0), "x").IsNone);
    }

    [Theory]
    [InlineData("/backup", "/backup")]
    [InlineData("/backup/a/b", "/backup")]
    [InlineData("/backups", null)]
    [InlineData("/srv/images/a", null)]
    [InlineData("/mnt/back up/a", null)]
    [InlineData("/home", null)]
    public void AFolderThatOnlyLooksLikeAMountPoint_IsFound(string folder, string? point) =>
        Assert.Equal(point, NewFilePlace.FindUnmounted(folder, s_fstab, _mounts));

    [Theory]
    [InlineData("/dev/fastbackup-no-such-disk", "in /dev")]
    [InlineData("/proc/fastbackup-no-such-disk", "would lie on proc")]
    [InlineData("/sys/fastbackup-no-such-disk", "would lie on sysfs")]
    public void TheKernelsOwnFolders_GetNoFile(string path, string part)
    {
        Requires.SystemPath(Path.GetDirectoryName(path)!);
        using ThreadedFileIo fileIo = new(2, 64, "fb-test");
        using Reactor reactor = new(fileIo, MonotonicClock.Instance, ReactorLimits.Default);
        FileOpenOptions options = new() { Path = path, CreateBytes = 4096 };
        OpenRefusal refusal = DeviceOpener.TryOpen(reactor, options, out FileDevice? device);
        Assert.Null(device);
        Assert.Contains(part, refusal.Sentence, StringComparison.Ordinal);
        Assert.False(File.Exists(path));
        refusal = ScratchFile.TryOpen(reactor, path, 1 << 20, mayOverwriteDevice: true, out device);
        Assert.Contains(part, refusal.Sentence, StringComparison.Ordinal);
        TargetOptions target = new() { Path = path, SizeBytes = 4096 };
        refusal = TargetPlace.TryPlan(NameCalls.Kernel, target, out _);
        Assert.Contains(part, refusal.Sentence, StringComparison.Ordinal);
    }
}
