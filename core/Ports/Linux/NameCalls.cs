// The system's calls on names in folders and on what belongs to a file beside its content, each with the kernel's
// result: 0 or a count, or a negative error number. What they are for is UnpublishedFile's; tests derive from this to
// let one of them fail, or to let something happen just before it.
using System;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Ports.Linux;

/// <summary>Threads: any. Each call blocks for as long as the kernel does.</summary>
public class NameCalls
{
    const int PathBytesMax = 4096; // Source: PATH_MAX, limits.h

    protected internal NameCalls() { }

    /// <summary>Of the system.</summary>
    public static NameCalls Kernel => SystemPort.Current.Names;

    /// <summary>A name in a folder; Files.AT_FDCWD is the working folder.</summary>
    public virtual int Open(int folderFd, string name, int flags, uint mode = 0) =>
        Result(Files.OpenAt(folderFd, name, flags | Files.O_CLOEXEC, mode));

    /// <summary>What lies under a name; a symbolic link is not followed.</summary>
    public virtual unsafe int Look(int folderFd, string name, out NameLook look)
    {
        Statx status;
        // SAFETY: the kernel fills the structure during the call only.
        int result = Files.Statx(
            folderFd,
            name,
            Files.AT_SYMLINK_NOFOLLOW | (name.Length == 0 ? Files.AT_EMPTY_PATH : 0),
            Files.STATX_BASIC_STATS,
            &status
        );
        look = result < 0 ? default : NameLook.Of(status);
        return Result(result);
    }

    /// <summary>What lies at a path; symbolic links are followed.</summary>
    public virtual unsafe int LookThrough(string path, out NameLook look)
    {
        Statx status;
        // SAFETY: the kernel fills the structure during the call only.
        int result = Files.Statx(Files.AT_FDCWD, path, 0, Files.STATX_BASIC_STATS, &status);
        look = result < 0 ? default : NameLook.Of(status);
        return Result(result);
    }

    /// <summary>What an open file is.</summary>
    public int Look(int fd, out NameLook look) => Look(fd, "", out look);

    /// <summary>Where a symbolic link leads.</summary>
    /// <returns>Its length; -EILSEQ for a name that is not UTF-8, which as a string would be another one.</returns>
    public virtual unsafe int ReadLink(int folderFd, string name, out string target)
    {
        Span<byte> bytes = stackalloc byte[PathBytesMax];
        nint count;
        fixed (byte* start = bytes)
            count = Folders.ReadLinkAt(folderFd, name, start, PathBytesMax); // SAFETY: the kernel stops at the length
        bool isText = count >= 0 && Utf8.IsValid(bytes[..(int)count]);
        target = isText ? Encoding.UTF8.GetString(bytes[..(int)count]) : "";
        return count < 0 || isText ? Result((int)count) : -Errnos.EILSEQ;
    }

    /// <summary>Gives an open file one more name, which must be free.</summary>
    public virtual int Link(int fd, int folderFd, string name) =>
        Result(Folders.LinkAt(Files.AT_FDCWD, SelfPath(fd), folderFd, name, Folders.AT_SYMLINK_FOLLOW));

    /// <param name="folderFd">Of both names.</param>
    /// <param name="from">Now.</param>
    /// <param name="to">Then.</param>
    /// <param name="flags">RENAME_NOREPLACE, RENAME_EXCHANGE or 0.</param>
    /// <returns>0; -EINVAL or -ENOSYS where the file system does not know the flag.</returns>
    public virtual int Rename(int folderFd, string from, string to, uint flags) =>
        Result(Folders.RenameAt(folderFd, from, folderFd, to, flags));

    public virtual int Unlink(int folderFd, string name) => Result(Files.UnlinkAt(folderFd, name, 0));

    /// <summary>fsync(2): of a file its content, owner, mode and attributes; of a folder its names.</summary>
    public virtual int Flush(int fd) => Result(Files.Fsync(fd));

