// epoll and timerfd: one descriptor that is readable when any of several is. Declarations only.
// Source: epoll_create1(2), epoll_ctl(2), timerfd_create(2), timerfd_settime(2).
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Linux;

/// <summary>struct epoll_event; packed on x86-64 only.</summary>
[StructLayout(LayoutKind.Explicit, Size = 16)]
public struct EpollEvent
{
    [FieldOffset(0)]
    public uint Events;
}

/// <summary>struct itimerspec.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct TimerSpec
{
    public long IntervalSeconds;
    public long IntervalNanoseconds;
    public long Seconds;
    public long Nanoseconds;
}

public static unsafe partial class Epoll
{
    const string Library = "libc";

    public const int CLOEXEC = 0x80000;
    public const int CTL_ADD = 1;
    public const uint IN = 1;
    public const int CLOCK_MONOTONIC = 1;
    public const int TFD_CLOEXEC = 0x80000;
    public const int TFD_NONBLOCK = 0x800;
    public const int TFD_TIMER_ABSTIME = 1;

    [LibraryImport(Library, EntryPoint = "epoll_create1", SetLastError = true)]
    public static partial int Create(int flags);

    [LibraryImport(Library, EntryPoint = "epoll_ctl", SetLastError = true)]
    public static partial int Control(int epollFd, int operation, int fd, EpollEvent* what);

    [LibraryImport(Library, EntryPoint = "timerfd_create", SetLastError = true)]
    public static partial int CreateTimer(int clock, int flags);

    [LibraryImport(Library, EntryPoint = "timerfd_settime", SetLastError = true)]
    public static partial int SetTimer(int fd, int flags, TimerSpec* time, TimerSpec* old);
}
