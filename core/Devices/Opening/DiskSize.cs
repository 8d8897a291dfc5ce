// The size of a disk that exists, and what of it can be used: a block device whose size is no multiple of its sectors
// has an end that nobody can address, and one that the kernel holds read-only opens for writing all the same.
// Source: ioctl BLKGETSIZE64, BLKSSZGET and BLKROGET of linux/fs.h.
using System.Globalization;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Devices.Opening;

static class DiskSize
{
    /// <param name="file">Just opened.</param>
    /// <param name="isReadOnly">
    /// For reading all of it counts; for writing the end is left out, as for everybody who writes there.
    /// </param>
    /// <param name="capacityBytes">What can be addressed.</param>
    /// <returns>None, or why it is not to be used so.</returns>
    public static unsafe OpenRefusal TryGet(LinuxFile file, bool isReadOnly, out ulong capacityBytes)
    {
        ulong bytes = capacityBytes = file.Status.SizeBytes;
        if (!file.IsBlockDevice)
            return default;
        (string path, int fd) = (file.Path, file.Fd);
        int sectorBytes = 0;
        int isLocked = 0;
        // SAFETY: the kernel fills the numbers during the calls only.
        if (Files.Ioctl(fd, Files.BLKGETSIZE64, &bytes) < 0)
            return OpenRefusal.Of(path, "get the size of", Errnos.ToFault(Marshal.GetLastPInvokeError()));
        if (!isReadOnly && Files.Ioctl(fd, Files.BLKROGET, &isLocked) == 0 && isLocked != 0)
            return new OpenRefusal(
                Errnos.ToFault(Errnos.EROFS),
                $"'{path}' is read-only: nothing can be written to it"
            );
        capacityBytes = bytes;
        if (Files.Ioctl(fd, Files.BLKSSZGET, &sectorBytes) < 0 || sectorBytes <= 0)
            return default;
        capacityBytes = Units.AlignDown(bytes, (ulong)sectorBytes);
        return isReadOnly && capacityBytes != bytes
            ? OpenRefusal.Rule(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"'{path}' has {bytes} bytes in sectors of {sectorBytes}: nobody can read the last {
                        bytes - capacityBytes}; open what is behind it, or attach it with sectors of 512"
                )
            )
            : default;
    }
}
