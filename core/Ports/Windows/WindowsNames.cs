// Calls on names of Windows, with the results that the rest of the engine knows.
//
//   locks        who opens for reading lets nobody open for writing meanwhile, and is refused beside one who does; a
//                lock besides is a byte far behind every end of a file
//   names        are taken away and given while the file is open (POSIX semantics); where a file system does not know
//                that, a name that is taken away goes with the last handle, and an open file is not replaced
//   attributes   there are none: marks lie beside the file (UnfinishedMark). Owner and rights come from the folder.
//   exchange     of two names is unknown
//   folders      are flushed through a handle that may add names; who may not has changed none
// Source: FILE_RENAME_INFORMATION, FILE_DISPOSITION_INFORMATION_EX, LockFileEx, "Creating and Opening Files".
using System;
using System.IO;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Interop.Windows;
using FastBackup.Ports.Linux;

namespace FastBackup.Ports.Windows;

/// <summary>Threads: any. Each call blocks for as long as the system does.</summary>
public sealed class WindowsNames : NameCalls
{
    const uint FarHigh = 0x40000000; // offset 2^62
    const int NameCharsMax = 32767;
    const int NameHeadBytes = 20; // of FILE_RENAME_INFORMATION and FILE_LINK_INFORMATION, before the name
    const uint ReadersShare = NtFiles.ShareRead | NtFiles.ShareDelete;

    // SAFETY: in the whole file every structure is of the frame that makes the call, and used during it only.

    public override int Open(int folderFd, string name, int flags, uint mode = 0)
    {
        bool isFolder = (flags & Files.O_DIRECTORY) != 0;
        if ((flags & Folders.O_NOFOLLOW) != 0 && Look(folderFd, name, out NameLook look) >= 0 && look.IsLink)
            return -Errnos.ELOOP;
        int result;
        int fd;
        if (isFolder)
        {
            name = Path.TrimEndingDirectorySeparator(name); // else a file in a folder's place is a bad name
            const uint adding = NtFiles.FILE_LIST_DIRECTORY | NtFiles.FILE_TRAVERSE | NtFiles.FILE_ADD_FILE;
            const uint looking = NtFiles.FILE_LIST_DIRECTORY | NtFiles.FILE_TRAVERSE;
            result = TryFolder(folderFd, name, adding, out fd);
            if (result is Errnos.EACCES or Errnos.EROFS or Errnos.EBUSY)
                result = TryFolder(folderFd, name, looking, out fd);
        }
        else
        {
            result = WindowsOpen.Try(folderFd, name, How(flags), out fd);
        }
        return result != 0 ? -result : fd;
    }

    public override int Look(int folderFd, string name, out NameLook look)
    {
        if (name.Length == 0)
            return -WindowsLook.Try(folderFd, out look);
        look = default;
        const uint options = NtFiles.FILE_OPEN_REPARSE_POINT | NtFiles.FILE_OPEN_FOR_BACKUP_INTENT;
        int errno = WindowsOpen.Try(folderFd, name, new(0, NtFiles.ShareAll, Options: options), out int fd);
        if (errno != 0)
            return -errno;
        errno = WindowsLook.Try(fd, out look);
        Close(fd);
        return -errno;
    }

    public override int LookThrough(string path, out NameLook look)
    {
        look = default;
        WindowsOpening how = new(0, NtFiles.ShareAll, Options: NtFiles.FILE_OPEN_FOR_BACKUP_INTENT);
        int errno = WindowsOpen.Try(Files.AT_FDCWD, path, how, out int fd);
        if (errno == 0)
            errno = WindowsLook.Try(fd, out look);
        Close(fd);
        return -errno;
    }

    /// <returns>Its length.</returns>
    public override int ReadLink(int folderFd, string name, out string target)
    {
        target = "";
        string path = name;
        int result = folderFd == Files.AT_FDCWD ? 0 : PathOf(folderFd, out path);
        if (result < 0)
            return result;
        try
        {
            target = new FileInfo(folderFd == Files.AT_FDCWD ? name : Path.Combine(path, name)).LinkTarget ?? "";
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return -Errnos.EIO;
        }
        return target.Length;
    }

