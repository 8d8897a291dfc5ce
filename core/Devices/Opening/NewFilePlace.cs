// Where no new disk is ever meant to be: file systems of the kernel's own, and /dev, where a mistyped device would
// become a file in memory. And where it is meant, but not there: a folder that fstab mounts and that is not mounted.
// tmpfs and ramfs are places like others, but not on /dev itself (containers have a tmpfs there; /dev/shm is its own).
// Source: filesystems(5), fstab(5).
using System;
using System.Collections.Frozen;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;

namespace FastBackup.Devices.Opening;

public static class NewFilePlace
{
    const string Devices = "/dev";

    static readonly FrozenSet<string> s_ofTheKernel = FrozenSet.ToFrozenSet(
        [
            "autofs",
            "binder",
            "binfmt_misc",
            "bpf",
            "cgroup",
            "cgroup2",
            "configfs",
            "debugfs",
            "devpts",
            "devtmpfs",
            "efivarfs",
            "fusectl",
            "mqueue",
            "nfsd",
            "nsfs",
            "proc",
            "pstore",
            "resctrl",
            "rpc_pipefs",
            "securityfs",
            "selinuxfs",
            "smackfs",
            "sysfs",
            "tracefs",
        ]
    );

    /// <summary>Whether a new file may be made in a folder.</summary>
    /// <param name="folderFd">Open, O_PATH will do.</param>
    /// <param name="path">Of the file, for people.</param>
    /// <returns>None, or why no disk is meant to be there.</returns>
    public static unsafe OpenRefusal Check(int folderFd, string path)
    {
        Statx status;
        const uint mask = Files.STATX_BASIC_STATS | Files.STATX_MNT_ID;
        // SAFETY: the kernel fills the structure during the call only.
        if (Files.Statx(folderFd, "", Files.AT_EMPTY_PATH, mask, &status) < 0)
            return default; // then the file will not be made either
        ulong id = (status.Mask & Files.STATX_MNT_ID) != 0 ? status.MountId : 0;
        ulong device = (ulong)status.DevMajor << 32 | status.DevMinor;
        return Judge(MountTable.OfThisProcess().Find(id, device), path);
    }

    /// <summary>The same, of a mount that is known; null is not judged.</summary>
    public static OpenRefusal Judge(Mount? mount, string path)
    {
        if (mount is not { } place)
            return default;
        if (place.Point == Devices)
            return OpenRefusal.Rule(
                $"'{path}' does not exist, and a new file in /dev would lie in memory; check the name of the device"
            );
        return s_ofTheKernel.Contains(place.FileSystem)
            ? OpenRefusal.Rule($"'{path}' would lie on {place.FileSystem}, where no files are kept; give another place")
            : default;
    }

    /// <summary>The mount point of fstab that a folder lies below though nothing is mounted there, or null.</summary>
    /// <param name="folderFd">Open, O_PATH will do.</param>
    public static string? FindUnmounted(int folderFd)
    {
        string folder = SystemText.Resolve(FormattableString.Invariant($"/proc/self/fd/{folderFd}"));
        return FindUnmounted(folder, SystemText.Lines("/etc/fstab"), MountTable.OfThisProcess());
    }

    /// <summary>The same, on texts.</summary>
    /// <param name="folder">Absolute, without links.</param>
    /// <param name="fstab">Lines.</param>
    /// <param name="mounts">What is mounted.</param>
    /// <returns>Null: none, as it should be.</returns>
    public static string? FindUnmounted(string folder, IEnumerable<string> fstab, MountTable mounts)
    {
        string? nearest = null;
        foreach (string line in fstab)
        {
            string[] fields = line.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length < 3 || fields[0].StartsWith('#'))
                continue;
            string point = SystemText.Unescape(fields[1]).TrimEnd('/');
            bool isAbove =
                point.Length > 1
                && folder.StartsWith(point, StringComparison.Ordinal)
                && (folder.Length == point.Length || folder[point.Length] == '/');
            if (isAbove && point.Length > (nearest?.Length ?? 0))
                nearest = point;
        }
        if (nearest == null)
            return null;
        foreach (Mount mount in mounts.Mounts) // at it, or between it and the folder
            if (mount.Point.Length >= nearest.Length && IsBelow(folder, mount.Point))
                return null;
        return nearest;
    }

    static bool IsBelow(string folder, string point) =>
        folder == point || folder.StartsWith(point + "/", StringComparison.Ordinal);
}
