// Streams over sockets that never block, for every loop alike: whoever waits (the ring, poll(2) beside worker threads)
// watches one epoll descriptor, and a turn makes the calls that can go on.
//
// Where the ring can, it receives (RingReceives): epoll watches then only who listens, connects, or has sent more than
// its peer has read. Elsewhere readiness is edge-triggered and remembered: a stream counts as readable and writable
// until the kernel says EAGAIN, or gives less than there was room for, and again once epoll tells of it. So a stream
// costs one epoll_ctl in its life, and no event is lost between a look and a wait: what arrives in between makes the
// watched descriptor readable. Room to send is asked for only where a send found none: a unix socket would tell of it
// whenever its peer reads, a wake-up for nothing with every answer.
// Cost: an epoll_wait in a turn that the watched descriptor has told of, a call a send, and a receive that is no entry
// of the ring. Allocates for a stream, not a command.
// What a unix socket holds for its reader has a fixed bound, SO_SNDBUF of the sender: the usual 208 KiB cut a payload
// of a MiB into five calls at each end with a wake-up for each. So it is raised, as far as net.core.wmem_max lets;
// doctor tells where that is low. TCP sizes its buffers itself.
// Source: epoll(7), socket(7), connect(2) on EINPROGRESS, send(2) MSG_NOSIGNAL, unix(7).
using System;
using System.Collections.Generic;
using System.Net;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Ports.Linux.Ring;

namespace FastBackup.Ports.Linux;

/// <summary>Threads: the loop's.</summary>
public sealed class SocketStreams : IStreamIo
{
    const int EventsMax = 64;
    const int Backlog = 128;
    const uint UnixMode = 0x180; // 0600

    /// <summary>Wanted of a unix socket; the kernel gives net.core.wmem_max at most.</summary>
    public const int SendBufferBytes = 2 << 20;

    /// <summary>Calls on one stream before another one has its turn.</summary>
    const int CallsPerTurn = 4;

    const uint Inbound = Epoll.IN | Epoll.RDHUP | Epoll.ET;

    readonly int _epollFd;
    readonly IFileIo _port;
    readonly RingReceives? _ring;
    readonly Dictionary<int, SocketStream> _open = [];
    List<SocketStream> _toLookAt = [];
    List<SocketStream> _looking = [];

    SocketStreams(int epollFd, IFileIo port) =>
        (_epollFd, _port, _ring) = (epollFd, port, (port as RingFileIo)?.Receives);

    /// <summary>Made for one loop, whose port watches it from now on.</summary>
    /// <returns>None, or why there is no descriptor for it.</returns>
    public static Fault TryCreate(IIoLoop loop, out IStreamIo? streams)
    {
        streams = null;
        int fd = Epoll.Create(Epoll.CLOEXEC);
        if (fd < 0)
            return Errnos.ToFault(Marshal.GetLastPInvokeError());
        streams = new SocketStreams(fd, loop.FileIo);
        loop.FileIo.Watch(fd);
        return Fault.None;
    }

    public uint InFlightCount { get; private set; }

    public bool HasWork => _toLookAt.Count > 0;

    public Fault TryOpen(EndPoint address, out StreamHandle? stream) => TryMake(address, isListener: false, out stream);

    public Fault TryListen(EndPoint address, out StreamHandle? stream)
    {
        if (address is not PassedListener passed)
            return TryMake(address, isListener: true, out stream);
        StreamResult adopted = Adopt(passed.Fd, isListener: true);
        stream = adopted.Accepted;
        return adopted.Fault;
    }

    public void Push(in StreamCommand command)
    {
        SocketStream stream = (SocketStream)command.Stream;
        Check.That(stream.Fd >= 0);
        ref StreamCommand place = ref IsInward(command.Operation) ? ref stream.Inward : ref stream.Outward;
        Check.That(place.Owner == null);
        place = command;
        InFlightCount++;
        if (stream.RingKey != 0 && command.Operation == StreamOperation.Receive)
        {
            stream.IsInRing = true;
            _ring!.Push(stream.RingKey, command);
        }
        else
            List(stream);
    }

