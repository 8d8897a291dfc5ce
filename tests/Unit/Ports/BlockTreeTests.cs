// What block devices are made of, on pictures of sysfs as the kernel draws it: /sys/dev/block/M:N are links into the
// tree of devices, where a part lies inside of its disk; slaves and holders are links to other devices.
using System;
using System.IO;
using System.Linq;
using FastBackup.Ports.Linux;
using Xunit;

namespace FastBackup.Tests.Unit.Ports;

[Trait("System", "Linux")] // sysfs
public sealed class BlockTreeTests : IDisposable
{
    readonly string _root = Directory.CreateTempSubdirectory("fastbackup-").FullName;
    readonly BlockTree _tree;

    public BlockTreeTests()
    {
        Directory.CreateDirectory(Path.Combine(_root, "block"));
        _tree = new BlockTree(Path.Combine(_root, "block"));
        Add("8:0", "sda");
        Add("8:1", "sda/sda1", isPart: true);
        Add("8:2", "sda/sda2", isPart: true);
        Add("8:16", "sdb");
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void ADisk_IsMadeOfItself() => AssertMadeOf("8:0", "8:0");

    [Fact]
    public void APart_IsMadeOfItsDisk_NotOfOtherParts() => AssertMadeOf("8:1", "8:1", "8:0");

    [Fact]
    public void AVolume_IsMadeOfItsMembers_DownToTheDisks()
    {
        Add("9:0", "md0", slaves: ["sda/sda2", "sdb"]); // RAID of a part and a disk
        Add("254:0", "dm-0", slaves: ["md0"]);
        AssertMadeOf("254:0", "254:0", "9:0", "8:2", "8:0", "8:16");
    }

    [Fact]
    public void PathsToOneDisk_AreThatDisk()
    {
        Add("254:1", "dm-1", slaves: ["sdb"], uuid: "mpath-3600508b400105e210000900000490000");
        Link("sdb/holders/dm-1", "dm-1");
        Add("254:2", "dm-2", slaves: ["sda"], uuid: "LVM-abcdef");
        Link("sda/holders/dm-2", "dm-2");
        AssertMadeOf("8:16", "8:16", "254:1");
        AssertMadeOf("8:0", "8:0"); // a volume on a disk is not the disk
    }

    [Fact]
    public void WhatSysfsDoesNotKnow_IsMadeOfItself() => AssertMadeOf("7:77", "7:77");

    [Fact]
    public void ACircle_Ends()
    {
        Link("sda/slaves/sdb", "sdb");
        Link("sdb/slaves/sda", "sda");
        AssertMadeOf("8:0", "8:0", "8:16");
    }

    void AssertMadeOf(string device, params string[] expected)
    {
        string[] found =
        [
            .. _tree.MadeOf(Parse(device)).Select(one => FormattableString.Invariant($"{one.Major}:{one.Minor}")),
        ];
        Assert.Equal(expected.Order(StringComparer.Ordinal), found.Order(StringComparer.Ordinal));
    }

    void Add(string device, string name, string[]? slaves = null, string? uuid = null, bool isPart = false)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_root, "devices", name)).FullName;
        File.WriteAllText(Path.Combine(folder, "dev"), device + "\n");
        if (isPart)
            File.WriteAllText(Path.Combine(folder, "partition"), "1\n");
        if (uuid != null)
            File.WriteAllText(Path.Combine(Directory.CreateDirectory(folder + "/dm").FullName, "uuid"), uuid + "\n");
        foreach (string slave in slaves ?? [])
            Link($"{name}/slaves/{Path.GetFileName(slave)}", slave);
        Directory.CreateSymbolicLink(Path.Combine(_root, "block", device), folder);
    }

    void Link(string from, string name)
    {
        string path = Path.Combine(_root, "devices", from);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        Directory.CreateSymbolicLink(path, Path.Combine(_root, "devices", name));
    }

    static FileIdentity Parse(string device)
    {
        uint[] numbers = [.. device.Split(':').Select(static text => uint.Parse(text, null))];
        return FileIdentity.OfBlockDevice(numbers[0], numbers[1]);
    }
}
