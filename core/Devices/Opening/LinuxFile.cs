// A descriptor of Linux and what it was found to be. Whatever is checked is checked on the descriptor, and what is done
// is done to it: a path may lead somewhere else a moment later.
//
//   what exists   opened as a place first (O_PATH), which waits for nobody at a FIFO and wakes no watchdog, looked at,
//                 and then opened as a disk through that descriptor
//   a new file    made in its folder's descriptor; its name is taken away again only while it is still this file
//
// Source: open(2), O_PATH and O_EXCL; proc(5), /proc/self/fd.
using System;
using System.Globalization;
using System.IO;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux;

namespace FastBackup.Devices.Opening;

/// <summary>Threads: any, one at a time.</summary>
sealed class LinuxFile : OpenedFile
{
    const uint Mode = 0x180; // 0600: a disk image is nobody else's to read
    const uint StatusMask = Files.STATX_BASIC_STATS | Files.STATX_DIOALIGN;

    readonly string? _newName;
    int _folderFd = -1;

    LinuxFile(string path, int fd, string? newName)
        : base(path, fd)
    {
        _newName = newName;
    }

    public Statx Status { get; private set; }

    /// <summary>Told to other programs until it is closed; null where no locks were asked for.</summary>
    public ImageHold? Hold { get; private set; }

    public override bool IsBlockDevice => (Status.Mode & Files.S_IFMT) == Files.S_IFBLK;

    public override ulong FileBytes => Status.SizeBytes;

    public override uint MemoryAlignBytes => Status.DioMemoryAlignBytes;

    public override bool MayBlock => !NonBlockingStorage.IsKnown(Fd, IsBlockDevice);

    public override unsafe bool IsInMemory
    {
        get
        {
            StatFs fs = default;
            // SAFETY: the kernel fills the structure during the call only.
            return Files.FStatFs(Fd, &fs) == 0 && fs.Type is Files.TMPFS_MAGIC or Files.RAMFS_MAGIC;
        }
    }