    public void Close(StreamHandle stream)
    {
        SocketStream socket = (SocketStream)stream;
        if (socket.Fd < 0)
            return;
        _ = _open.Remove(socket.Fd);
        if (socket.IsInRing && _ring!.TryTakeBack(socket.RingKey))
            socket.IsInRing = false;
        if (socket.IsInRing)
            _ = UnixSockets.Shutdown(socket.Fd, UnixSockets.SHUT_RDWR); // or the receive would keep it open
        else if (socket.RingKey != 0)
            _ring!.Close(socket.RingKey);
        _ = Files.Close(socket.Fd); // leaves the epoll set by itself
        socket.Fd = -1;
        List(socket);
    }

    public uint Poll()
    {
        if (InFlightCount == 0)
            return 0;
        if (_port.MayWatchedBeReady)
            TakeEvents();
        (_looking, _toLookAt) = (_toLookAt, _looking);
        uint delivered = 0;
        foreach (SocketStream stream in _looking)
        {
            stream.IsListed = false;
            for (int i = 0; i < CallsPerTurn && CanGoOn(stream); i++)
                delivered += GoOn(stream);
            List(stream);
        }
        _looking.Clear();
        return delivered;
    }

    public void Dispose()
    {
        foreach (SocketStream stream in (SocketStream[])[.. _open.Values])
            Close(stream);
        _ = Files.Close(_epollFd);
    }

    /// <summary>The ring has ended a receive: told in Poll.</summary>
    internal void OnReceived(SocketStream stream)
    {
        if (stream.Fd < 0)
            _ring!.Close(stream.RingKey);
        List(stream);
    }

    static bool CanGoOn(SocketStream stream) => stream.CanGoInward || stream.CanGoOutward;

    static bool IsInward(StreamOperation operation) => operation is StreamOperation.Accept or StreamOperation.Receive;

    void List(SocketStream stream)
    {
        if (stream.IsListed || !CanGoOn(stream))
            return;
        stream.IsListed = true;
        _toLookAt.Add(stream);
    }

    unsafe void TakeEvents()
    {
        byte* events = stackalloc byte[EventsMax * 16];
        int count;
        do
        {
            // SAFETY: room for so many events, filled during the call only.
            count = Epoll.Wait(_epollFd, events, EventsMax, 0);
            for (int i = 0; i < count; i++)
            {
                byte* one = events + i * Epoll.EventBytes;
                uint what = *(uint*)one;
                int fd = (int)*(uint*)(one + Epoll.TagOffsetBytes);
                if (!_open.TryGetValue(fd, out SocketStream? stream))
                    continue;
                const uint end = Epoll.ERR | Epoll.HUP;
                stream.HasEnded |= (what & (Epoll.RDHUP | end)) != 0;
                stream.IsReadable |= (what & (Epoll.IN | Epoll.RDHUP | end)) != 0;
                stream.IsWritable |= (what & (Epoll.OUT | end)) != 0;
                if ((what & stream.AskedEvents & Epoll.OUT) != 0 && !stream.IsConnecting)
                    _ = Ask(stream, stream.AskedEvents & ~Epoll.OUT);
                List(stream);
            }
        } while (count == EventsMax);
    }

    /// <summary>One call each way.</summary>
    uint GoOn(SocketStream stream)
    {
        uint delivered = 0;
        if (stream.CanGoOutward)
            delivered += Finish(ref stream.Outward, Outward(stream));
        if (stream.CanGoInward)
            delivered += Finish(ref stream.Inward, Inward(stream));
        return delivered;
    }

    uint Finish(ref StreamCommand place, StreamResult? result)
    {
        if (result is not { } known)
            return 0;
        (IStreamOwner owner, ulong tag) = (place.Owner, place.Tag);
        place = default;
        InFlightCount--;
        owner.OnStreamCompleted(tag, known);
        return 1;
    }

    /// <returns>Null: nothing yet.</returns>
    StreamResult? Outward(SocketStream stream)
    {
        if (stream.Fd < 0)
            return new StreamResult(new Fault(FaultKind.Canceled));
        if (stream.Outward.Operation == StreamOperation.Connect)
            return Connect(stream);
        long result = Send(stream.Fd, stream.Outward);
        if (result >= 0)
            return new StreamResult(Fault.None, (ulong)result);
        if (result is not (-Errnos.EAGAIN or -Errnos.EINTR))
            return new StreamResult(Errnos.ToFault((int)-result));
        if (result == -Errnos.EINTR)
            return null;
        stream.IsWritable = false;
        Fault fault = Ask(stream, stream.AskedEvents | Epoll.OUT | Epoll.ET);
        return fault.IsFault ? new StreamResult(fault) : null;
    }

