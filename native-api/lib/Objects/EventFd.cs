// An eventfd that is closed by the garbage collector, because only it knows when the last call that may still write to
// it has ended: written to a moment later, the number could be a file of the host.
using System;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;

namespace FastBackup.Native.Objects;

/// <summary>Threads: any.</summary>
sealed class EventFd
{
    /// <param name="number">Is closed with this; also of an epoll, which is waited on but not raised.</param>
    public EventFd(int number) => Number = number;

    ~EventFd() => _ = Files.Close(Number);

    public int Number { get; }

    /// <returns>None, or NoMemory with the errno.</returns>
    public static Fault TryCreate(out EventFd? eventFd)
    {
        int number = Files.EventFd(0, Files.EFD_CLOEXEC | Files.EFD_NONBLOCK);
        eventFd = number < 0 ? null : new EventFd(number);
        return number < 0 ? new Fault(FaultKind.NoMemory, Marshal.GetLastPInvokeError()) : Fault.None;
    }

    public unsafe void Raise()
    {
        ulong one = 1;
        _ = Files.Write(Number, &one, sizeof(ulong)); // SAFETY: eight bytes of our own
        GC.KeepAlive(this);
    }

    /// <returns>False when it was not raised.</returns>
    public unsafe bool TryLower()
    {
        ulong value;
        nint readBytes = Files.Read(Number, &value, sizeof(ulong)); // SAFETY: eight bytes of our own; no wait
        GC.KeepAlive(this);
        return readBytes > 0;
    }

    /// <summary>Waits until it is raised, a signal comes, or the time is over.</summary>
    public unsafe void Wait(int timeoutMs)
    {
        PollFd poll = new() { Fd = Number, Events = Files.POLLIN };
        _ = Files.Poll(&poll, 1, timeoutMs); // SAFETY: one element of our own
        GC.KeepAlive(this);
    }
}
