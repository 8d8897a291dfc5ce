// What the C library's sources find under the names of the system calls: event descriptors are those of Kernel.cs,
// what has nothing to do with waiting is refused.
using FastBackup.Interop.Linux;
using FastBackup.Tests.Schedules.Machine;

namespace FastBackup.Native;

/// <summary>In place of the calls of Interop.Linux.Files.</summary>
static unsafe class Files
{
    public const int EFD_CLOEXEC = Interop.Linux.Files.EFD_CLOEXEC;
    public const int EFD_NONBLOCK = Interop.Linux.Files.EFD_NONBLOCK;
    public const short POLLIN = Interop.Linux.Files.POLLIN;
    public const int AT_FDCWD = Interop.Linux.Files.AT_FDCWD;
    public const uint STATX_BASIC_STATS = Interop.Linux.Files.STATX_BASIC_STATS;
    public const int O_RDONLY = Interop.Linux.Files.O_RDONLY;
    public const int O_NONBLOCK = Interop.Linux.Files.O_NONBLOCK;
    public const int O_RDWR = Interop.Linux.Files.O_RDWR;
    public const int O_CREAT = Interop.Linux.Files.O_CREAT;
    public const int LOCK_EX = Interop.Linux.Files.LOCK_EX;
    public const int LOCK_NB = Interop.Linux.Files.LOCK_NB;
    public const int SEEK_END = Interop.Linux.Files.SEEK_END;
    public const ushort S_IFMT = Interop.Linux.Files.S_IFMT;
    public const ushort S_IFDIR = Interop.Linux.Files.S_IFDIR;
    public const ushort S_IFBLK = Interop.Linux.Files.S_IFBLK;
    public const ushort S_IFREG = Interop.Linux.Files.S_IFREG;

    public static int EventFd(uint initial, int flags)
    {
        Base.Check.That(initial == 0);
        Base.Check.That((flags & EFD_NONBLOCK) != 0);
        return Kernel.Open();
    }

    public static nint Write(int fd, void* buffer, nuint lengthBytes)
    {
        Base.Check.That(*(ulong*)buffer == 1);
        Kernel.Raise(fd);
        return (nint)lengthBytes;
    }

    public static nint Read(int fd, void* buffer, nuint lengthBytes)
    {
        *(ulong*)buffer = 1;
        return Kernel.TryLower(fd) ? (nint)lengthBytes : -1;
    }

    public static int Poll(PollFd* fds, nuint count, int timeoutMs)
    {
        Base.Check.That(count == 1);
        Kernel.Poll(fds->Fd, timeoutMs);
        return 0;
    }

    /// <summary>By finalizers: of a run that is long over.</summary>
    public static int Close(int fd) => fd < 0 ? -1 : 0;

    public static long Lseek(int fd, long offset, int whence) => Interop.Linux.Files.Lseek(fd, offset, whence);

    public static int Ftruncate(int fd, long lengthBytes) => Interop.Linux.Files.Ftruncate(fd, lengthBytes);

    public static int Fdatasync(int fd) => Interop.Linux.Files.Fdatasync(fd);

    public static int Unlink(string path) => Interop.Linux.Files.Unlink(path);

    public static int Statx(int directoryFd, string path, int flags, uint mask, Statx* result) =>
        Interop.Linux.Files.Statx(directoryFd, path, flags, mask, result);
}

/// <summary>In place of the calls of Interop.Linux.Epoll.</summary>
static unsafe class Epoll
{
    public const int CLOEXEC = Interop.Linux.Epoll.CLOEXEC;
    public const int CTL_ADD = Interop.Linux.Epoll.CTL_ADD;
    public const uint IN = Interop.Linux.Epoll.IN;
    public const int CLOCK_MONOTONIC = Interop.Linux.Epoll.CLOCK_MONOTONIC;
    public const int TFD_CLOEXEC = Interop.Linux.Epoll.TFD_CLOEXEC;
    public const int TFD_NONBLOCK = Interop.Linux.Epoll.TFD_NONBLOCK;
    public const int TFD_TIMER_ABSTIME = Interop.Linux.Epoll.TFD_TIMER_ABSTIME;

    public static int Create(int flags) => flags == CLOEXEC ? Kernel.Open() : -1;

    public static int CreateTimer(int clock, int flags) => clock == CLOCK_MONOTONIC && flags != 0 ? Kernel.Open() : -1;

    public static int Control(int epollFd, int operation, int fd, EpollEvent* what)
    {
        Base.Check.That(operation == CTL_ADD);
        Base.Check.That(what->Events == IN);
        Kernel.Watch(epollFd, fd);
        return 0;
    }

    public static int SetTimer(int fd, int flags, TimerSpec* time, TimerSpec* old)
    {
        Base.Check.That(old == null);
        Base.Check.That(flags == TFD_TIMER_ABSTIME);
        Base.Check.That(time->Seconds >= 0);
        Run.Step();
        return fd < 0 ? -1 : 0;
    }
}
