// What lies at a path, without opening a regular file: its kind, and which storage it is.
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;

namespace FastBackup.Cli;

enum PathKind
{
    Missing,
    File,
    BlockDevice,
    Folder,

    /// <summary>A character device, FIFO or socket.</summary>
    Other,
}

/// <param name="Kind">What is there; symbolic links are followed.</param>
/// <param name="Identity">Of a file or block device; a loop device is its backing file.</param>
/// <param name="AllocatedBytes">What a file takes on its file system; 0 for others.</param>
readonly record struct PathLook(PathKind Kind, FileIdentity Identity, ulong AllocatedBytes = 0)
{
    /// <returns>None, also when nothing is there; else why it cannot be seen.</returns>
    public static Fault TryLook(string path, out PathLook look)
    {
        look = default;
        int result = NameCalls.Kernel.LookThrough(path, out NameLook found);
        if (result < 0)
            return result == -Errnos.ENOENT ? Fault.None : Errnos.ToFault(-result);
        if (found.IsFile)
            look = new PathLook(PathKind.File, found.Identity, found.AllocatedBytes);
        else if (found.IsBlockDevice)
            return TryLookAtBlock(path, out look);
        else
            look = new PathLook(found.IsFolder ? PathKind.Folder : PathKind.Other, default);
        return Fault.None;
    }

    static Fault TryLookAtBlock(string path, out PathLook look)
    {
        look = new PathLook(PathKind.BlockDevice, default);
        int fd = NameCalls.Kernel.Open(Files.AT_FDCWD, path, Files.O_RDONLY | Files.O_NONBLOCK);
        if (fd < 0)
            return Errnos.ToFault(-fd);
        Fault fault = StorageKin.TryGet(fd, out StorageKin? kin);
        NameCalls.Close(fd);
        look = look with { Identity = kin?.Identity ?? default };
        return fault;
    }
}
