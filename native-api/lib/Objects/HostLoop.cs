// FB_ENGINE_HOST_DRIVEN: an engine without a thread, which goes on inside fb_queue_poll and fb_queue_dispatch of its
// queues. Three descriptors say that there is something to do: the port's own, a timer, and an event that posters
// raise. Each queue's epoll descriptor has them beside its own event, so that a host watches one.
//
// A poll makes a bounded number of turns, so that it returns to the host's loop also from a job that never waits; what
// is left raises the event.
using System;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Runtime;

namespace FastBackup.Native.Objects;

/// <summary>Threads: any; SleepUntil one at a time.</summary>
sealed class HostLoop : IHostWaiter
{
    const uint TurnsPerPoll = 16;

    readonly Reactor _reactor;
    readonly EventFlag _poke;
    readonly int _readyFd;
    readonly int _timerFd;
    ulong _armedNs = ulong.MaxValue;

    HostLoop(Runtime.Engine engine, EventFlag poke, int timerFd)
    {
        (_reactor, _readyFd, _poke, _timerFd) = (engine.Reactor, engine.ReadyFd, poke, timerFd);
        _reactor.SetWaiter(this);
    }

    ~HostLoop() => _ = Files.Close(_timerFd);

    /// <returns>None, or NoMemory with the errno.</returns>
    public static Fault TryCreate(Runtime.Engine engine, out HostLoop? loop)
    {
        loop = null;
        Fault fault = EventFd.TryCreate(out EventFd? pokeFd);
        if (fault.IsFault)
            return fault;
        int timerFd = Epoll.CreateTimer(Epoll.CLOCK_MONOTONIC, Epoll.TFD_CLOEXEC | Epoll.TFD_NONBLOCK);
        if (timerFd < 0)
            return new Fault(FaultKind.NoMemory, Marshal.GetLastPInvokeError());
        loop = new HostLoop(engine, new EventFlag(pokeFd!), timerFd);
        return Fault.None;
    }

    /// <summary>One descriptor for a queue's event and for all that drives the engine.</summary>
    /// <returns>None, or NoMemory with the errno.</returns>
    public unsafe Fault TryWatch(int queueFd, out int epollFd)
    {
        epollFd = Epoll.Create(Epoll.CLOEXEC);
        bool isWatching = epollFd >= 0;
        EpollEvent readable = new() { Events = Epoll.IN };
        ReadOnlySpan<int> sources = [queueFd, _poke.Event.Number, _readyFd, _timerFd];
        foreach (int source in sources) // SAFETY: the kernel copies the structure during the call
            isWatching = isWatching && Epoll.Control(epollFd, Epoll.CTL_ADD, source, &readable) == 0;
        if (isWatching)
            return Fault.None;
        Fault fault = new(FaultKind.NoMemory, Marshal.GetLastPInvokeError());
        if (epollFd >= 0)
            _ = Files.Close(epollFd);
        epollFd = -1;
        return fault;
    }

    /// <summary>Some turns of the engine on the calling thread, unless it is being driven already.</summary>
    public void Drive()
    {
        if (_reactor.IsOnThread)
            return;
        _ = _poke.TryLower(); // what was posted before is seen by the turns below, or by whoever is at them
        _reactor.TryDrive(TurnsPerPoll);
    }

    public void Poke() => _poke.Raise();

    public unsafe void SleepUntil(ulong deadlineNs)
    {
        // One that has passed must be set anew, or its descriptor stays readable.
        if (deadlineNs == _armedNs && deadlineNs == ulong.MaxValue)
            return;
        _armedNs = deadlineNs;
        TimerSpec time = default;
        if (deadlineNs != ulong.MaxValue)
        {
            ulong atNs = Math.Max(1, deadlineNs); // 0 would disarm
            time.Seconds = (long)(atNs / Units.NsPerSecond);
            time.Nanoseconds = (long)(atNs % Units.NsPerSecond);
        }
        _ = Epoll.SetTimer(_timerFd, Epoll.TFD_TIMER_ABSTIME, &time, null); // SAFETY: read during the call only
    }
}
