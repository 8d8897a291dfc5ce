// Streams over the completion port that the loop's files have, so that one wait sees all. A command is an overlapped
// call, made as it is pushed: AcceptEx, ConnectEx, WSARecv, WSASend. One that ends inside itself tells no port and is
// kept for the next Poll; of the others the port tells, while the loop waits for its files, and Poll delivers.
//
// The system owns a command's memory until its end. So a stream that is closed has its calls cancelled, and each
// completes when the system says that it has ended, which is soon, never before.
//
// Unix sockets are there from Windows 10 (1803) on, and not in Wine; where the system knows none it says so. ConnectEx
// takes none: they are connected by the call that waits, which on one machine is answered at once.
// Cost: one call a transfer. Allocates for a stream, and for a page of memory of it, not for a command.
// Source: AcceptEx, ConnectEx, WSARecv, WSASend, WSAGetOverlappedResult, CancelIoEx, "Using SO_REUSEADDR and
// SO_EXCLUSIVEADDRUSE" in the Windows documentation.
using System;
using System.Collections.Generic;
using System.Net;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Windows;
using FastBackup.Memory;

namespace FastBackup.Ports.Windows;

/// <summary>Threads: the loop's.</summary>
sealed class CompletionStreams : IStreamIo, IPacketOwner
{
    const int Backlog = 128;
    const ulong CloseWaitNs = Units.NsPerSecond;

    readonly CompletionPortFileIo _port;
    readonly Dictionary<ulong, SocketStream> _open = []; // until the system has let go of them
    List<SocketStream> _toLookAt = [];
    List<SocketStream> _looking = [];
    ulong _newestId;

    CompletionStreams(CompletionPortFileIo port) => _port = port;

    /// <summary>Made for one loop, whose port is a completion port.</summary>
    /// <returns>None; Unsupported: the loop's port is another one, or there are no sockets here.</returns>
    public static Fault TryCreate(IIoLoop loop, out IStreamIo? streams)
    {
        streams = null;
        if (loop.FileIo is not CompletionPortFileIo port)
            return new Fault(FaultKind.Unsupported);
        Fault fault = SocketCalls.TryStart();
        if (fault.IsFault)
            return fault;
        CompletionStreams made = new(port);
        port.Attach(made);
        streams = made;
        return Fault.None;
    }

    public uint InFlightCount { get; private set; }

    public bool HasWork => _toLookAt.Count > 0;

    public Fault TryOpen(EndPoint address, out StreamHandle? stream)
    {
        Fault fault = TryMake(address.Serialize(), out SocketStream? made);
        stream = made;
        return fault;
    }

    public Fault TryListen(EndPoint address, out StreamHandle? stream)
    {
        Fault fault = TryMake(address.Serialize(), out SocketStream? made);
        if (fault.IsNone)
            fault = SocketCalls.Listen(made!.Socket, made.Address!, Backlog);
        if (fault.IsFault && made != null)
            Close(made);
        stream = fault.IsNone ? made : null;
        return fault;
    }

    public void Push(in StreamCommand command)
    {
        SocketStream stream = (SocketStream)command.Stream;
        Check.That(!stream.IsClosed);
        StreamHalf half = command.Operation is StreamOperation.Accept or StreamOperation.Receive
            ? stream.Inward
            : stream.Outward;
        Check.That(half.Command.Owner == null);
        half.Command = command;
        InFlightCount++;
        if (half.Begin() is { } result)
            End(half, result);
    }

    public void Close(StreamHandle stream)
    {
        SocketStream socket = (SocketStream)stream;
        if (socket.IsClosed)
            return;
        socket.CloseSocket();
        ForgetIfIdle(socket);
    }

    public uint Poll()
    {
        if (_toLookAt.Count == 0)
            return 0;
        (_looking, _toLookAt) = (_toLookAt, _looking);
        uint delivered = 0;
        foreach (SocketStream stream in _looking)
        {
            stream.IsListed = false;
            delivered += Deliver(stream.Outward) + Deliver(stream.Inward);
            ForgetIfIdle(stream);
        }
        _looking.Clear();
        return delivered;
    }

    /// <summary>Waits for a while until the system has let go of all; what it then still has stays.</summary>
    public void Dispose()
    {
        foreach (SocketStream stream in (SocketStream[])[.. _open.Values])
            Close(stream);
        for (int i = 0; i < 10 && HasCalls() && _port.InFlightCount == 0; i++)
            _ = _port.Poll(CloseWaitNs / 10);
        foreach (SocketStream stream in _open.Values)
            stream.Release();
        _port.Attach(null);
    }

    unsafe void IPacketOwner.OnPacket(nint overlapped)
    {
        StreamCall* call = (StreamCall*)overlapped; // SAFETY: only calls of streams are told with their key
        SocketStream stream = _open[call->StreamId];
        StreamHalf half = call->IsInward != 0 ? stream.Inward : stream.Outward;
        Check.That(half.IsCalling);
        End(half, half.Result());
    }

    void End(StreamHalf half, in StreamResult result)
    {
        (half.IsCalling, half.Ended) = (false, result);
        if (half.Stream.IsListed)
            return;
        half.Stream.IsListed = true;
        _toLookAt.Add(half.Stream);
    }

    uint Deliver(StreamHalf half)
    {
        if (half.Ended is not { } result)
            return 0;
        (IStreamOwner owner, ulong tag) = (half.Command.Owner, half.Command.Tag);
        nint accepted = half.TakeAccepted();
        (half.Command, half.Ended) = (default, null);
        InFlightCount--;
        if (half.Stream.IsClosed || result.Fault.IsFault)
            SocketCalls.Close(accepted);
        else if (accepted != Sockets.InvalidSocket)
            result = Adopt(accepted, half.Stream.Address!);
        owner.OnStreamCompleted(tag, half.Stream.IsClosed ? new StreamResult(new Fault(FaultKind.Canceled)) : result);
        return 1;
    }

    StreamResult Adopt(nint socket, SocketAddress family)
    {
        Fault fault = TryAdd(socket, family, out SocketStream? stream);
        return fault.IsNone ? new StreamResult(Fault.None, 0, stream) : new StreamResult(fault);
    }

    Fault TryMake(SocketAddress address, out SocketStream? stream)
    {
        stream = null;
        Fault fault = SocketCalls.TryMake(address, out nint socket);
        return fault.IsNone ? TryAdd(socket, address, out stream) : fault;
    }

    Fault TryAdd(nint socket, SocketAddress address, out SocketStream? stream)
    {
        stream = null;
        int errno = _port.Serve(socket, out bool isSkipping);
        Fault fault =
            errno == 0
                ? SocketStream.TryMake(++_newestId, socket, address, isSkipping, out stream)
                : Errnos.ToFault(errno);
        if (fault.IsFault)
            SocketCalls.Close(socket);
        else
            _open.Add(stream!.Id, stream);
        return fault;
    }

    void ForgetIfIdle(SocketStream stream)
    {
        if (!stream.IsClosed || stream.Inward.Command.Owner != null || stream.Outward.Command.Owner != null)
            return;
        if (_open.Remove(stream.Id))
            stream.Dispose();
    }

    bool HasCalls()
    {
        foreach (SocketStream stream in _open.Values)
            if (stream.Inward.IsCalling || stream.Outward.IsCalling)
                return true;
        return false;
    }
}
