// Which programs of the system the tests run, and the Debian package that brings each. A new test that
// runs a program adds its line here and asks for it with Requires.Command at run time.
using System.Linq;
using FastBackup.Tests.Processes;

namespace FastBackup.Dev;

static class Commands
{
    /// <summary>A command's name, or the full path of a file, and the package that has it.</summary>
    public static readonly (string Command, string Package)[] Needed =
    [
        ("git", "git"),
        ("fio", "fio"),
        ("qemu-img", "qemu-utils"),
        ("qemu-io", "qemu-utils"),
        ("qemu-nbd", "qemu-utils"),
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
        ("addpart", "util-linux"),
        ("mkswap", "util-linux"),
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
        ("nbd-client", "nbd-client"),
        ("/usr/lib/python3/dist-packages/nbd.py", "python3-libnbd"),
        ("openssl", "openssl"),
        ("bindfs", "bindfs"),
        ("python3", "python3"),
        ("/usr/lib/wine/wine64", "wine64"),
        ("taskset", "util-linux"),
        ("x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64"),
        ("restic", "restic"),
        ("rclone", "rclone"),
        ("fusermount3", "fuse3"),
        ("ceph", "ceph-common"),
        ("ceph-mon", "ceph-mon"),
        ("ceph-osd", "ceph-osd"),
        ("rbd", "ceph-common"),
        ("radosgw", "radosgw"),
        ("man", "man-db"),
        ("mandoc", "mandoc"),
        ("zsh", "zsh"),
        ("fish", "fish"),
        ("systemd-analyze", "systemd"),
        ("mmdebstrap", "mmdebstrap"),
        ("dh", "debhelper"),
        ("chromium", "chromium"),
        ("qemu-aarch64", "qemu-user"),
        ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
        ("/usr/aarch64-linux-gnu/include/stdio.h", "libc6-dev-arm64-cross"),
        ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", "fonts-dejavu-core"),
    ];

    public static (string Command, string Package)[] Missing() =>
        [.. Needed.Where(item => SystemPrograms.Find(item.Command) == null)];
}
