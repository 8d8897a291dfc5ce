// Which programs of the system the tests run, and the Debian package that brings each. A new test that
// runs a program adds its line here and asks for it with Requires.Command at run time.
using System;
using System.IO;
using System.Linq;

namespace FastBackup.Dev;

static class Commands
{
    public static readonly string[] SystemFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

    /// <summary>A command's name, or the full path of a file, and the package that has it.</summary>
    public static readonly (string Command, string Package)[] Needed =
    [
        ("git", "git"),
        ("fio", "fio"),
        ("qemu-img", "qemu-utils"),
        ("qemu-storage-daemon", "qemu-system-common"),
        ("qemu-system-x86_64", "qemu-system-x86"),
        ("mke2fs", "e2fsprogs"),
        ("e2fsck", "e2fsprogs"),
        ("debugfs", "e2fsprogs"),
        ("mkfs.xfs", "xfsprogs"),
        ("xfs_repair", "xfsprogs"),
        ("losetup", "mount"),
        ("mount", "mount"),
        ("setpriv", "util-linux"),
        ("fsfreeze", "util-linux"),
        ("script", "bsdutils"),
        ("strace", "strace"),
        ("gcc", "gcc"),
        ("make", "make"),
        ("g++", "g++"),
        ("nm", "binutils"),
        ("readelf", "binutils"),
        ("pkg-config", "pkg-config"),
        ("clang", "clang"),
        ("/usr/include/stdio.h", "libc6-dev"),
        ("/usr/include/linux/io_uring.h", "linux-libc-dev"),
        ("valgrind", "valgrind"),
        ("nbdkit", "nbdkit"),
        ("/usr/include/nbdkit-plugin.h", "nbdkit-plugin-dev"),
        ("nbdinfo", "libnbd-bin"),
        ("python3", "python3"),
    ];

    public static bool IsPresent(string command)
    {
        if (Path.IsPathRooted(command))
            return File.Exists(command);
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        return folders.Concat(SystemFolders).Any(folder => File.Exists(Path.Combine(folder, command)));
    }

    public static (string Command, string Package)[] Missing() => [.. Needed.Where(item => !IsPresent(item.Command))];
}
