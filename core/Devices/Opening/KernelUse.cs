// Whether the kernel itself uses a disk: mounted, part of something that is, behind a loop device that is, swap.
//
//   block device   the exclusive open tells, for parts and wholes, too; when it is to be written the opener has done it
//   loop devices   their backing files and devices are claimed by nobody: each loop device in use is asked for its own
//   swap           files are listed; swap devices are claimed
//
// What this user may not look at counts as not in use. Cost: three system calls for each loop device that is in use.
// Source: open(2) on O_EXCL without O_CREAT; sysfs, /sys/block/loopN/loop/backing_file; proc(5), /proc/swaps.
using System.IO;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;

namespace FastBackup.Devices.Opening;

static class KernelUse
{
    const string Blocks = "/sys/block";
    const string Swaps = "/proc/swaps";

    /// <summary>How the kernel uses it, to follow on "is"; null: not, or nobody may know.</summary>
    public static string? Find(LinuxFile file, bool isReadOnly)
    {
        if (file.IsBlockDevice && isReadOnly && IsClaimed(LinuxFile.Reopen(file.Fd, Files.O_RDONLY | Files.O_EXCL)))
            return "mounted or in use by another program";
        if (FileIdentity.TryGet(file.Fd, out FileIdentity identity).IsFault)
            return null;
        string? name = FindLoop(identity, file);
        if (name != null)
            return $"behind '{name}', which is mounted or in use by another program";
        return !file.IsBlockDevice && IsSwap(identity) ? "used as swap space" : null;
    }

    /// <returns>Whether an exclusive open failed because of somebody; closes it otherwise.</returns>
    static bool IsClaimed(int fd)
    {
        if (fd < 0)
            return Marshal.GetLastPInvokeError() == Errnos.EBUSY;
        _ = Files.Close(fd);
        return false;
    }

    /// <summary>The node of a loop device in use over the same storage; not the disk itself.</summary>
    static string? FindLoop(in FileIdentity identity, LinuxFile file)
    {
        if (FileIdentity.TryGetNode(file.Fd, out FileIdentity node).IsFault)
            return null;
        foreach (string folder in SystemText.Folders(Blocks, "loop*"))
        {
            string name = "/dev/" + Path.GetFileName(folder);
            if (!File.Exists(folder + "/loop/backing_file"))
                continue;
            int fd = Files.Open(name, Files.O_RDONLY | Files.O_NONBLOCK | Files.O_CLOEXEC, 0);
            if (fd < 0)
                continue;
            bool isOver =
                FileIdentity.TryGet(fd, out FileIdentity backing).IsNone
                && backing == identity
                && FileIdentity.TryGetNode(fd, out FileIdentity loop).IsNone
                && loop != node;
            bool isUsed = isOver && IsClaimed(LinuxFile.Reopen(fd, Files.O_RDONLY | Files.O_EXCL));
            _ = Files.Close(fd);
            if (isUsed)
                return name;
        }
        return null;
    }

    static bool IsSwap(in FileIdentity identity)
    {
        foreach (string line in SystemText.Lines(Swaps))
        {
            string path = line.Split(' ', '\t')[0];
            if (!path.StartsWith('/'))
                continue;
            int fd = Files.Open(SystemText.Unescape(path), Files.O_PATH | Files.O_CLOEXEC, 0);
            if (fd < 0)
                continue;
            bool isSame = FileIdentity.TryGet(fd, out FileIdentity swap).IsNone && swap == identity;
            _ = Files.Close(fd);
            if (isSame)
                return true;
        }
        return false;
    }
}
