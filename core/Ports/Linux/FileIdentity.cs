// Which storage a path really is, so that "target = source" is seen through hard links, symbolic links,
// second device nodes and loop devices. A loop device is its backing file; a file is its (device, inode).
// What a disk is made of besides, and is a part of, is known to StorageKin; two loops over different parts of one file
// count as the same.
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Ports.Linux;

/// <summary>Equal when two descriptors are the same storage.</summary>
/// <param name="IsBlockDevice">Then Device is the disk's own number and Inode 0.</param>
/// <param name="Device">Device number, major in the upper half.</param>
/// <param name="Inode">Inode of a regular file.</param>
public readonly record struct FileIdentity(bool IsBlockDevice, ulong Device, ulong Inode)
{
    const int LoopInfoBytes = 232; // struct loop_info64: lo_device at 0, lo_inode at 8, lo_rdevice at 16

    public uint Major => (uint)(Device >> 32);

    public uint Minor => (uint)Device;

    /// <summary>Identity of an open file or block device.</summary>
    public static unsafe Fault TryGet(int fd, out FileIdentity identity)
    {
        Fault fault = TryGetNode(fd, out identity);
        if (fault.IsFault || !identity.IsBlockDevice || BlockTree.OfThisMachine.IsPart(identity))
            return fault; // the loop driver answers for a part, too
        byte* loop = stackalloc byte[LoopInfoBytes];
        if (Files.Ioctl(fd, Files.LOOP_GET_STATUS64, loop) == 0)
        {
            ulong backingDevice = *(ulong*)(loop + 16); // lo_rdevice: not 0 when the loop is over a block device
            identity =
                backingDevice != 0
                    ? new FileIdentity(true, Decode(backingDevice), 0)
                    : new FileIdentity(false, Decode(*(ulong*)loop), *(ulong*)(loop + 8));
        }
        return Fault.None;
    }

    /// <summary>As TryGet, but a loop device is itself, not its backing file.</summary>
    public static unsafe Fault TryGetNode(int fd, out FileIdentity identity)
    {
        identity = default;
        Statx status;
        // SAFETY: the kernel fills the structure during the call only.
        if (Files.Statx(fd, "", Files.AT_EMPTY_PATH, Files.STATX_BASIC_STATS, &status) < 0)
            return Errnos.ToFault(Marshal.GetLastPInvokeError());
        identity =
            (status.Mode & Files.S_IFMT) == Files.S_IFBLK
                ? OfBlockDevice(status.RdevMajor, status.RdevMinor)
                : new FileIdentity(false, Number(status.DevMajor, status.DevMinor), status.Inode);
        return Fault.None;
    }

    public static FileIdentity OfBlockDevice(uint major, uint minor) => new(true, Number(major, minor), 0);

    static ulong Number(uint major, uint minor) => (ulong)major << 32 | minor;

    /// <summary>
    /// The loop driver reports huge_encode_dev: 12 bits of major above the low 8 of minor, the rest on top.
    /// </summary>
    static ulong Decode(ulong encoded) =>
        Number((uint)((encoded & 0xfff00) >> 8), (uint)(encoded & 0xff | (encoded >> 12 & 0xfff00)));
}
