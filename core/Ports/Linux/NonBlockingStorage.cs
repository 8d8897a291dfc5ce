// Which files may be given to a ring: those of which it is known that a submission never waits for them.
//
// A ring submits with "do not block" (IOCB_NOWAIT), and a file system that ignores that does the whole transfer inside
// io_uring_enter, on the reactor's thread: one FUSE server that stops then stops every guest. The kernel hands a file
// over to its own threads only where it knows that the file cannot do otherwise, and before 6.4 it took that of every
// file system without a block device. So there is a list of those that honour it, and all others (FUSE, virtiofs, 9p,
// NFS, CIFS, overlayfs, what nobody has looked at) get threads of their own. IOSQE_ASYNC is no way out: the kernel's
// threads write one file's data one after the other.
// Source: io_uring/rw.c, io_file_supports_nowait and FMODE_NOWAIT; FMODE_NOWAIT in fs/{ext4,xfs,btrfs,f2fs}/file.c,
// mm/shmem.c; ext2 has no poll, so the kernel's threads take it; statfs(2) for the numbers.
//
// A block device honours it (blk-mq, or else the kernel knows), but for nbd, which sends to its socket in there. A loop
// is as good as its file, a mapped device (dm, md) as the worst below it.
// Cost: one system call, for block devices a few files of sysfs. May block as long as the storage does.
using System;
using System.Globalization;
using System.IO;
using System.Text;
using FastBackup.Interop.Linux;

namespace FastBackup.Ports.Linux;

/// <summary>Threads: any that may wait.</summary>
public static class NonBlockingStorage
{
    const int DepthMax = 8; // a loop on a file on a mapped device on ...
    const int MajorOfLoop = 7;
    const int MajorOfNbd = 43;

    /// <summary>Whether submissions on an open file are known not to block.</summary>
    /// <param name="fd">The file or block device.</param>
    /// <param name="isBlockDevice">Which of the two.</param>
    public static bool IsKnown(int fd, bool isBlockDevice) => IsKnown(fd, isBlockDevice, 0);

    static unsafe bool IsKnown(int fd, bool isBlockDevice, int depth)
    {
        if (isBlockDevice)
        {
            Statx status;
            // SAFETY: the kernel fills the structure during the call only.
            bool isKnown = Files.Statx(fd, "", Files.AT_EMPTY_PATH, Files.STATX_BASIC_STATS, &status) == 0;
            return isKnown && IsKnown((int)status.RdevMajor, (int)status.RdevMinor, depth);
        }
        StatFs fs = default;
        return Files.FStatFs(fd, &fs) == 0 && IsOfList(fs.Type);
    }

    static bool IsOfList(long fileSystem) =>
        fileSystem
            is Files.EXT4_SUPER_MAGIC
                or Files.XFS_SUPER_MAGIC
                or Files.BTRFS_SUPER_MAGIC
                or Files.F2FS_SUPER_MAGIC
                or Files.TMPFS_MAGIC
                or Files.RAMFS_MAGIC;

    static bool IsKnown(int major, int minor, int depth)
    {
        if (major == MajorOfNbd || depth > DepthMax)
            return false;
        string folder = string.Create(CultureInfo.InvariantCulture, $"/sys/dev/block/{major}:{minor}");
        if (major == MajorOfLoop)
            return IsLoopKnown(folder, depth);
        // A partition has no parts below: the disk is the folder above. Where there is no sysfs nothing is known of
        // what lies below, and most disks lie on nothing.
        if (Read(folder + "/partition") != null)
            return IsDiskKnown(Read(folder + "/../dev"), depth);
        string below = folder + "/slaves";
        if (!Directory.Exists(below))
            return true;
        foreach (string part in Directory.EnumerateFileSystemEntries(below))
            if (!IsDiskKnown(Read(part + "/dev"), depth))
                return false;
        return true;
    }

    /// <param name="number">"8:16", or null.</param>
    /// <param name="depth">Of who asks.</param>
    static bool IsDiskKnown(string? number, int depth)
    {
        string[] parts = number?.Split(':') ?? [];
        return parts.Length == 2
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int major)
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int minor)
            && IsKnown(major, minor, depth + 1);
    }

    static unsafe bool IsLoopKnown(string folder, int depth)
    {
        // A file that has another place by now, or in another namespace, is not found: then nothing is known.
        int fd = Read(folder + "/loop/backing_file") is { } path
            ? Files.Open(path, Files.O_PATH | Files.O_CLOEXEC, 0)
            : -1;
        if (fd < 0)
            return false;
        Statx status;
        // SAFETY: the kernel fills the structure during the call only.
        bool isKnown = Files.Statx(fd, "", Files.AT_EMPTY_PATH, Files.STATX_BASIC_STATS, &status) == 0;
        isKnown = isKnown && IsKnown(fd, (status.Mode & Files.S_IFMT) == Files.S_IFBLK, depth + 1);
        _ = Files.Close(fd);
        return isKnown;
    }

    /// <summary>A line of sysfs. Not by the framework, which resolves ".." before it follows links.</summary>
    static unsafe string? Read(string path)
    {
        int fd = Files.Open(path, Files.O_RDONLY | Files.O_CLOEXEC, 0);
        if (fd < 0)
            return null;
        const int lineBytesMax = 4096;
        byte* line = stackalloc byte[lineBytesMax];
        // SAFETY: the kernel writes at most that many bytes, during the call only.
        nint count = Files.Read(fd, line, lineBytesMax);
        _ = Files.Close(fd);
        return count < 0 ? null : Encoding.UTF8.GetString(line, (int)count).TrimEnd('\n');
    }
}
