// A handle of Windows and what it was found to be.
//
//   sharing      who reads lets nobody begin to write; who writes must find nobody who writes, and then opens the file
//                so that others may share it, because it is open twice here: for whole sectors, past the cache, and for
//                the rest. From then on a lock on a byte behind every end of a file keeps a second writer away, and any
//                program that does not itself allow others to write.
//   whole        4096 bytes for offsets, lengths and memory: every sector there is, logical and physical
//   sectors
//   new files    are sparse, so that holes stay holes. What was never written is made zero when something behind it is
//                written (valid data), inside the call: a new file's calls are made by threads of its own.
//                SetFileValidData would spare that, but shows what others had on the disk, and the engine counts on
//                zeroes; so it is not used.
//   scratch      goes with its last handle, however the process ends
//   volumes      are locked and dismounted before they are written, and lengths come from the device; a drive has no
//                lock of its own
// Source: CreateFile, "File Buffering", SetFileValidData, FSCTL_LOCK_VOLUME, FSCTL_ALLOW_EXTENDED_DASD_IO in the
// Windows documentation.
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Interop.Windows;
using FastBackup.Ports.Linux;
using FastBackup.Ports.Windows;

namespace FastBackup.Devices.Opening;

/// <summary>Threads: any, one at a time.</summary>
sealed class WindowsFile : OpenedFile
{
    const uint SectorBytes = 4096;
    const uint ReadersShare = NtFiles.ShareRead | NtFiles.ShareDelete;

    readonly bool _isNew;
    string? _newName;
    string? _usedBy;

    WindowsFile(string path, int fd, bool isNew)
        : base(path, fd)
    {
        _isNew = isNew;
    }

    NameLook Status { get; set; }

    public override bool IsBlockDevice => Status.Type == Files.S_IFBLK;

    public override ulong FileBytes => Status.SizeBytes;

    public override uint MemoryAlignBytes => SectorBytes;

    public override bool MayBlock => _isNew || WindowsLook.IsRemote(Fd);

    public override bool IsInMemory => false;

    /// <summary>For reading, beside whoever reads.</summary>
    /// <returns>A handle, or below 0.</returns>
    public static int Reopen(int fd)
    {
        int errno = WindowsOpen.Try(fd, "", new(NtFiles.GENERIC_READ, ReadersShare), out int own);
        return errno == 0 ? own : -errno;
    }

    public static OpenRefusal TryOpen(FileOpenOptions options, out OpenedFile? file)
    {
        file = null;
        string path = options.Path;
        int errno = -NameCalls.Kernel.LookThrough(path, out NameLook place);
        if (errno != 0)
            return OpenRefusal.Of(path, "open", Errnos.ToFault(errno));
        if (place.Type == Files.S_IFDIR)
            return new OpenRefusal(new Fault(FaultKind.Invalid, Errnos.EISDIR), $"'{path}' is a directory, not a disk");
        uint access = NtFiles.GENERIC_READ | (options.IsReadOnly ? 0 : NtFiles.GENERIC_WRITE);
        errno = WindowsOpen.Try(Files.AT_FDCWD, path, new(access, ReadersShare), out int fd);
        bool isShared = errno == Errnos.EBUSY;
        if (isShared && !options.IsReadOnly && !options.IsLockIgnored)
            return OpenRefusal.InUse($"'{path}' is being written by this or another program; release it first");
        if (isShared || (errno == 0 && !options.IsReadOnly))
        {
            NameCalls.Close(fd);
            errno = WindowsOpen.Try(Files.AT_FDCWD, path, new(access, NtFiles.ShareAll), out fd);
        }
        if (errno != 0)
            return errno == Errnos.EBUSY
                ? OpenRefusal.InUse($"'{path}' is in use by another program that lets nobody else open it")
                : OpenRefusal.Of(path, "open", Errnos.ToFault(errno));
        WindowsFile opened = new(path, fd, isNew: false)
        {
            Status = place,
            _usedBy = isShared ? "being written by this or another program" : null,
        };
        errno = -NameCalls.Kernel.Look(fd, out NameLook look);
        OpenRefusal refusal =
            errno != 0 ? OpenRefusal.Of(path, "examine", Errnos.ToFault(errno))
            : look.Identity != place.Identity
                ? OpenRefusal.Rule($"'{path}' was replaced while it was being opened; look at it and try again")
            : look.Type is Files.S_IFREG or Files.S_IFBLK ? default
            : OpenRefusal.Rule($"'{path}' is neither a regular file nor a block device");
        opened.Status = look;
        return Conclude(opened, refusal, out file);
    }