    public override unsafe int PathOf(int fd, out string path)
    {
        Span<char> text = stackalloc char[1024];
        uint count;
        fixed (char* start = text)
            count = OpenFiles.FinalPath(fd, start, (uint)text.Length, 0);
        if (count >= text.Length)
        {
            text = new char[NameCharsMax];
            fixed (char* start = text)
                count = OpenFiles.FinalPath(fd, start, (uint)text.Length, 0);
        }
        path = count < text.Length ? new string(text[..(int)count]) : "";
        return path.Length == 0 ? -WindowsFault.Last() : path.Length;
    }

    public override int Link(int fd, int folderFd, string name) =>
        -GiveName(fd, folderFd, name, 0, NtFiles.FileLinkInformation);

    public override int Rename(int folderFd, string from, string to, uint flags)
    {
        if ((flags & Folders.RENAME_EXCHANGE) != 0)
            return -Errnos.EINVAL;
        int errno = TryForChange(folderFd, from, out int fd);
        if (errno != 0)
            return -errno;
        if (flags != 0)
        {
            errno = GiveName(fd, folderFd, to, 0, NtFiles.FileRenameInformation);
        }
        else
        {
            const uint how = NtFiles.FILE_RENAME_REPLACE_IF_EXISTS | NtFiles.FILE_RENAME_POSIX_SEMANTICS;
            errno = GiveName(fd, folderFd, to, how, NtFiles.FileRenameInformationEx);
            if (errno is Errnos.EINVAL or Errnos.EOPNOTSUPP or Errnos.EIO)
                errno = GiveName(fd, folderFd, to, 1, NtFiles.FileRenameInformation);
        }
        Close(fd);
        return -errno;
    }

    public override unsafe int Unlink(int folderFd, string name)
    {
        int errno = TryForChange(folderFd, name, out int fd);
        if (errno != 0)
            return -errno;
        IoStatusBlock status;
        uint how = NtFiles.FILE_DISPOSITION_DELETE | NtFiles.FILE_DISPOSITION_POSIX_SEMANTICS;
        int result = NtFiles.Set(fd, &status, &how, sizeof(uint), NtFiles.FileDispositionInformationEx);
        if (result < 0 && WindowsFault.OfStatus(result) is Errnos.EINVAL or Errnos.EOPNOTSUPP or Errnos.EIO)
        {
            byte isDeleted = 1;
            result = NtFiles.Set(fd, &status, &isDeleted, 1, NtFiles.FileDispositionInformation);
        }
        Close(fd);
        return -WindowsFault.OfStatus(result);
    }

    public override int Flush(int fd) => WindowsFileCalls.Flush(fd);

    public override int FlushSystem(int fd) => WindowsFileCalls.Flush(fd);

    /// <summary>The byte behind all files: exclusive or shared, never waited for.</summary>
    public override unsafe int Lock(int fd, int operation)
    {
        IoOverlapped overlapped = new() { OffsetHigh = FarHigh };
        uint flags = OpenFiles.LockAtOnce | ((operation & Files.LOCK_EX) != 0 ? OpenFiles.LockExclusive : 0);
        if (OpenFiles.Lock(fd, flags, 0, 1, 0, &overlapped) != 0)
            return 0;
        int errno = WindowsFault.Last();
        return errno == Errnos.EBUSY ? -Errnos.EAGAIN : -errno;
    }

    public override int ChangeOwner(int fd, uint userId, uint groupId) => 0;

    public override int ChangeMode(int fd, uint mode) => 0;

    public override int ListAttributes(int fd, Span<byte> names) => 0;

    public override int ReadAttribute(int fd, string name, Span<byte> value) => -Errnos.EOPNOTSUPP;

    public override int WriteAttribute(int fd, string name, ReadOnlySpan<byte> value) => -Errnos.EOPNOTSUPP;

    public override int RemoveAttribute(int fd, string name) => -Errnos.EOPNOTSUPP;

    public override unsafe int ReadText(int fd, Span<byte> text)
    {
        fixed (byte* start = text)
            return (int)WindowsFileCalls.Read(fd, start, (uint)text.Length, 0);
    }

