// The C library's calls on names in a folder that is open, and on owner, mode and attributes of open files.
// Declarations only: no retries, no policy.
// Source: linkat(2), renameat2(2), readlinkat(2), fchown(2), fchmod(2), getxattr(2),
// listxattr(2), fsetxattr(2), fremovexattr(2), access(2), syncfs(2),
// fcntl(2).
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Linux;

public static unsafe partial class Folders
{
    public const int AT_SYMLINK_FOLLOW = 0x400;

    public const uint RENAME_NOREPLACE = 1;
    public const uint RENAME_EXCHANGE = 2;

    public const int F_DUPFD_CLOEXEC = 1030;

    public const ushort S_IFLNK = 0xA000;

    public const int W_OK = 2;
    public const int X_OK = 1;

    const string Library = "libc";

    /// <summary>O_NOFOLLOW has another value on arm64.</summary>
    public static int O_NOFOLLOW => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x8000 : 0x20000;

    [LibraryImport(Library, EntryPoint = "linkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int LinkAt(int fromFd, string from, int toFd, string to, int flags);

    [LibraryImport(Library, EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int RenameAt(int fromFd, string from, int toFd, string to, uint flags);

    [LibraryImport(Library, EntryPoint = "readlinkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint ReadLinkAt(int folderFd, string name, byte* buffer, nuint lengthBytes);

    [LibraryImport(Library, EntryPoint = "fchown", SetLastError = true)]
    public static partial int FChown(int fd, uint userId, uint groupId);

    [LibraryImport(Library, EntryPoint = "fchmod", SetLastError = true)]
    public static partial int FChmod(int fd, uint mode);

    [LibraryImport(Library, EntryPoint = "getxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint GetXattr(string path, string name, byte* value, nuint lengthBytes);

    [LibraryImport(Library, EntryPoint = "listxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial nint ListXattr(string path, byte* names, nuint lengthBytes);

    [LibraryImport(Library, EntryPoint = "fsetxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int FSetXattr(int fd, string name, byte* value, nuint lengthBytes, int flags);

    [LibraryImport(
        Library,
        EntryPoint = "fremovexattr",
        SetLastError = true,
        StringMarshalling = StringMarshalling.Utf8
    )]
    public static partial int FRemoveXattr(int fd, string name);

    [LibraryImport(Library, EntryPoint = "access", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Access(string path, int mode);

    [LibraryImport(Library, EntryPoint = "syncfs", SetLastError = true)]
    public static partial int SyncFs(int fd);

    [LibraryImport(Library, EntryPoint = "fcntl", SetLastError = true)]
    public static partial int Fcntl(int fd, int command, nint argument);
}