    /// <summary>A second descriptor of the same file: an open file description of its own.</summary>
    /// <param name="fd">Of this process.</param>
    /// <param name="flags">Of open(2).</param>
    /// <returns>A descriptor, or -1 with an errno; ENOENT where /proc is not mounted.</returns>
    public static int Reopen(int fd, int flags) =>
        Files.Open(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{fd}"), flags | Files.O_CLOEXEC, 0);

    /// <summary>Opens what is there, which must be a regular file or a block device.</summary>
    public static OpenRefusal TryOpen(FileOpenOptions options, out OpenedFile? file)
    {
        file = null;
        string path = options.Path;
        int placeFd = Files.Open(path, Files.O_PATH | Files.O_CLOEXEC, 0);
        if (placeFd < 0)
            return OpenRefusal.Of(path, "open", LastFault());
        OpenRefusal refusal = TryStatus(path, placeFd, out Statx place);
        if (refusal.IsNone)
            refusal = CheckType(path, place);
        if (refusal.IsNone)
            refusal = TryOpenPlace(options, placeFd, place, out file);
        _ = Files.Close(placeFd);
        return refusal;
    }

    /// <summary>Makes a new file of no size.</summary>
    public static OpenRefusal TryCreate(FileOpenOptions options, out OpenedFile? file)
    {
        file = null;
        string path = options.Path;
        string name = System.IO.Path.GetFileName(path);
        string folder = path[..^name.Length];
        if (name.Length == 0)
            return OpenRefusal.Of(path, "create", Errnos.ToFault(Errnos.EISDIR));
        int folderFd = Files.Open(
            folder.Length == 0 ? "." : folder,
            Files.O_PATH | Files.O_DIRECTORY | Files.O_CLOEXEC,
            0
        );
        if (folderFd < 0)
            return OpenRefusal.Of(path, "create", LastFault());
        const int flags = Files.O_CREAT | Files.O_EXCL | Files.O_RDWR | Files.O_CLOEXEC;
        OpenRefusal refusal = NewFilePlace.Check(folderFd, path);
        int fd = refusal.IsNone ? Files.OpenAt(folderFd, name, flags, Mode) : -1;
        if (refusal.IsNone && fd < 0)
            refusal = OpenRefusal.Of(path, "create", LastFault());
        if (!refusal.IsNone)
        {
            _ = Files.Close(folderFd);
            return refusal;
        }
        LinuxFile made = new(path, fd, name) { _folderFd = folderFd };
        refusal = TryStatus(path, fd, out Statx status);
        made.Status = status;
        if (refusal.IsNone && options.IsNameless && Files.UnlinkAt(folderFd, name, 0) < 0)
            refusal = OpenRefusal.Of(path, "take the name away from", LastFault());
        return Conclude(made, refusal, out file);
    }

    /// <summary>A new file that the caller has made, and of which he keeps the name.</summary>
    /// <param name="path">For people.</param>
    /// <param name="fd">Owned from here.</param>
    /// <param name="file">Null when refused; then the descriptor is closed.</param>
    public static OpenRefusal TryAdopt(string path, int fd, out OpenedFile? file)
    {
        LinuxFile adopted = new(path, fd, newName: null) { IsNamed = false };
        OpenRefusal refusal = TryStatus(path, fd, out Statx status);
        adopted.Status = status;
        return Conclude(adopted, refusal, out file);
    }

    public override string? FindUse(FileOpenOptions options)
    {
        ImageUse use = ImageLocks.Take(Fd, Status, isWriter: !options.IsReadOnly, out ImageHold? hold);
        Hold = hold;
        string? usedBy = UseRules.Describe(use);
        return options.CreateBytes == null ? usedBy ?? KernelUse.Find(this, options.IsReadOnly) : usedBy;
    }

    public override OpenRefusal TryGetSize(bool isReadOnly, out ulong capacityBytes) =>
        DiskSize.TryGet(this, isReadOnly, out capacityBytes);

    public override DirectIo OpenDirect(bool isReadOnly, ulong capacityBytes) =>
        DirectIo.Open(this, isReadOnly, capacityBytes);

    public override unsafe long Read(int fd, nint buffer, uint lengthBytes, ulong offsetBytes) =>
        Files.Pread(fd, (void*)buffer, lengthBytes, (long)offsetBytes); // SAFETY: the caller's, during the call only

    public override void Keep()
    {
        if (_folderFd >= 0)
            _ = Files.Close(_folderFd);
        _folderFd = -1;
    }

    public override void Abandon()
    {
        if (_folderFd >= 0 && HasItsName())
            _ = Files.UnlinkAt(_folderFd, _newName!, 0);
        Keep();
        Close();
    }

    public override void Close()
    {
        if (Direct.IsUsed)
            _ = Files.Close(Direct.Fd);
        Hold?.Return();
        _ = Files.Close(Fd);
    }

    unsafe bool HasItsName()
    {
        Statx status;
        // SAFETY: the kernel fills the structure during the call only.
        return Files.Statx(_folderFd, _newName!, Files.AT_SYMLINK_NOFOLLOW, Files.STATX_BASIC_STATS, &status) == 0
            && IsSame(status, Status);
    }

    static OpenRefusal TryOpenPlace(FileOpenOptions options, int placeFd, in Statx place, out OpenedFile? file)
    {
        file = null;
        string path = options.Path;
        int flags = options.IsReadOnly ? Files.O_RDONLY : Files.O_RDWR;
        bool isBlock = (place.Mode & Files.S_IFMT) == Files.S_IFBLK;
        if (isBlock && !options.IsReadOnly && !options.IsLockIgnored)
            flags |= Files.O_EXCL; // nobody has it mounted or claimed. Source: open(2)
        int fd = Reopen(placeFd, flags);
        if (fd < 0 && Marshal.GetLastPInvokeError() == Errnos.ENOENT) // no /proc: by its name, and compared
            fd = Files.Open(path, flags | Files.O_CLOEXEC, 0);
        if (fd < 0)
        {
            Fault fault = LastFault();
            return fault.Errno == Errnos.EBUSY
                ? new OpenRefusal(fault, $"'{path}' is mounted or in use by another program; release it first")
                : OpenRefusal.Of(path, "open", fault);
        }
        LinuxFile opened = new(path, fd, newName: null);
        OpenRefusal refusal = TryStatus(path, fd, out Statx status);
        opened.Status = status;
        if (refusal.IsNone && !IsSame(status, place))
            refusal = OpenRefusal.Rule($"'{path}' was replaced while it was being opened; look at it and try again");
        return Conclude(opened, refusal, out file);
    }

    static bool IsSame(in Statx a, in Statx b) =>
        (a.Inode, a.DevMajor, a.DevMinor) == (b.Inode, b.DevMajor, b.DevMinor);

    static OpenRefusal CheckType(string path, in Statx place) =>
        (place.Mode & Files.S_IFMT) switch
        {
            Files.S_IFREG or Files.S_IFBLK => default,
            Files.S_IFDIR => new OpenRefusal(
                new Fault(FaultKind.Invalid, Errnos.EISDIR),
                $"'{path}' is a directory, not a disk"
            ),
            _ => OpenRefusal.Rule($"'{path}' is neither a regular file nor a block device"),
        };

    static unsafe OpenRefusal TryStatus(string path, int fd, out Statx status)
    {
        status = default;
        Statx filled;
        // SAFETY: the kernel fills the structure during the call only.
        if (Files.Statx(fd, "", Files.AT_EMPTY_PATH, StatusMask, &filled) < 0)
            return OpenRefusal.Of(path, "examine", LastFault());
        status = filled;
        return default;
    }

    static Fault LastFault() => Errnos.ToFault(Marshal.GetLastPInvokeError());
}