    public override unsafe int WriteText(int fd, ReadOnlySpan<byte> text)
    {
        int result = Resize(fd, 0);
        fixed (byte* start = text)
            if (result >= 0)
                result = (int)WindowsFileCalls.Write(fd, start, (uint)text.Length, 0);
        return result < 0 ? result
            : result < text.Length ? -Errnos.ENOSPC
            : 0;
    }

    public override int MayWrite(int folderFd)
    {
        int errno = TryFolder(folderFd, ".", NtFiles.FILE_ADD_FILE, out int fd);
        Close(fd);
        return -errno;
    }

    public override unsafe int Duplicate(int fd)
    {
        nint self = Handles.CurrentProcess();
        nint duplicate;
        return Handles.Duplicate(self, fd, self, &duplicate, 0, 0, Handles.SameAccess) != 0
            ? (int)duplicate
            : -WindowsFault.Last();
    }

    public override unsafe int Resize(int fd, ulong sizeBytes)
    {
        if (sizeBytes > long.MaxValue)
            return -Errnos.EFBIG;
        IoStatusBlock status;
        long end = (long)sizeBytes;
        return -WindowsFault.OfStatus(NtFiles.Set(fd, &status, &end, sizeof(long), NtFiles.FileEndOfFileInformation));
    }

    static WindowsOpening How(int flags)
    {
        if ((flags & Files.O_PATH) != 0)
            return new(0, NtFiles.ShareAll, Options: NtFiles.FILE_OPEN_FOR_BACKUP_INTENT);
        bool isWriter = (flags & Files.O_RDWR) != 0;
        uint disposition =
            (flags & Files.O_CREAT) == 0 ? NtFiles.FILE_OPEN
            : (flags & Files.O_EXCL) != 0 ? NtFiles.FILE_CREATE
            : NtFiles.FILE_OPEN_IF;
        // A disk is open twice, for whole sectors and for the rest, so its writer cannot keep others from opening it
        // for writing; the byte behind it does (Lock).
        return isWriter
            ? new(NtFiles.GENERIC_READ | NtFiles.GENERIC_WRITE, NtFiles.ShareAll, disposition)
            : new(NtFiles.GENERIC_READ, ReadersShare, disposition);
    }

    static int TryFolder(int folderFd, string name, uint access, out int fd)
    {
        const uint options = NtFiles.FILE_DIRECTORY_FILE | NtFiles.FILE_OPEN_FOR_BACKUP_INTENT;
        return WindowsOpen.Try(folderFd, name, new(access, NtFiles.ShareAll, Options: options), out fd);
    }

    static int TryForChange(int folderFd, string name, out int fd)
    {
        const uint options = NtFiles.FILE_OPEN_REPARSE_POINT | NtFiles.FILE_OPEN_FOR_BACKUP_INTENT;
        return WindowsOpen.Try(folderFd, name, new(NtFiles.DELETE, NtFiles.ShareAll, Options: options), out fd);
    }

    /// <summary>FILE_RENAME_INFORMATION and FILE_LINK_INFORMATION are laid out alike.</summary>
    static unsafe int GiveName(int fd, int folderFd, string name, uint how, int what)
    {
        if (name.Length > NameCharsMax)
            return Errnos.ENAMETOOLONG;
        int nameBytes = name.Length * sizeof(char);
        Span<byte> wanted = stackalloc byte[NameHeadBytes + 2 * 260];
        if (NameHeadBytes + nameBytes > wanted.Length)
            wanted = new byte[NameHeadBytes + nameBytes];
        wanted.Clear();
        MemoryMarshal.Write(wanted, how);
        MemoryMarshal.Write(wanted[8..], (long)folderFd);
        MemoryMarshal.Write(wanted[16..], nameBytes);
        MemoryMarshal.AsBytes(name.AsSpan()).CopyTo(wanted[NameHeadBytes..]);
        IoStatusBlock status;
        fixed (byte* start = wanted)
            return WindowsFault.OfStatus(NtFiles.Set(fd, &status, start, (uint)(NameHeadBytes + nameBytes), what));
    }
}
