// The ports of Linux: the ring where the kernel grants it, else threads; sockets by epoll.
using System;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux.Ring;

namespace FastBackup.Ports.Linux;

/// <summary>Threads: any.</summary>
sealed class LinuxPort : SystemPort
{
    const uint SmallDepth = 64;
    const int ProcessNameBytesMax = 256;

    public override NameCalls Names { get; } = new();

    public override FileCall Call { get; } = FileCalls.Execute;

    public override bool KnowsDisks => true;

    public override string ProcessName => MakeProcessName();

    public override void BeginThread(string? name)
    {
        if (name != null)
            ThreadName.Set(name);
        FileSizeSignal.BlockForGood();
    }

    public override PortOpening OpenFileIo(in PortWish wish)
    {
        Fault fault = Fault.None;
        RingFileIo? ring = null;
        if (wish.MayUseRing)
            fault = RingFileIo.TryOpen(wish.Depth, out ring, wish.IsHostDriven);
        if (fault.Kind == FaultKind.NoMemory) // a small memory-lock limit still allows a small ring
            fault = RingFileIo.TryOpen(Math.Min(wish.Depth, SmallDepth), out ring, wish.IsHostDriven);
        if (ring != null || wish.IsHostDriven)
            return new PortOpening(ring, ring?.ReadyFd ?? -1, fault);
        return new PortOpening(new ThreadedFileIo(wish.WorkersPerFile, wish.Depth, "fb-file"), -1, fault);
    }

    public override Fault TryCreateStreams(IIoLoop loop, out IStreamIo? streams) =>
        SocketStreams.TryCreate(loop, out streams);

    internal override WorkCounter? TryMakeCounter() => EventCounter.TryMake();

    internal override LoopBell? TryMakeBell() => EventBell.TryMake();

    public override void Close(int fd)
    {
        if (fd >= 0)
            _ = Files.Close(fd);
    }

    string MakeProcessName()
    {
        Span<byte> text = stackalloc byte[ProcessNameBytesMax];
        int fd = Names.Open(Files.AT_FDCWD, "/proc/sys/kernel/random/uuid", Files.O_RDONLY);
        int lengthBytes = fd < 0 ? 0 : Math.Max(0, Names.ReadText(fd, text));
        Close(fd);
        string random = Encoding.UTF8.GetString(text[..lengthBytes]).Trim();
        return random.Length > 0 ? random : string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId}");
    }

    /// <summary>An event descriptor as a semaphore.</summary>
    sealed class EventCounter : WorkCounter
    {
        readonly int _fd;

        EventCounter(int fd) => _fd = fd;

        public static EventCounter? TryMake()
        {
            int fd = Files.EventFd(0, Files.EFD_CLOEXEC | Files.EFD_SEMAPHORE);
            return fd < 0 ? null : new EventCounter(fd);
        }

        public override unsafe void Add(int count)
        {
            ulong added = (ulong)count;
            // SAFETY: eight bytes of this frame, read during the call only.
            _ = Files.Write(_fd, &added, sizeof(ulong));
        }

        public override unsafe void Take()
        {
            ulong count;
            // SAFETY: eight bytes of this frame, written during the call only.
            while (Files.Read(_fd, &count, sizeof(ulong)) < 0)
                Check.That(Marshal.GetLastPInvokeError() == Errnos.EINTR);
        }

        public override void Close() => _ = Files.Close(_fd);
    }
}