    public static OpenRefusal TryCreate(FileOpenOptions options, out OpenedFile? file)
    {
        file = null;
        string path = options.Path;
        const uint access = NtFiles.GENERIC_READ | NtFiles.GENERIC_WRITE | NtFiles.DELETE;
        uint atClose = options.IsNameless ? NtFiles.FILE_DELETE_ON_CLOSE : 0;
        WindowsOpening how = new(
            access,
            NtFiles.ShareAll,
            NtFiles.FILE_CREATE,
            NtFiles.FILE_NON_DIRECTORY_FILE | atClose
        );
        int errno = WindowsOpen.Try(Files.AT_FDCWD, path, how, out int fd);
        if (errno != 0)
            return OpenRefusal.Of(path, "create", Errnos.ToFault(errno));
        WindowsFile made = new(path, fd, isNew: true) { _newName = options.IsNameless ? null : path };
        return Conclude(made, made.TakeStatus(), out file);
    }

    public static OpenRefusal TryAdopt(string path, int fd, out OpenedFile? file)
    {
        WindowsFile adopted = new(path, fd, isNew: true) { IsNamed = false };
        return Conclude(adopted, adopted.TakeStatus(), out file);
    }

    public override string? FindUse(FileOpenOptions options)
    {
        if (options.IsReadOnly || IsBlockDevice)
            return _usedBy;
        return NameCalls.Kernel.Lock(Fd, Files.LOCK_EX) == -Errnos.EAGAIN
            ? UseRules.Describe(ImageUse.WrittenHere)
            : _usedBy;
    }

    public override OpenRefusal TryGetSize(bool isReadOnly, out ulong capacityBytes)
    {
        capacityBytes = 0;
        if (IsBlockDevice)
        {
            OpenRefusal refusal = isReadOnly ? default : TakeVolume();
            if (!refusal.IsNone)
                return refusal;
        }
        long bytes = WindowsLook.SizeBytes(Fd);
        if (bytes < 0)
            return OpenRefusal.Of(Path, "get the size of", Errnos.ToFault((int)-bytes));
        capacityBytes = (ulong)bytes;
        return default;
    }

    public override unsafe Fault TryGiveSize(ulong sizeBytes)
    {
        // Where files are never sparse this changes nothing: then holes are written as zeroes.
        _ = WindowsFileCalls.Control(Fd, OpenFiles.FSCTL_SET_SPARSE, null, 0, null, 0, out _); // SAFETY: no memory
        return base.TryGiveSize(sizeBytes);
    }

    public override DirectIo OpenDirect(bool isReadOnly, ulong capacityBytes)
    {
        uint access = NtFiles.GENERIC_READ | (isReadOnly ? 0 : NtFiles.GENERIC_WRITE);
        uint share = isReadOnly && _usedBy == null ? ReadersShare : NtFiles.ShareAll;
        WindowsOpening how = new(access, share, Options: NtFiles.FILE_NO_INTERMEDIATE_BUFFERING);
        int errno = WindowsOpen.Try(Fd, "", how, out int fd);
        return errno == 0 ? new DirectIo(fd, SectorBytes) : DirectIo.None;
    }

    public override unsafe long Read(int fd, nint buffer, uint lengthBytes, ulong offsetBytes) =>
        WindowsFileCalls.Read(fd, (void*)buffer, lengthBytes, offsetBytes); // SAFETY: the caller's, for the call

    public override void Keep() => _newName = null;

    public override void Abandon()
    {
        if (_newName != null && NameCalls.Kernel.Look(Files.AT_FDCWD, _newName, out NameLook look) >= 0)
            _ = look.Identity == Status.Identity ? NameCalls.Kernel.Unlink(Files.AT_FDCWD, _newName) : 0;
        Keep();
        Close();
    }

    public override void Close()
    {
        if (Direct.IsUsed)
            NameCalls.Close(Direct.Fd);
        NameCalls.Close(Fd);
    }

    OpenRefusal TakeStatus()
    {
        int errno = -NameCalls.Kernel.Look(Fd, out NameLook look);
        Status = look;
        return errno == 0 ? default : OpenRefusal.Of(Path, "examine", Errnos.ToFault(errno));
    }

    /// <summary>Nobody has a file open there, and its file system lets go. Of a drive the calls are refused.</summary>
    unsafe OpenRefusal TakeVolume()
    {
        // SAFETY: no memory is given to any of the calls.
        int errno = WindowsFileCalls.Control(Fd, OpenFiles.FSCTL_LOCK_VOLUME, null, 0, null, 0, out _);
        if (errno is Errnos.EACCES or Errnos.EBUSY)
            return OpenRefusal.InUse($"'{Path}' is mounted or in use by another program; release it first");
        if (errno == 0)
            errno = WindowsFileCalls.Control(Fd, OpenFiles.FSCTL_DISMOUNT_VOLUME, null, 0, null, 0, out _);
        if (errno is not (0 or Errnos.EOPNOTSUPP or Errnos.EINVAL))
            return OpenRefusal.Of(Path, "dismount", Errnos.ToFault(errno));
        _ = WindowsFileCalls.Control(Fd, OpenFiles.FSCTL_ALLOW_EXTENDED_DASD_IO, null, 0, null, 0, out _);
        return default;
    }
}
