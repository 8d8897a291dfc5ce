// Opening a file or block device for direct I/O: type, size, alignment, exclusivity, identity.
// The alignment is what statx or the device says, and then what a trial read proves; where O_DIRECT is
// refused the page cache is used instead and the device says so.
using System;
using System.Globalization;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Memory;

namespace FastBackup.BlockIo;

/// <summary>How to open a device.</summary>
public sealed record FileOpenOptions
{
    public required string Path { get; init; }

    public bool IsReadOnly { get; init; }

    /// <summary>Creates the file, which must not exist, with this size; null opens what is there.</summary>
    public ulong? CreateBytes { get; init; }

    /// <summary>
    /// With CreateBytes: the name is taken away as soon as the file is open, so that nothing is left behind however the
    /// process ends.
    /// </summary>
    public bool IsNameless { get; init; }

    /// <summary>False takes the page cache on purpose.</summary>
    public bool IsDirect { get; init; } = true;

    public uint InFlightMax { get; init; } = 1024;
}

/// <summary>A file that could not be opened: the fault, and one sentence for people.</summary>
public readonly record struct OpenRefusal(Fault Fault, string Sentence)
{
    public bool IsNone => Fault.IsNone;
}

public sealed partial class FileDevice
{
    /// <summary>True when O_DIRECT is in use.</summary>
    public bool IsDirect { get; private init; }

    public bool IsBlockDevice => _isBlockDevice;

    public FileIdentity Identity { get; private init; }

    /// <summary>The descriptor in use, for calls that have no place in the I/O path. Owned by this device.</summary>
    public int Fd => _file.Fd;

    /// <summary>Opens a path; blocks for a few system calls. Any thread: the loop is not touched.</summary>
    /// <param name="loop">Drives the device.</param>
    /// <param name="options">What to open and how.</param>
    /// <param name="device">The device, or null when refused.</param>
    /// <returns>None, or why not. Nothing is left behind: a file that was created is removed again.</returns>
    public static OpenRefusal TryOpen(IIoLoop loop, FileOpenOptions options, out FileDevice? device)
    {
        device = null;
        Check.That(!options.IsNameless || options.CreateBytes != null);
        OpenRefusal refusal = CheckType(options, out bool isBlock);
        if (!refusal.IsNone)
            return refusal;
        int flags = Files.O_CLOEXEC | (options.IsReadOnly ? Files.O_RDONLY : Files.O_RDWR);
        if (options.CreateBytes != null)
            flags |= Files.O_CREAT | Files.O_EXCL;
        else if (isBlock && !options.IsReadOnly)
            flags |= Files.O_EXCL; // on a block device: nobody has it mounted or claimed. Source: open(2)
        int fd = Files.Open(
            options.Path,
            flags,
            0x180 /* 0600: a disk image is nobody else's to read */
        );
        if (fd < 0)
            return RefuseOpen(options);
        try
        {
            bool isStuck = options.IsNameless && Files.Unlink(options.Path) < 0;
            refusal = isStuck
                ? Refuse(options.Path, "take the name away from", LastFault())
                : TryOpenSized(loop, options, fd, isBlock, out device);
        }
        finally
        {
            // Also when the memory for the device's slots cannot be had, which is an exception.
            if (device == null)
            {
                _ = Files.Close(fd);
                if (options.CreateBytes != null && !options.IsNameless)
                    _ = Files.Unlink(options.Path);
            }
        }
        return refusal;
    }

    /// <summary>Before the open, which would wait for ever on a FIFO.</summary>
    static unsafe OpenRefusal CheckType(FileOpenOptions options, out bool isBlock)
    {
        isBlock = false;
        if (options.CreateBytes != null)
            return default;
        string path = options.Path;
        Statx status;
        // SAFETY: the kernel fills the structure during the call only.
        if (Files.Statx(Files.AT_FDCWD, path, 0, Files.STATX_BASIC_STATS, &status) < 0)
            return RefuseOpen(options);
        int type = status.Mode & Files.S_IFMT;
        isBlock = type == Files.S_IFBLK;
        if (type == Files.S_IFDIR)
            return new OpenRefusal(new Fault(FaultKind.Invalid, Errnos.EISDIR), $"'{path}' is a directory, not a disk");
        return type is Files.S_IFREG or Files.S_IFBLK
            ? default
            : new OpenRefusal(new Fault(FaultKind.Invalid), $"'{path}' is neither a regular file nor a block device");
    }

    static OpenRefusal RefuseOpen(FileOpenOptions options)
    {
        Fault fault = LastFault();
        if (fault.Errno == Errnos.EBUSY)
            return new OpenRefusal(
                fault,
                $"'{options.Path}' is mounted or in use by another program; release it first"
            );
        return Refuse(options.Path, options.CreateBytes != null ? "create" : "open", fault);
    }

