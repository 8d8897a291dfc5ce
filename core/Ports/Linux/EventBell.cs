// A loop's bell as an event descriptor, which it polls together with the descriptor that it watches.
using System.Threading;
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Ports.Linux;

/// <summary>Threads: the loop's, except Ring.</summary>
sealed class EventBell : LoopBell
{
    int _fd; // -1 once closed: a late Ring must not write into another file

    EventBell(int fd) => _fd = fd;

    public static EventBell? TryMake()
    {
        int fd = Files.EventFd(0, Files.EFD_CLOEXEC | Files.EFD_NONBLOCK);
        return fd < 0 ? null : new EventBell(fd);
    }

    public override unsafe void Ring()
    {
        ulong one = 1;
        int fd = Volatile.Read(ref _fd);
        // SAFETY: eight bytes of this frame, read during the call only. A full counter is a signal already.
        if (fd >= 0)
            _ = Files.Write(fd, &one, sizeof(ulong));
    }

    public override unsafe void Wait(ulong waitNs, int watchedFd)
    {
        ulong waitMs = Units.DivCeil(waitNs, Units.NsPerMs);
        PollFd* polls = stackalloc PollFd[2];
        polls[0] = new PollFd { Fd = _fd, Events = Files.POLLIN };
        polls[1] = new PollFd { Fd = watchedFd, Events = Files.POLLIN }; // -1 is passed over
        // SAFETY: the kernel uses the structures, and below the eight bytes, during the call only.
        _ = Files.Poll(polls, 2, waitMs > int.MaxValue ? -1 : (int)waitMs);
        ulong count;
        _ = Files.Read(_fd, &count, sizeof(ulong));
    }

    public override void Close()
    {
        int fd = Interlocked.Exchange(ref _fd, -1);
        if (fd >= 0)
            _ = Files.Close(fd);
    }
}
