// What every kind of stream promises: the same tests over sockets behind the ring, sockets beside worker threads, and
// the simulator's connections.
using System;
using System.Collections.Generic;
using System.Net.Sockets;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Ports;

public sealed unsafe class StreamTests : IStreamOwner, IDisposable
{
    const int MessageBytes = 1_000_000;

    readonly Dictionary<ulong, StreamResult> _results = [];
    readonly AlignedRegion _region = AlignedRegion.Map(2 * MessageBytes, RegionResidency.Resident);
    readonly byte* _memory;
    Action<ulong, StreamResult>? _onCompleted;

    public StreamTests() => _memory = (byte*)_region.Start;

    public void Dispose() => _region.Dispose();

    void IStreamOwner.OnStreamCompleted(ulong tag, in StreamResult result)
    {
        Assert.True(_results.TryAdd(tag, result), "a command has completed twice");
        _onCompleted?.Invoke(tag, result);
    }

    public static TheoryData<StreamKind> Kinds => [.. StreamWorld.Kinds];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void AMessage_ArrivesWholeAndInOrder_BothWaysAtOnce(StreamKind kind)
    {
        using StreamWorld world = new(kind);
        (StreamHandle client, StreamHandle server) = Pair(world);
        Span<byte> sent = new(_memory, MessageBytes);
        Span<byte> received = new(_memory + MessageBytes, MessageBytes);
        new Random(7).NextBytes(sent);
        received.Clear();
        // The client sends all, and asks for all of it back; the server sends back what comes.
        Pump up = new(this, world.Streams, client, 1_000, _memory, MessageBytes, isSend: true);
        byte* echo = stackalloc byte[7_000];
        Echo back = new(this, world.Streams, server, echo, 7_000);
        Pump down = new(this, world.Streams, client, 1_000_000, _memory + MessageBytes, MessageBytes, isSend: false);
        _onCompleted = (tag, result) =>
        {
            Assert.True(result.Fault.IsNone, result.Fault.ToString());
            if (!up.TryTake(tag, result) && !down.TryTake(tag, result))
                back.Take(result);
        };
        up.Start();
        down.Start();
        back.Start();
        world.RunUntil(() => down.IsDone);
        Assert.True(sent.SequenceEqual(received));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void WhenOneEnds_TheOtherReceivesNothing_AndItsSendsFail(StreamKind kind)
    {
        using StreamWorld world = new(kind);
        (StreamHandle client, StreamHandle server) = Pair(world);
        Push(world, StreamOperation.Receive, client, 1, _memory, 100);
        world.Streams.Close(server);
        Assert.Equal(new StreamResult(Fault.None), Result(world, 1));
        StreamResult sent = default;
        for (ulong tag = 2; tag < 1_000 && sent.Fault.IsNone; tag++) // the first may still be taken
        {
            Push(world, StreamOperation.Send, client, tag, _memory, 100);
            sent = Result(world, tag);
        }
        Assert.True(sent.Fault.Errno is Errnos.EPIPE or Errnos.ECONNRESET, sent.Fault.ToString());
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void NobodyListens_IsSaid(StreamKind kind)
    {
        using StreamWorld world = new(kind);
        Assert.True(world.Streams.TryOpen(world.Address, out StreamHandle? stream).IsNone);
        Push(world, StreamOperation.Connect, stream!, 1);
        Assert.True(Result(world, 1).Fault.Errno is Errnos.ECONNREFUSED or Errnos.ENOENT);
        world.Streams.Close(stream!);
        Assert.Equal(0u, world.Streams.InFlightCount);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void AnAddressIsTaken_IsSaid(StreamKind kind)
    {
        using StreamWorld world = new(kind);
        Assert.True(world.Streams.TryListen(world.Address, out _).IsNone);
        Assert.Equal(Errnos.EADDRINUSE, world.Streams.TryListen(world.Address, out StreamHandle? second).Errno);
        Assert.Null(second);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Close_EndsWhatWaits(StreamKind kind)
    {
        using StreamWorld world = new(kind);
        (StreamHandle client, StreamHandle server) = Pair(world);
        Assert.True(world.Streams.TryOpen(world.Address, out StreamHandle? idle).IsNone);
        Push(world, StreamOperation.Receive, client, 1, _memory, 100);
        Push(world, StreamOperation.Receive, server, 2, _memory + 100, 100);
        world.Reactor.Turn(0);
        Assert.Equal(2u, world.Streams.InFlightCount);
        world.Streams.Close(client);
        world.Streams.Close(client); // once more changes nothing
        world.Streams.Close(idle!);
        Assert.Equal(FaultKind.Canceled, Result(world, 1).Fault.Kind);
        Assert.Equal(new StreamResult(Fault.None), Result(world, 2));
        Assert.Equal(0u, world.Streams.InFlightCount);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ManyConnections_AreAcceptedOneByOne(StreamKind kind)
    {
        const int count = 50;
        using StreamWorld world = new(kind);
        Assert.True(world.Streams.TryListen(world.Address, out StreamHandle? listener).IsNone);
        for (ulong i = 0; i < count; i++)
        {
            Assert.True(world.Streams.TryOpen(world.Address, out StreamHandle? stream).IsNone);
            Push(world, StreamOperation.Connect, stream!, i);
        }
        HashSet<StreamHandle> accepted = [];
        for (ulong i = 0; i < count; i++)
        {
            Push(world, StreamOperation.Accept, listener!, 100 + i);
            StreamResult result = Result(world, 100 + i);
            Assert.True(result.Fault.IsNone);
            Assert.True(accepted.Add(result.Accepted!));
        }
        for (ulong i = 0; i < count; i++)
            Assert.True(Result(world, i).Fault.IsNone);
    }

    /// <summary>A stream is closed with a receive that was pushed just now, and the next connection gets its number.
    /// </summary>
    [Fact]
    public void WhatWasPushedToAClosedStream_TakesNothingOfTheNextOne()
    {
        using StreamWorld world = new(StreamKind.RingTcp);
        Assert.True(world.Streams.TryListen(world.Address, out StreamHandle? listener).IsNone);
        using Socket first = Connected(world);
        Push(world, StreamOperation.Accept, listener!, 1);
        StreamHandle closed = Result(world, 1).Accepted!;
        Push(world, StreamOperation.Receive, closed, 2, _memory, 100);
        Push(world, StreamOperation.Accept, listener!, 3);
        while (world.Reactor.Turn(0)) { }
        _onCompleted = (tag, result) =>
        {
            if (tag == 2)
            {
                Push(world, StreamOperation.Receive, closed, 4, _memory, 100);
                world.Streams.Close(closed);
            }
            else if (tag == 3)
                Push(world, StreamOperation.Receive, result.Accepted!, 5, _memory + 100, 100);
        };
        _ = first.Send([1]);
        using Socket second = Connected(world);
        _ = second.Send([7]);
        world.RunUntil(() => _results.ContainsKey(4) && _results.ContainsKey(5));
        Assert.Equal((FaultKind.Canceled, 0ul), (_results[4].Fault.Kind, _results[4].Count));
        Assert.Equal(new StreamResult(Fault.None, 1), _results[5]);
        Assert.Equal(7, _memory[100]);
    }

    static Socket Connected(StreamWorld world)
    {
        Socket socket = new(world.Address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(world.Address);
        return socket;
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void HundredsOfStreams_ReceiveAtOnce_AndOthersAfterThem(StreamKind kind)
    {
        const int count = 140; // of two ends each: more than the ring has places for
        using StreamWorld world = new(kind);
        Assert.True(world.Streams.TryListen(world.Address, out StreamHandle? listener).IsNone);
        ulong tag = 0;
        for (int round = 0; round < 2; round++)
        {
            List<StreamHandle> ends = [];
            for (int i = 0; i < count; i++)
            {
                Assert.True(world.Streams.TryOpen(world.Address, out StreamHandle? client).IsNone);
                Push(world, StreamOperation.Accept, listener!, ++tag);
                Push(world, StreamOperation.Connect, client!, ++tag);
                Assert.True(Result(world, tag).Fault.IsNone);
                ends.AddRange(client!, Result(world, tag - 1).Accepted!);
            }
            ulong moved = tag;
            for (int i = 0; i < ends.Count; i++)
                Push(world, StreamOperation.Receive, ends[i], ++tag, _memory + 1000 + i, 1);
            foreach (StreamHandle end in ends)
                Push(world, StreamOperation.Send, end, ++tag, _memory, 1);
            for (ulong one = moved + 1; one <= tag; one++)
                Assert.Equal(new StreamResult(Fault.None, 1), Result(world, one));
            ulong waiting = tag;
            for (int i = 0; i < ends.Count; i++)
                Push(world, StreamOperation.Receive, ends[i], ++tag, _memory + 1000 + i, 1);
            world.Reactor.Turn(0);
            foreach (StreamHandle end in ends)
                world.Streams.Close(end);
            for (ulong one = waiting + 1; one <= tag; one++)
                Assert.Equal(0ul, Result(world, one).Count);
        }
        Assert.Equal(0u, world.Streams.InFlightCount);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void AnIdleLoop_SleepsUntilBytesArrive(StreamKind kind)
    {
        using StreamWorld world = new(kind);
        (StreamHandle client, StreamHandle server) = Pair(world);
        Push(world, StreamOperation.Receive, server, 1, _memory, 1);
        int turns = 0;
        while (kind != StreamKind.Simulated && turns++ < 4)
            world.Reactor.Turn(Units.NsPerMs);
        Assert.False(_results.ContainsKey(1));
        Push(world, StreamOperation.Send, client, 2, _memory + 1, 1);
        int count = 0;
        world.RunUntil(() => count++ > 40 || _results.ContainsKey(1)); // not by spinning
        Assert.Equal(1ul, _results[1].Count);
    }

    (StreamHandle Client, StreamHandle Server) Pair(StreamWorld world)
    {
        Assert.True(world.Streams.TryListen(world.Address, out StreamHandle? listener).IsNone);
        Assert.True(world.Streams.TryOpen(world.Address, out StreamHandle? client).IsNone);
        Push(world, StreamOperation.Accept, listener!, ulong.MaxValue);
        Push(world, StreamOperation.Connect, client!, ulong.MaxValue - 1);
        Assert.True(Result(world, ulong.MaxValue - 1).Fault.IsNone);
        return (client!, Result(world, ulong.MaxValue).Accepted!);
    }

    void Push(
        StreamWorld world,
        StreamOperation operation,
        StreamHandle stream,
        ulong tag,
        byte* buffer = null,
        ulong lengthBytes = 0
    ) => Push(world.Streams, operation, stream, tag, buffer, lengthBytes);

    void Push(
        IStreamIo streams,
        StreamOperation operation,
        StreamHandle stream,
        ulong tag,
        byte* buffer,
        ulong lengthBytes
    ) =>
        streams.Push(
            new StreamCommand
            {
                Operation = operation,
                Stream = stream,
                Buffer = (nint)buffer,
                LengthBytes = lengthBytes,
                Owner = this,
                Tag = tag,
            }
        );

    StreamResult Result(StreamWorld world, ulong tag)
    {
        world.RunUntil(() => _results.ContainsKey(tag));
        return _results[tag];
    }

    /// <summary>Moves a whole message one way; its commands have tags from the first on.</summary>
    sealed class Pump(
        StreamTests owner,
        IStreamIo streams,
        StreamHandle stream,
        ulong firstTag,
        byte* buffer,
        ulong lengthBytes,
        bool isSend
    )
    {
        ulong _tag = firstTag;
        ulong _doneBytes;

        public bool IsDone => _doneBytes == lengthBytes;

        public void Start() =>
            owner.Push(
                streams,
                isSend ? StreamOperation.Send : StreamOperation.Receive,
                stream,
                _tag,
                buffer + _doneBytes,
                lengthBytes - _doneBytes
            );

        public bool TryTake(ulong tag, StreamResult result)
        {
            if (tag != _tag)
                return false;
            Assert.InRange(result.Count, 1ul, lengthBytes - _doneBytes);
            _doneBytes += result.Count;
            _tag++;
            if (!IsDone)
                Start();
            return true;
        }
    }

    /// <summary>Sends back whatever comes, a buffer at a time; its commands have tags from 2^40 on.</summary>
    sealed class Echo(StreamTests owner, IStreamIo streams, StreamHandle stream, byte* buffer, ulong lengthBytes)
    {
        ulong _tag = 1ul << 40;
        ulong _heldBytes;
        ulong _sentBytes;

        public void Start() => owner.Push(streams, StreamOperation.Receive, stream, _tag++, buffer, lengthBytes);

        public void Take(StreamResult result)
        {
            if (_heldBytes == 0)
                _heldBytes = result.Count;
            else
                _sentBytes += result.Count;
            if (_sentBytes < _heldBytes)
            {
                ulong rest = _heldBytes - _sentBytes;
                owner.Push(streams, StreamOperation.Send, stream, _tag++, buffer + _sentBytes, rest);
                return;
            }
            (_heldBytes, _sentBytes) = (0, 0);
            Start();
        }
    }
}
