// Stream sockets, those of the file system above all. Declarations only: no retries, no policy.
// Source: unix(7), getsockopt(2),
// socket(2), bind(2), listen(2), accept4(2), connect(2), send(2), recv(2), shutdown(2), fchmod(2),
// poll(2).
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Linux;

/// <summary>struct sockaddr_un: the path ends with a NUL.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct UnixAddress
{
    public const int PathBytes = 108;

    public ushort Family;

    // SAFETY: written through a span of PathBytes only.
    public fixed byte Path[PathBytes];
}

public static unsafe partial class UnixSockets
{
    const string Library = "libc";

    public const ushort AF_UNIX = 1;
    public const int SOCK_STREAM = 1;
    public const int SOCK_CLOEXEC = 0x80000;
    public const int SOCK_NONBLOCK = 0x800;
    public const int MSG_NOSIGNAL = 0x4000;
    public const int MSG_DONTWAIT = 0x40;
    public const int MSG_WAITALL = 0x100;
    public const int SHUT_RDWR = 2;

    public const short POLLOUT = 4;
    public const short POLLERR = 8;
    public const short POLLHUP = 16;

    public const ushort S_IFSOCK = 0xC000;
    public const int AT_SYMLINK_NOFOLLOW = 0x100;

    [LibraryImport(Library, EntryPoint = "socket", SetLastError = true)]
    public static partial int Socket(int domain, int type, int protocol);

    [LibraryImport(Library, EntryPoint = "bind", SetLastError = true)]
    public static partial int Bind(int fd, UnixAddress* address, uint lengthBytes);

    [LibraryImport(Library, EntryPoint = "listen", SetLastError = true)]
    public static partial int Listen(int fd, int backlog);

    [LibraryImport(Library, EntryPoint = "accept4", SetLastError = true)]
    public static partial int Accept(int fd, UnixAddress* address, uint* lengthBytes, int flags);

    [LibraryImport(Library, EntryPoint = "connect", SetLastError = true)]
    public static partial int Connect(int fd, UnixAddress* address, uint lengthBytes);

    [LibraryImport(Library, EntryPoint = "send", SetLastError = true)]
    public static partial nint Send(int fd, void* buffer, nuint lengthBytes, int flags);

    [LibraryImport(Library, EntryPoint = "recv", SetLastError = true)]
    public static partial nint Receive(int fd, void* buffer, nuint lengthBytes, int flags);

    [LibraryImport(Library, EntryPoint = "shutdown", SetLastError = true)]
    public static partial int Shutdown(int fd, int how);

    public const int SOL_SOCKET = 1;
    public const int SO_REUSEADDR = 2;
    public const int SO_ERROR = 4;
    public const int SO_SNDBUF = 7;
    public const int SO_DOMAIN = 39;
    public const int IPPROTO_TCP = 6;
    public const int TCP_NODELAY = 1;
    public const ushort AF_INET = 2;
    public const ushort AF_INET6 = 10;

    [LibraryImport(Library, EntryPoint = "getsockopt", SetLastError = true)]
    public static partial int GetOption(int fd, int level, int option, int* value, uint* lengthBytes);

    [LibraryImport(Library, EntryPoint = "setsockopt", SetLastError = true)]
    public static partial int SetOption(int fd, int level, int option, int* value, uint lengthBytes);

    /// <summary>Before bind it decides the mode of the file: the kernel takes it from the socket.</summary>
    [LibraryImport(Library, EntryPoint = "fchmod", SetLastError = true)]
    public static partial int FChmod(int fd, uint mode);
}
