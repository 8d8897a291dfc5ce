// Connections in memory, in virtual time, from a seed: bytes arrive late and in pieces, sends are cut short, a listener
// may be slow, and a test may cut a connection. What an order of events on a network can do to a client of it.
using System;
using System.Collections.Generic;
using System.Net;
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Tests.Simulated;

/// <param name="loop">Its timers deliver what completes.</param>
/// <param name="seed">Of delays and counts.</param>
sealed class SimulatedStreams(IIoLoop loop, ulong seed) : IStreamIo, ILoopTask
{
    const int PipeBytes = 64 * 1024;

    sealed class Stream : StreamHandle
    {
        public EndPoint? Address;
        public bool IsListener;
        public Stream? Other;
        public readonly Queue<byte> Arrived = new();
        public readonly Queue<Stream> Arriving = new(); // at a listener
        public StreamCommand Inward;
        public StreamCommand Outward;
        public bool HasEnded; // no more will arrive
        public Fault Cut;
        public bool IsClosed;
    }

    readonly Prng _prng = new(seed);
    readonly Dictionary<EndPoint, Stream> _listeners = [];
    readonly List<Stream> _streams = [];
    bool _isTimed;

    /// <summary>The longest time between an event and its completion.</summary>
    public ulong LatencyNsMax { get; set; } = 200 * Units.NsPerUs;

    /// <summary>Each call moves some of what it could move, at least a byte; else all of it.</summary>
    public bool IsTearing { get; set; } = true;

    public uint InFlightCount { get; private set; }

    public bool HasWork => false; // timers do it

    public Fault TryOpen(EndPoint address, out StreamHandle? stream)
    {
        Stream made = new() { Address = address };
        _streams.Add(made);
        stream = made;
        return Fault.None;
    }

    public Fault TryListen(EndPoint address, out StreamHandle? stream)
    {
        stream = null;
        if (_listeners.ContainsKey(address))
            return Errnos.ToFault(Errnos.EADDRINUSE);
        Stream made = new() { Address = address, IsListener = true };
        _listeners.Add(address, made);
        _streams.Add(made);
        stream = made;
        return Fault.None;
    }

    public void Push(in StreamCommand command)
    {
        Stream stream = (Stream)command.Stream;
        Check.That(!stream.IsClosed);
        bool isInward = command.Operation is StreamOperation.Accept or StreamOperation.Receive;
        ref StreamCommand place = ref isInward ? ref stream.Inward : ref stream.Outward;
        Check.That(place.Owner == null);
        place = command;
        InFlightCount++;
        Later();
    }

    public void Close(StreamHandle stream)
    {
        Stream end = (Stream)stream;
        if (end.IsClosed)
            return;
        end.IsClosed = true;
        if (end.IsListener)
            _ = _listeners.Remove(end.Address!);
        if (end.Other is { } other)
            other.HasEnded = true;
        Later();
    }

    /// <summary>The connection breaks for both ends.</summary>
    public void Cut(StreamHandle handle)
    {
        Stream stream = (Stream)handle;
        stream.Cut = Errnos.ToFault(Errnos.ECONNRESET);
        if (stream.Other != null)
            stream.Other.Cut = stream.Cut;
        Later();
    }

    public uint Poll() => 0;

    public void Dispose() { }

    void ILoopTask.Run(ulong argument)
    {
        _isTimed = false;
        foreach (Stream stream in (Stream[])[.. _streams])
        {
            Try(ref stream.Outward, Outward(stream));
            Try(ref stream.Inward, Inward(stream));
            if (stream.IsClosed && stream.Inward.Owner == null && stream.Outward.Owner == null)
                _ = _streams.Remove(stream);
        }
    }

    void Later()
    {
        if (_isTimed)
            return;
        _isTimed = true;
        _ = loop.StartTimer(loop.Clock.NowNs + 1 + _prng.Below(LatencyNsMax), this, 0);
    }

    void Try(ref StreamCommand place, StreamResult? result)
    {
        if (place.Owner == null || result is not { } known)
            return;
        (IStreamOwner owner, ulong tag) = (place.Owner, place.Tag);
        place = default;
        InFlightCount--;
        owner.OnStreamCompleted(tag, known);
        Later(); // the other end may go on now
    }

    StreamResult? Outward(Stream stream)
    {
        if (stream.Outward.Owner == null)
            return null;
        if (stream.IsClosed)
            return new StreamResult(new Fault(FaultKind.Canceled));
        if (stream.Outward.Operation == StreamOperation.Connect)
            return Connect(stream);
        if (stream.Cut.IsFault)
            return new StreamResult(stream.Cut);
        if (stream.Other is not { IsClosed: false } other)
            return new StreamResult(Errnos.ToFault(Errnos.EPIPE));
        int room = PipeBytes - other.Arrived.Count;
        return room == 0 ? null : Send(stream.Outward, other, room);
    }

    unsafe StreamResult Send(in StreamCommand command, Stream other, int room)
    {
        int count = CountOf(Math.Min((ulong)room, command.LengthBytes));
        // SAFETY: the pusher owns LengthBytes at Buffer until the completion.
        foreach (byte one in new ReadOnlySpan<byte>((void*)command.Buffer, count))
            other.Arrived.Enqueue(one);
        return new StreamResult(Fault.None, (ulong)count);
    }

    int CountOf(ulong most) => IsTearing ? 1 + (int)_prng.Below(most) : (int)most;

    StreamResult Connect(Stream stream)
    {
        if (!_listeners.TryGetValue(stream.Address!, out Stream? listener))
            return new StreamResult(Errnos.ToFault(Errnos.ECONNREFUSED));
        Stream other = new() { Other = stream };
        stream.Other = other;
        _streams.Add(other);
        listener.Arriving.Enqueue(other);
        return new StreamResult(Fault.None);
    }

    StreamResult? Inward(Stream stream)
    {
        if (stream.Inward.Owner == null)
            return null;
        if (stream.IsClosed)
            return new StreamResult(new Fault(FaultKind.Canceled));
        if (stream.Inward.Operation == StreamOperation.Accept)
            return stream.Arriving.TryDequeue(out Stream? accepted) ? new StreamResult(Fault.None, 0, accepted) : null;
        if (stream.Arrived.Count > 0 && stream.Cut.IsNone)
            return Receive(stream);
        if (stream.Cut.IsFault)
            return new StreamResult(stream.Cut);
        return stream.HasEnded ? new StreamResult(Fault.None) : null;
    }

    unsafe StreamResult Receive(Stream stream)
    {
        ulong most = Math.Min((ulong)stream.Arrived.Count, stream.Inward.LengthBytes);
        int count = CountOf(most);
        // SAFETY: as Send.
        foreach (ref byte one in new Span<byte>((void*)stream.Inward.Buffer, count))
            one = stream.Arrived.Dequeue();
        return new StreamResult(Fault.None, (ulong)count);
    }
}