    /// <summary>The whole file system on which the file lies.</summary>
    public virtual int FlushSystem(int fd) => Result(Folders.SyncFs(fd));

    /// <summary>flock(2).</summary>
    public virtual int Lock(int fd, int operation) => Result(Files.Flock(fd, operation));

    public virtual int ChangeOwner(int fd, uint userId, uint groupId) => Result(Folders.FChown(fd, userId, groupId));

    public virtual int ChangeMode(int fd, uint mode) => Result(Folders.FChmod(fd, mode));

    /// <summary>Names of a file's extended attributes, each with a NUL behind it.</summary>
    public virtual unsafe int ListAttributes(int fd, Span<byte> names)
    {
        fixed (byte* start = names)
            return Result((int)Folders.ListXattr(SelfPath(fd), start, (nuint)names.Length)); // SAFETY: as long as told
    }

    public virtual unsafe int ReadAttribute(int fd, string name, Span<byte> value)
    {
        fixed (byte* start = value)
            return Result((int)Folders.GetXattr(SelfPath(fd), name, start, (nuint)value.Length)); // SAFETY: its length
    }

    public virtual unsafe int WriteAttribute(int fd, string name, ReadOnlySpan<byte> value)
    {
        fixed (byte* start = value)
            return Result(Folders.FSetXattr(fd, name, start, (nuint)value.Length, 0)); // SAFETY: read only
    }

    /// <summary>The beginning of a small file.</summary>
    public virtual unsafe int ReadText(int fd, Span<byte> text)
    {
        fixed (byte* start = text)
            return Result((int)Files.Pread(fd, start, (nuint)text.Length, 0)); // SAFETY: its length
    }

    /// <summary>All that a small file shall hold.</summary>
    /// <returns>0, or a negative error number.</returns>
    public virtual unsafe int WriteText(int fd, ReadOnlySpan<byte> text)
    {
        int result = Result(Files.Ftruncate(fd, 0));
        fixed (byte* start = text)
            if (result >= 0)
                result = Result((int)Files.Pwrite(fd, start, (nuint)text.Length, 0)); // SAFETY: read only
        return result < 0 ? result
            : result < text.Length ? -Errnos.ENOSPC
            : 0;
    }

    public virtual int RemoveAttribute(int fd, string name) => Result(Folders.FRemoveXattr(fd, name));

    /// <summary>Whether this process may make and remove names in an open folder.</summary>
    public virtual int MayWrite(int folderFd) =>
        Result(Folders.Access(SelfPath(folderFd), Folders.W_OK | Folders.X_OK));

    /// <summary>The same open file by another number, which the caller closes.</summary>
    public virtual int Duplicate(int fd) => Result(Folders.Fcntl(fd, Folders.F_DUPFD_CLOEXEC, 0));

    /// <summary>The same file once more: an open file description of its own, which the caller closes.</summary>
    public virtual int Reopen(int fd, int flags) => Open(Files.AT_FDCWD, SelfPath(fd), flags);

    /// <summary>The name that an open file has now.</summary>
    public virtual int PathOf(int fd, out string path) => ReadLink(Files.AT_FDCWD, SelfPath(fd), out path);

    /// <summary>Gives an open file a size. A limit of the process is an error, never a signal.</summary>
    public virtual int Resize(int fd, ulong sizeBytes)
    {
        using FileSizeSignal.Scope quiet = FileSizeSignal.Block(); // the caller's thread may be a host's
        return sizeBytes > long.MaxValue ? -Errnos.EFBIG : Result(Files.Ftruncate(fd, (long)sizeBytes));
    }

    public static void Close(int fd) => SystemPort.Current.Close(fd);

    /// <summary>By it also what was opened with O_PATH is reached. Source: proc(5).</summary>
    static string SelfPath(int fd) => string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{fd}");

    static int Result(int value) => value < 0 ? -Marshal.GetLastPInvokeError() : value;
}
