// epoll and timerfd: one descriptor that is readable when any of several is. Declarations only.
// Source: epoll_create1(2), epoll_ctl(2), timerfd_create(2), timerfd_settime(2).
using System.Runtime.InteropServices;

namespace FastBackup.Interop.Linux;

/// <summary>struct epoll_event; packed on x86-64 only, which matters to arrays: Epoll.EventBytes.</summary>
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
    public const int CTL_MOD = 3;
    public const uint IN = 1;
    public const uint OUT = 4;
    public const uint ERR = 8;
    public const uint HUP = 16;
    public const uint RDHUP = 0x2000;
    public const uint ET = 1u << 31;
    public const int CLOCK_MONOTONIC = 1;
    public const int TFD_CLOEXEC = 0x80000;
    public const int TFD_NONBLOCK = 0x800;
    public const int TFD_TIMER_ABSTIME = 1;

    [LibraryImport(Library, EntryPoint = "epoll_create1", SetLastError = true)]
    public static partial int Create(int flags);

    [LibraryImport(Library, EntryPoint = "epoll_ctl", SetLastError = true)]
    public static partial int Control(int epollFd, int operation, int fd, EpollEvent* what);

    /// <summary>Fills in events of <see cref="EventBytes"/> each, max at most; how many, or -1.</summary>
    [LibraryImport(Library, EntryPoint = "epoll_wait", SetLastError = true)]
    public static partial int Wait(int epollFd, byte* events, int max, int timeoutMs);

    /// <summary>Of one event in an array.</summary>
    public static int EventBytes => IsPacked ? 12 : 16;

    /// <summary>Where the caller's own number begins in an event.</summary>
    public static int TagOffsetBytes => IsPacked ? 4 : 8;

    static bool IsPacked => RuntimeInformation.ProcessArchitecture == Architecture.X64;

    [LibraryImport(Library, EntryPoint = "timerfd_create", SetLastError = true)]
    public static partial int CreateTimer(int clock, int flags);

    [LibraryImport(Library, EntryPoint = "timerfd_settime", SetLastError = true)]
    public static partial int SetTimer(int fd, int flags, TimerSpec* time, TimerSpec* old);
}
