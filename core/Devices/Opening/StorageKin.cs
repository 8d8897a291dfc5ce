// Whether two disks share storage: one is the other, a part of it, or made of it, however many layers lie between
// (BlockTree, loop devices). Two parts of one disk, or two volumes of one group, share nothing.
// Does not see that a file lies in a file system on a disk, nor through servers of disks.
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;

namespace FastBackup.Devices.Opening;

/// <summary>Immutable.</summary>
public sealed class StorageKin : StorageIdentity
{
    const int LoopsMax = 8;

    readonly HashSet<FileIdentity> _madeOf = [];
    readonly FileIdentity _node;

    StorageKin(FileIdentity node, FileIdentity identity) => (_node, Identity) = (node, identity);

    /// <summary>The disk; a loop device is its backing file.</summary>
    public FileIdentity Identity { get; }

    /// <summary>Of an open file or block device.</summary>
    public static Fault TryGet(int fd, out StorageKin? kin) => DiskFiles.Current.TryGetKin(fd, out kin);

    internal static Fault TryGetLinux(int fd, out StorageKin? kin)
    {
        kin = null;
        FileIdentity identity = default;
        Fault fault = FileIdentity.TryGetNode(fd, out FileIdentity node);
        if (fault.IsNone)
            fault = FileIdentity.TryGet(fd, out identity);
        if (fault.IsFault)
            return fault;
        kin = new StorageKin(node, identity);
        kin.Add(node);
        kin.Add(identity);
        kin.AddBelowLoops();
        return Fault.None;
    }

    /// <summary>Of a regular file, which is made of nothing else, or of one of which no more is known.</summary>
    public static StorageKin OfFile(FileIdentity file)
    {
        StorageKin kin = new(file, file);
        kin.Add(file);
        return kin;
    }

    public override bool Shares(StorageIdentity other) =>
        other is StorageKin kin
            ? IsMadeOf(kin) || kin.IsMadeOf(this)
            : other is LayeredStorage layers && layers.Shares(this);

    bool IsMadeOf(StorageKin other) => _madeOf.Contains(other._node) || _madeOf.Contains(other.Identity);

    void Add(FileIdentity device)
    {
        if (device.IsBlockDevice)
            _madeOf.UnionWith(BlockTree.OfThisMachine.MadeOf(device));
        else
            _ = _madeOf.Add(device);
    }

    /// <summary>A part of a loop device, or a loop device over another, lies in the file at the bottom.</summary>
    void AddBelowLoops()
    {
        HashSet<FileIdentity> asked = [_node];
        for (int round = 0; round < LoopsMax; round++)
        {
            int count = asked.Count;
            foreach (FileIdentity device in (FileIdentity[])[.. _madeOf])
                if (device.IsBlockDevice && asked.Add(device) && TryGetBacking(device, out FileIdentity backing))
                    Add(backing);
            if (asked.Count == count)
                return;
        }
    }

    static bool TryGetBacking(FileIdentity device, out FileIdentity backing)
    {
        backing = default;
        if (BlockTree.OfThisMachine.LoopNode(device) is not { } path)
            return false;
        int fd = Files.Open(path, Files.O_RDONLY | Files.O_NONBLOCK | Files.O_CLOEXEC, 0);
        if (fd < 0)
            return false;
        bool isFound = FileIdentity.TryGet(fd, out backing).IsNone && backing != device;
        _ = Files.Close(fd);
        return isFound;
    }
}
