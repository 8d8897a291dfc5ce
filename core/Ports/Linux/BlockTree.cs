// What block devices are made of, as sysfs tells: a part of its disk, a mapped device, RAID or cache of its members, a
// loop device of its file. All paths to one disk of a multipath device are that device.
// Cost: some file reads a device. What cannot be read is made of nothing.
// Source: sysfs, /sys/dev/block/MAJOR:MINOR/{partition,slaves,holders,dm/uuid}; the prefix "mpath-" is multipathd's.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace FastBackup.Ports.Linux;

/// <param name="root">/sys/dev/block, or a picture of it.</param>
public sealed class BlockTree(string root)
{
    const int DepthMax = 32;
    const string PathsPrefix = "mpath-";

    public static BlockTree OfThisMachine { get; } = new("/sys/dev/block");

    /// <summary>The device, and what it lies on down to the disks; loop devices are another's affair.</summary>
    public HashSet<FileIdentity> MadeOf(FileIdentity device)
    {
        HashSet<FileIdentity> found = [];
        Add(device, found, DepthMax);
        return found;
    }

    /// <summary>Whether it is a part of a disk.</summary>
    public bool IsPart(FileIdentity device) => File.Exists(FolderOf(device) + "/partition");

    /// <summary>The node of a loop device that has a file; null for others.</summary>
    public string? LoopNode(FileIdentity device)
    {
        string folder = FolderOf(device);
        return File.Exists(folder + "/loop/backing_file")
            ? "/dev/" + Path.GetFileName(SystemText.Resolve(folder))
            : null;
    }

    void Add(FileIdentity device, HashSet<FileIdentity> found, int depthLeft)
    {
        if (!found.Add(device) || depthLeft == 0)
            return;
        string folder = FolderOf(device);
        if (IsPart(device) && Read(ParentOf(folder) + "/dev") is { } whole)
            Add(whole, found, depthLeft - 1);
        foreach (string member in SystemText.Folders(folder + "/slaves"))
            if (Read(member + "/dev") is { } below)
                Add(below, found, depthLeft - 1);
        foreach (string above in SystemText.Folders(folder + "/holders"))
            if (IsOfPaths(above) && Read(above + "/dev") is { } paths)
                Add(paths, found, depthLeft - 1);
    }

    string FolderOf(FileIdentity device) =>
        Path.Combine(root, FormattableString.Invariant($"{device.Major}:{device.Minor}"));

    /// <summary>The links of sysfs lead into the tree of devices, where a part lies inside of its disk.</summary>
    static string ParentOf(string folder) => Path.GetDirectoryName(SystemText.Resolve(folder)) ?? "/";

    static bool IsOfPaths(string folder) =>
        SystemText
            .Lines(folder + "/dm/uuid")
            .Any(static uuid => uuid.StartsWith(PathsPrefix, StringComparison.Ordinal));

    static FileIdentity? Read(string path) =>
        SystemText.Lines(path) is [string line, ..] && SystemText.TryParseDevice(line, out uint major, out uint minor)
            ? FileIdentity.OfBlockDevice(major, minor)
            : null;
}
