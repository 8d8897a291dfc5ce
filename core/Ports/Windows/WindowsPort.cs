// The ports of Windows: a completion port, for files and for streams.
using System;
using System.Diagnostics;
using System.Globalization;
using System.Threading;
using FastBackup.Base;
using FastBackup.Interop.Windows;
using FastBackup.Ports.Linux;

namespace FastBackup.Ports.Windows;

/// <summary>Threads: any.</summary>
sealed class WindowsPort : SystemPort
{
    public override NameCalls Names { get; } = new WindowsNames();

    public override FileCall Call { get; } = WindowsFileCalls.Execute;

    public override bool KnowsDisks => false;

    public override string ProcessName
    {
        get
        {
            using Process self = Process.GetCurrentProcess();
            long startTicks = self.StartTime.ToUniversalTime().Ticks; // a number of a process may come again
            return string.Create(CultureInfo.InvariantCulture, $"{self.Id}-{startTicks:x}");
        }
    }

    /// <summary>The framework names threads here, and no call raises a signal.</summary>
    public override void BeginThread(string? name) { }

    /// <returns>None for a host that drives it: there is nothing that such a host could wait on.</returns>
    public override PortOpening OpenFileIo(in PortWish wish)
    {
        if (wish.IsHostDriven)
            return new PortOpening(null, -1, new Fault(FaultKind.Unsupported));
        Fault fault = wish.MayUseRing
            ? CompletionPortFileIo.TryOpen(wish.Depth, out CompletionPortFileIo? fileIo)
            : CompletionPortFileIo.TryOpenThreaded(wish.Depth, wish.WorkersPerFile, out fileIo);
        return new PortOpening(fileIo, -1, fault);
    }

    public override Fault TryCreateStreams(IIoLoop loop, out IStreamIo? streams) =>
        CompletionStreams.TryCreate(loop, out streams);

    internal override WorkCounter? TryMakeCounter() => Semaphore.TryMake();

    internal override LoopBell? TryMakeBell() => EventBell.TryMake();

    public override void Close(int fd)
    {
        if (fd >= 0)
            _ = Handles.Close(fd);
    }

    sealed class Semaphore : WorkCounter
    {
        readonly nint _handle;

        Semaphore(nint handle) => _handle = handle;

        // SAFETY: here and below, no addresses but those of a frame that waits for the call.
        public static unsafe Semaphore? TryMake()
        {
            nint handle = Handles.CreateSemaphore(null, 0, int.MaxValue, null);
            return handle == 0 ? null : new Semaphore(handle);
        }

        public override unsafe void Add(int count) => Check.That(Handles.ReleaseSemaphore(_handle, count, null) != 0);

        public override void Take() => Check.That(Handles.Wait(_handle, CompletionPorts.Infinite) == 0);

        public override void Close() => _ = Handles.Close(_handle);
    }

    /// <summary>For loops over threads only; what else they would watch there is none of.</summary>
    sealed class EventBell : LoopBell
    {
        nint _event; // 0 once closed: a late Ring must not set another one

        EventBell(nint handle) => _event = handle;

        public static unsafe EventBell? TryMake()
        {
            nint handle = Handles.CreateSemaphore(null, 0, 1, null); // 1: a full one is rung already
            return handle == 0 ? null : new EventBell(handle);
        }

        public override unsafe void Ring()
        {
            nint handle = Volatile.Read(ref _event);
            if (handle != 0)
                _ = Handles.ReleaseSemaphore(handle, 1, null);
        }

        public override void Wait(ulong waitNs, int watchedFd)
        {
            Check.That(watchedFd < 0);
            ulong waitMs = waitNs == ulong.MaxValue ? waitNs : Units.DivCeil(waitNs, Units.NsPerMs);
            _ = Handles.Wait(_event, (uint)Math.Min(waitMs, CompletionPorts.Infinite));
        }

        public override void Close()
        {
            nint handle = Interlocked.Exchange(ref _event, 0);
            if (handle != 0)
                _ = Handles.Close(handle);
        }
    }
}