    static unsafe OpenRefusal TryOpenSized(
        IIoLoop loop,
        FileOpenOptions options,
        int fd,
        bool isBlock,
        out FileDevice? device
    )
    {
        device = null;
        string path = options.Path;
        Statx status;
        const uint mask = Files.STATX_BASIC_STATS | Files.STATX_DIOALIGN;
        // SAFETY: the kernel fills the structure during the call only.
        if (Files.Statx(fd, "", Files.AT_EMPTY_PATH, mask, &status) < 0)
            return Refuse(path, "examine", LastFault());
        ulong capacityBytes = status.SizeBytes;
        if (isBlock && Files.Ioctl(fd, Files.BLKGETSIZE64, &capacityBytes) < 0)
            return Refuse(path, "get the size of", LastFault());
        int sectorBytes = 0;
        if (isBlock && Files.Ioctl(fd, Files.BLKSSZGET, &sectorBytes) == 0 && sectorBytes > 0)
            capacityBytes = Units.AlignDown(capacityBytes, (ulong)sectorBytes); // nothing can address the rest
        // A file system without locks cannot be asked; only a lock that somebody holds is a refusal.
        bool isLocked = !options.IsReadOnly && !isBlock && Files.Flock(fd, Files.LOCK_EX | Files.LOCK_NB) < 0;
        if (isLocked && Marshal.GetLastPInvokeError() == Errnos.EAGAIN)
            return new OpenRefusal(
                new Fault(FaultKind.State, Errnos.EBUSY),
                $"'{path}' is being written by another program that holds its lock"
            );
        if (options.CreateBytes is { } wanted)
        {
            Fault sized =
                wanted > long.MaxValue ? Errnos.ToFault(Errnos.EFBIG)
                : Files.Ftruncate(fd, (long)wanted) < 0 ? LastFault()
                : Fault.None;
            if (sized.IsFault)
                return Refuse(path, string.Create(CultureInfo.InvariantCulture, $"give {wanted} bytes to"), sized);
            capacityBytes = wanted;
        }
        Fault fault = FileIdentity.TryGet(fd, out FileIdentity identity);
        if (fault.IsFault)
            return Refuse(path, "examine", fault);
        StatFs fs = default;
        bool isMemoryFs = Files.FStatFs(fd, &fs) == 0 && fs.Type is Files.TMPFS_MAGIC or Files.RAMFS_MAGIC;
        int directFd = options.IsDirect ? OpenDirect(fd, options.IsReadOnly) : -1;
        uint align = directFd < 0 ? 0 : ProbeAlignment(directFd, status, isBlock, capacityBytes);
        if (align == 0 && directFd >= 0)
        {
            _ = Files.Close(directFd);
            directFd = -1;
        }
        bool isDirect = directFd >= 0;
        BlockLimits limits = new()
        {
            CapacityBytes = capacityBytes,
            RequestAlignBytes = isDirect ? align : 1,
            BufferAlignBytes = isDirect ? Math.Max(align, status.DioMemoryAlignBytes) : 1,
            IsZeroInitialised = options.CreateBytes != null,
            IsReadOnly = options.IsReadOnly,
            InFlightMax = options.InFlightMax,
        };
        FileHandle buffered = new(fd) { CopiesInKernel = true };
        FileHandle file = isDirect ? new FileHandle(directFd) { CopiesInKernel = isMemoryFs } : buffered;
        device = new FileDevice(loop, path, limits, file, buffered, isBlock, () => CloseBoth(fd, directFd))
        {
            IsDirect = isDirect,
            Identity = identity,
        };
        return default;
    }

    /// <summary>A second description of the same open file, with O_DIRECT; -1 when the file system has none.</summary>
    static int OpenDirect(int fd, bool isReadOnly)
    {
        string self = string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{fd}");
        int flags = Files.O_CLOEXEC | Files.O_DIRECT | (isReadOnly ? Files.O_RDONLY : Files.O_RDWR);
        return Files.Open(self, flags, 0);
    }

    /// <summary>The smallest alignment that direct I/O takes here: 512, 4096 ... 64 KiB; 0 when none works.</summary>
    static unsafe uint ProbeAlignment(int directFd, in Statx status, bool isBlock, ulong capacityBytes)
    {
        uint stated = (status.Mask & Files.STATX_DIOALIGN) != 0 ? status.DioOffsetAlignBytes : 0;
        if (isBlock)
        {
            int sectorBytes = 0;
            if (Files.Ioctl(directFd, Files.BLKSSZGET, &sectorBytes) == 0 && sectorBytes > 0)
                stated = (uint)sectorBytes;
        }
        uint first = Math.Max(512, stated);
        if (capacityBytes == 0)
            return first;
        const uint alignMax = 64 * 1024;
        using AlignedRegion probe = AlignedRegion.Map(alignMax, RegionResidency.Resident);
        for (uint align = first; align <= alignMax; align *= 2)
            if (Files.Pread(directFd, (void*)probe.Start, align, 0) >= 0)
                return align;
            else if (Marshal.GetLastPInvokeError() != Errnos.EINVAL)
                return first; // the sector is unreadable, not misaligned; the copy will report it
        return 0;
    }

    static void CloseBoth(int fd, int directFd)
    {
        if (directFd >= 0)
            _ = Files.Close(directFd);
        _ = Files.Close(fd);
    }

    static Fault LastFault() => Errnos.ToFault(Marshal.GetLastPInvokeError());

    static OpenRefusal Refuse(string path, string verb, Fault fault) => new(fault, $"cannot {verb} '{path}': {fault}");
}
