// A small NBD client: fixed newstyle negotiation, simple replies, several requests under way at once whose answers may
// come in any order. It sends what it is told, also what a well-behaved client would round or split.
// Source: NetworkBlockDevice/nbd doc/proto.md.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Net.Sockets;
using System.Text;
using System.Threading;

namespace FastBackup.Tests.Nbd;

/// <summary>Threads: one. Every failure of the connection is an IOException or a SocketException.</summary>
public sealed class NbdClient : IDisposable
{
    /// <summary>
    /// More, and a server that handles no further request before its answers are taken would wait for us, and we for
    /// it: QEMU's and nbdkit's servers both take 16.
    /// </summary>
    const int UnderWayMax = 16;

    const int ReplyLimitMs = 30_000;
    static readonly TimeSpan ListenLimit = TimeSpan.FromSeconds(10);

    const int GreetingBytes = 18;
    const int OptionReplyBytes = 20;
    const uint OptionReplyError = 0x8000_0000;

    readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    readonly Dictionary<ulong, NbdRequest> _underWay = [];
    ulong _nextCookie = 1;

    public NbdClient(string socketPath, string export)
    {
        try
        {
            _socket.ReceiveTimeout = ReplyLimitMs;
            _socket.SendTimeout = ReplyLimitMs;
            Connect(socketPath);
            Negotiate(export);
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
    }

    public ulong SizeBytes { get; private set; }

    /// <summary>The transmission flags of the export.</summary>
    public ushort Flags { get; private set; }

    /// <summary>Whether the next request must wait for <see cref="Finish"/>.</summary>
    public bool IsFull => _underWay.Count == UnderWayMax;

    /// <summary>Sends a request; its answer comes with <see cref="Finish"/>.</summary>
    public void Start(NbdRequest request)
    {
        if (IsFull)
            throw new IOException($"more than {UnderWayMax} NBD requests at once");
        Span<byte> header = stackalloc byte[NbdWire.RequestBytes];
        BinaryPrimitives.WriteUInt32BigEndian(header, NbdWire.RequestMagic);
        BinaryPrimitives.WriteUInt16BigEndian(header[4..], request.Flags);
        BinaryPrimitives.WriteUInt16BigEndian(header[6..], request.Command);
        BinaryPrimitives.WriteUInt64BigEndian(header[8..], _nextCookie);
        BinaryPrimitives.WriteUInt64BigEndian(header[16..], request.OffsetBytes);
        BinaryPrimitives.WriteUInt32BigEndian(header[24..], request.LengthBytes);
        _underWay.Add(_nextCookie++, request);
        SendAll(header);
        if (request.Command == NbdWire.CommandWrite)
            SendAll(request.Content);
    }

    /// <summary>Waits until every request that was started has its answer.</summary>
    public void Finish()
    {
        while (_underWay.Count > 0)
            ReceiveReply();
    }

    /// <summary>Says good-bye and hangs up.</summary>
    public void Dispose()
    {
        try
        {
            Start(new NbdRequest(NbdWire.CommandDisconnect, 0, 0, 0, null));
        }
        catch (Exception failure) when (failure is IOException or SocketException or ObjectDisposedException)
        {
            // It has gone already.
        }
        _socket.Dispose();
    }

    /// <summary>A server that has just been started may have its socket and not listen yet.</summary>
    void Connect(string socketPath)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                _socket.Connect(new UnixDomainSocketEndPoint(socketPath));
                return;
            }
            catch (SocketException) when (Stopwatch.GetElapsedTime(start) < ListenLimit)
            {
                Thread.Sleep(5);
            }
        }
    }

    void Negotiate(string export)
    {
        byte[] greeting = ReceiveExactly(GreetingBytes);
        if (BinaryPrimitives.ReadUInt64BigEndian(greeting) != NbdWire.ServerMagic)
            throw new IOException("this is no NBD server");
        SendAll([0, 0, 0, NbdWire.FixedNewstyle | NbdWire.NoZeroes]);
        byte[] name = Encoding.UTF8.GetBytes(export);
        byte[] option = new byte[16 + 4 + name.Length + 2];
        BinaryPrimitives.WriteUInt64BigEndian(option, NbdWire.OptionMagic);
        BinaryPrimitives.WriteUInt32BigEndian(option.AsSpan(8), NbdWire.OptionGo);
        BinaryPrimitives.WriteUInt32BigEndian(option.AsSpan(12), (uint)(option.Length - 16));
        BinaryPrimitives.WriteUInt32BigEndian(option.AsSpan(16), (uint)name.Length);
        name.CopyTo(option, 20); // and no particular question
        SendAll(option);
        while (ReadOptionReply(export)) { }
    }

    /// <returns>False after the last one.</returns>
    bool ReadOptionReply(string export)
    {
        byte[] header = ReceiveExactly(OptionReplyBytes);
        uint kind = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(12));
        byte[] content = ReceiveExactly((int)BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(16)));
        if (BinaryPrimitives.ReadUInt64BigEndian(header) != NbdWire.OptionReplyMagic)
            throw new IOException("the answer to an NBD option has no magic number");
        if ((kind & OptionReplyError) != 0)
            throw new IOException($"the NBD server refuses export '{export}': {Encoding.UTF8.GetString(content)}");
        if (kind == NbdWire.ReplyInfo && BinaryPrimitives.ReadUInt16BigEndian(content) == NbdWire.InfoExport)
        {
            SizeBytes = BinaryPrimitives.ReadUInt64BigEndian(content.AsSpan(2));
            Flags = BinaryPrimitives.ReadUInt16BigEndian(content.AsSpan(10));
        }
        return kind != NbdWire.ReplyAck;
    }

    void ReceiveReply()
    {
        byte[] header = ReceiveExactly(NbdWire.ReplyBytes);
        ulong cookie = BinaryPrimitives.ReadUInt64BigEndian(header.AsSpan(8));
        if (BinaryPrimitives.ReadUInt32BigEndian(header) != NbdWire.ReplyMagic)
            throw new IOException("an NBD reply has no magic number");
        if (!_underWay.Remove(cookie, out NbdRequest? request))
            throw new IOException("an NBD reply is to no request");
        request.Error = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4));
        if (request.Command == NbdWire.CommandRead && request.Error == 0)
            ReceiveInto(request.Content);
    }

    void SendAll(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
            bytes = bytes[_socket.Send(bytes)..];
    }

    byte[] ReceiveExactly(int lengthBytes)
    {
        byte[] bytes = new byte[lengthBytes];
        ReceiveInto(bytes);
        return bytes;
    }

    void ReceiveInto(Span<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            int count = _socket.Receive(bytes);
            if (count == 0)
                throw new IOException("the NBD server hung up");
            bytes = bytes[count..];
        }
    }
}
