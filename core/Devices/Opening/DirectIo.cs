// Whether and how a file takes direct I/O: the alignment is what statx or the device says, and then what a trial read
// proves. Where O_DIRECT is refused, the page cache is used instead.
using System;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Memory;

namespace FastBackup.Devices.Opening;

/// <param name="Fd">A second descriptor of the same file with O_DIRECT; -1 where the file system has none.</param>
/// <param name="AlignBytes">The smallest alignment that it takes: 512, 4096 ... 64 KiB; 0 without one.</param>
readonly record struct DirectIo(int Fd, uint AlignBytes)
{
    const uint AlignMax = 64 * 1024;

    /// <summary>The page cache is used.</summary>
    public static DirectIo None { get; } = new(-1, 0);

    public bool IsUsed => Fd >= 0;

    /// <returns>The descriptor belongs to the caller.</returns>
    public static DirectIo Open(LinuxFile file, bool isReadOnly, ulong capacityBytes)
    {
        int fd = LinuxFile.Reopen(file.Fd, Files.O_DIRECT | (isReadOnly ? Files.O_RDONLY : Files.O_RDWR));
        uint align = fd < 0 ? 0 : Probe(fd, file.Status, file.IsBlockDevice, capacityBytes);
        if (align > 0)
            return new DirectIo(fd, align);
        if (fd >= 0)
            _ = Files.Close(fd);
        return None;
    }

    static unsafe uint Probe(int fd, in Statx status, bool isBlock, ulong capacityBytes)
    {
        uint stated = (status.Mask & Files.STATX_DIOALIGN) != 0 ? status.DioOffsetAlignBytes : 0;
        if (isBlock)
        {
            int sectorBytes = 0;
            if (Files.Ioctl(fd, Files.BLKSSZGET, &sectorBytes) == 0 && sectorBytes > 0)
                stated = (uint)sectorBytes;
        }
        uint first = Math.Max(512, stated);
        if (capacityBytes == 0)
            return first;
        using AlignedRegion probe = AlignedRegion.Map(AlignMax, RegionResidency.Resident);
        // SAFETY: a read is at most AlignMax long, as the region is, and ends before the region does.
        for (uint align = first; align <= AlignMax; align *= 2)
            if (Files.Pread(fd, (void*)probe.Start, align, 0) >= 0)
                return align;
            else if (Marshal.GetLastPInvokeError() != Errnos.EINVAL)
                return first; // the sector is unreadable, not misaligned; the copy will report it
        return 0;
    }
}
