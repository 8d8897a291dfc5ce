// Where a benchmark's files may lie: on a disk rather than in memory, and with enough space.
using System;
using System.IO;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Peers;

public static class DiskFolder
{
    /// <summary>The temporary folder, or one on a disk where that is in memory.</summary>
    public static string Default()
    {
        string temporary = Path.GetTempPath();
        return IsInMemory(temporary) && Directory.Exists("/var/tmp") ? "/var/tmp" : temporary;
    }

    /// <summary>Whether a folder lies on tmpfs or ramfs.</summary>
    public static unsafe bool IsInMemory(string folder)
    {
        int fd = Files.Open(folder, Files.O_RDONLY | Files.O_CLOEXEC, 0);
        if (fd < 0)
            return false;
        StatFs fs = default;
        // SAFETY: the kernel fills the structure during the call only.
        bool isKnown = Files.FStatFs(fd, &fs) == 0;
        _ = Files.Close(fd);
        return isKnown && fs.Type is Files.TMPFS_MAGIC or Files.RAMFS_MAGIC;
    }

    /// <exception cref="PeerException">Less is free than needed, with some to spare.</exception>
    public static void RequireSpace(string folder, ulong neededBytes)
    {
        if (!Directory.Exists(folder))
            throw new PeerException($"'{folder}' is not a directory");
        ulong freeBytes = (ulong)new DriveInfo(folder).AvailableFreeSpace;
        if (freeBytes < neededBytes + neededBytes / 16)
            throw new PeerException(
                $"'{folder}' has {freeBytes / Units.MiB} MiB free; the benchmark needs {neededBytes / Units.MiB} MiB"
            );
    }
}