    StreamResult? Inward(SocketStream stream)
    {
        if (stream.Fd < 0)
            return new StreamResult(new Fault(FaultKind.Canceled));
        if (stream.RingKey != 0)
            return Received(stream);
        bool isAccept = stream.Inward.Operation == StreamOperation.Accept;
        long result = isAccept ? Accept(stream.Fd) : Receive(stream.Fd, stream.Inward);
        if (result >= 0 && isAccept)
            return Adopt((int)result, isListener: false);
        if (result >= 0)
        {
            stream.IsReadable = stream.HasEnded || (ulong)result == stream.Inward.LengthBytes;
            return new StreamResult(Fault.None, (ulong)result);
        }
        if (result is not (-Errnos.EAGAIN or -Errnos.EINTR))
            return new StreamResult(Errnos.ToFault((int)-result));
        stream.IsReadable = result != -Errnos.EAGAIN;
        return null;
    }

    /// <summary>What the ring has said of a receive.</summary>
    StreamResult? Received(SocketStream stream)
    {
        FileResult result = stream.Received;
        if (result.Outcome != FileOutcome.Again)
            return new StreamResult(result.Fault, result.Count);
        stream.IsInRing = true;
        _ring!.Push(stream.RingKey, stream.Inward);
        return null;
    }

    StreamResult Adopt(int fd, bool isListener)
    {
        SocketStream stream = new(this, fd, null);
        _open.Add(fd, stream);
        if (Get(fd, UnixSockets.SO_DOMAIN) == UnixSockets.AF_UNIX)
            Set(fd, UnixSockets.SOL_SOCKET, UnixSockets.SO_SNDBUF, SendBufferBytes);
        Fault fault = !isListener && UsesRing(stream) ? Fault.None : Ask(stream, Inbound);
        if (fault.IsNone)
            return new StreamResult(Fault.None, 0, stream);
        Close(stream);
        return new StreamResult(fault);
    }

    unsafe StreamResult? Connect(SocketStream stream)
    {
        int errno = 0;
        if (stream.IsConnecting) // writable: it has ended, well or not
            return Connected(stream, Get(stream.Fd, UnixSockets.SO_ERROR));
        SocketAddress address = stream.Address!;
        fixed (byte* bytes = address.Buffer.Span)
            // SAFETY: the kernel reads Size bytes during the call only.
            if (UnixSockets.Connect(stream.Fd, (UnixAddress*)bytes, (uint)address.Size) < 0)
                errno = Marshal.GetLastPInvokeError();
        if (errno == Errnos.EINTR)
            errno = Errnos.EINPROGRESS; // it goes on by itself, connect(2)
        if (errno is not (0 or Errnos.EINPROGRESS))
            return new StreamResult(Errnos.ToFault(errno));
        // Only now: a socket that is neither connected nor connecting is writable to epoll, and its event would be
        // taken for the end of this call.
        (stream.IsConnecting, stream.IsWritable) = (true, errno == 0);
        if (errno == 0)
            return Connected(stream, 0);
        Fault fault = Ask(stream, Epoll.OUT | Epoll.ET);
        return fault.IsFault ? new StreamResult(fault) : null;
    }

    StreamResult Connected(SocketStream stream, int errno)
    {
        stream.IsConnecting = false;
        if (errno != 0)
            return new StreamResult(Errnos.ToFault(errno));
        uint events = UsesRing(stream) ? Epoll.ET : Inbound;
        return new StreamResult(stream.AskedEvents == 0 && events == Epoll.ET ? Fault.None : Ask(stream, events));
    }

    /// <summary>From now on, if the ring has a place.</summary>
    bool UsesRing(SocketStream stream)
    {
        if (_ring?.TryOpen(stream, stream.Fd, out ulong key) != true)
            return false;
        stream.RingKey = key;
        return true;
    }

