// What lies at a path, without opening a regular file: its kind, and which storage it is.
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.BlockIo;
using FastBackup.Interop.Linux;

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
    const ulong StatBlockBytes = 512; // whatever the file system's own unit is. Source: statx(2)

    /// <returns>None, also when nothing is there; else why it cannot be seen.</returns>
    public static unsafe Fault TryLook(string path, out PathLook look)
    {
        look = default;
        Statx status;
        // SAFETY: the kernel fills the structure during the call only.
        if (Files.Statx(Files.AT_FDCWD, path, 0, Files.STATX_BASIC_STATS, &status) < 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            return errno == Errnos.ENOENT ? Fault.None : Errnos.ToFault(errno);
        }
        int type = status.Mode & Files.S_IFMT;
        if (type == Files.S_IFREG)
        {
            ulong device = (ulong)status.DevMajor << 32 | status.DevMinor;
            look = new PathLook(
                PathKind.File,
                new FileIdentity(false, device, status.Inode),
                status.Blocks * StatBlockBytes
            );
            return Fault.None;
        }
        if (type == Files.S_IFBLK)
            return TryLookAtBlock(path, out look);
        look = new PathLook(type == Files.S_IFDIR ? PathKind.Folder : PathKind.Other, default);
        return Fault.None;
    }

    static Fault TryLookAtBlock(string path, out PathLook look)
    {
        look = new PathLook(PathKind.BlockDevice, default);
        int fd = Files.Open(path, Files.O_RDONLY | Files.O_NONBLOCK | Files.O_CLOEXEC, 0);
        if (fd < 0)
            return Errnos.ToFault(Marshal.GetLastPInvokeError());
        Fault fault = FileIdentity.TryGet(fd, out FileIdentity identity);
        _ = Files.Close(fd);
        look = look with { Identity = identity };
        return fault;
    }
}
