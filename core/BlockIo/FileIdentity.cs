// Which storage a path really is, so that "target = source" is seen through hard links, symbolic links,
// second device nodes and loop devices. A loop device is its backing file; a file is its (device, inode).
// Does not see through device-mapper, RAID, partitions of one disk, or a loop over a loop; two loops over different
// parts of one file count as the same.
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.BlockIo;

/// <summary>Equal when two descriptors are the same storage.</summary>
/// <param name="IsBlockDevice">Then Device is the disk's own number and Inode 0.</param>
/// <param name="Device">Device number, major in the upper half.</param>
/// <param name="Inode">Inode of a regular file.</param>
public readonly record struct FileIdentity(bool IsBlockDevice, ulong Device, ulong Inode)
{
    const int LoopInfoBytes = 232; // struct loop_info64: lo_device at 0, lo_inode at 8, lo_rdevice at 16

    /// <summary>Identity of an open file or block device.</summary>
    public static unsafe Fault TryGet(int fd, out FileIdentity identity)
    {
        identity = default;
        Statx status;
        // SAFETY: the kernel fills the structure during the call only.
        if (Files.Statx(fd, "", Files.AT_EMPTY_PATH, Files.STATX_BASIC_STATS, &status) < 0)
            return Errnos.ToFault(Marshal.GetLastPInvokeError());
        if ((status.Mode & Files.S_IFMT) != Files.S_IFBLK)
        {
            identity = new FileIdentity(false, Number(status.DevMajor, status.DevMinor), status.Inode);
            return Fault.None;
        }
        byte* loop = stackalloc byte[LoopInfoBytes];
        if (Files.Ioctl(fd, Files.LOOP_GET_STATUS64, loop) == 0)
        {
            ulong backingDevice = *(ulong*)(loop + 16); // lo_rdevice: not 0 when the loop is over a block device
            identity =
                backingDevice != 0
                    ? new FileIdentity(true, Decode(backingDevice), 0)
                    : new FileIdentity(false, Decode(*(ulong*)loop), *(ulong*)(loop + 8));
            return Fault.None;
        }
        identity = new FileIdentity(true, Number(status.RdevMajor, status.RdevMinor), 0);
        return Fault.None;
    }

    static ulong Number(uint major, uint minor) => (ulong)major << 32 | minor;

    /// <summary>
    /// The loop driver reports huge_encode_dev: 12 bits of major above the low 8 of minor, the rest on top.
    /// </summary>
    static ulong Decode(ulong encoded) =>
        Number((uint)((encoded & 0xfff00) >> 8), (uint)(encoded & 0xff | (encoded >> 12 & 0xfff00)));
}