    // SAFETY: whoever pushed the command owns LengthBytes at Buffer until its completion.
    static unsafe long Send(int fd, in StreamCommand command) =>
        Result(UnixSockets.Send(fd, (void*)command.Buffer, (nuint)command.LengthBytes, UnixSockets.MSG_NOSIGNAL));

    // SAFETY: as Send.
    static unsafe long Receive(int fd, in StreamCommand command) =>
        Result(UnixSockets.Receive(fd, (void*)command.Buffer, (nuint)command.LengthBytes, 0));

    static unsafe long Accept(int fd)
    {
        const int flags = UnixSockets.SOCK_CLOEXEC | UnixSockets.SOCK_NONBLOCK;
        // SAFETY: the address is not asked for.
        return Result(UnixSockets.Accept(fd, null, null, flags));
    }

    static long Result(long value) => value < 0 ? -Marshal.GetLastPInvokeError() : value;

    Fault TryMake(EndPoint address, bool isListener, out StreamHandle? stream)
    {
        stream = null;
        SocketAddress bytes = address.Serialize();
        int domain = BitConverter.ToUInt16(bytes.Buffer.Span); // sa_family_t is the first field everywhere
        const int type = UnixSockets.SOCK_STREAM | UnixSockets.SOCK_CLOEXEC | UnixSockets.SOCK_NONBLOCK;
        int fd = UnixSockets.Socket(domain, type, 0);
        if (fd < 0)
            return Errnos.ToFault(Marshal.GetLastPInvokeError());
        if (domain != UnixSockets.AF_UNIX)
            Set(fd, UnixSockets.IPPROTO_TCP, UnixSockets.TCP_NODELAY);
        else
            Set(fd, UnixSockets.SOL_SOCKET, UnixSockets.SO_SNDBUF, SendBufferBytes);
        SocketStream made = new(this, fd, bytes);
        _open.Add(fd, made);
        Fault fault = isListener ? Listen(fd, bytes, domain) : Fault.None;
        if (fault.IsNone && isListener)
            fault = Ask(made, Inbound);
        if (fault.IsFault)
            Close(made);
        else
            stream = made;
        return fault;
    }

    static unsafe Fault Listen(int fd, SocketAddress address, int domain)
    {
        if (domain == UnixSockets.AF_UNIX)
            _ = UnixSockets.FChmod(fd, UnixMode); // its file gets this mode, whatever the umask: SocketPath
        else
            Set(fd, UnixSockets.SOL_SOCKET, UnixSockets.SO_REUSEADDR);
        fixed (byte* bytes = address.Buffer.Span)
            // SAFETY: the kernel reads Size bytes during the call only.
            if (
                UnixSockets.Bind(fd, (UnixAddress*)bytes, (uint)address.Size) < 0
                || UnixSockets.Listen(fd, Backlog) < 0
            )
                return Errnos.ToFault(Marshal.GetLastPInvokeError());
        return Fault.None;
    }

    static unsafe void Set(int fd, int level, int option, int value = 1) =>
        // SAFETY: four bytes of this frame, read during the call only.
        _ = UnixSockets.SetOption(fd, level, option, &value, sizeof(int));

    /// <returns>An option of SOL_SOCKET; an error number where there is none.</returns>
    static unsafe int Get(int fd, int option)
    {
        int value = 0;
        uint lengthBytes = sizeof(int);
        // SAFETY: both are of this frame, written during the call only.
        return UnixSockets.GetOption(fd, UnixSockets.SOL_SOCKET, option, &value, &lengthBytes) < 0
            ? Marshal.GetLastPInvokeError()
            : value;
    }

    /// <summary>From here on epoll tells of these edges, beginning with what is already so.</summary>
    unsafe Fault Ask(SocketStream stream, uint events)
    {
        int operation = stream.AskedEvents == 0 ? Epoll.CTL_ADD : Epoll.CTL_MOD;
        stream.AskedEvents = events;
        EpollEvent what = new() { Events = events };
        // SAFETY: the tag lies within the 16 bytes of the structure, which the kernel reads during the call only.
        *(uint*)((byte*)&what + Epoll.TagOffsetBytes) = (uint)stream.Fd;
        return Epoll.Control(_epollFd, operation, stream.Fd, &what) < 0
            ? Errnos.ToFault(Marshal.GetLastPInvokeError())
            : Fault.None;
    }
}
