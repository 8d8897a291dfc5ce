// A client that says what it likes: no library checks its requests, and it may go away in the middle of one.
// Source: NBD doc/proto.md, fixed newstyle negotiation, simple replies.
using System;
using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using FastBackup.Tests.Nbd;
using Xunit;

namespace FastBackup.Tests.Hosts.Nbdkit;

/// <summary>Threads: one.</summary>
sealed class RawConnection : IDisposable
{
    public const uint ShutDown = 108;

    readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    public RawConnection(PluginServer server, string export)
    {
        _socket.ReceiveTimeout = 20_000;
        _socket.Connect(new UnixDomainSocketEndPoint(server.SocketPath));
        Receive(18); // NBDMAGIC, IHAVEOPT and flags
        byte[] hello = new byte[20 + export.Length];
        BinaryPrimitives.WriteUInt32BigEndian(hello, NbdWire.FixedNewstyle | NbdWire.NoZeroes);
        BinaryPrimitives.WriteUInt64BigEndian(hello.AsSpan(4), NbdWire.OptionMagic);
        BinaryPrimitives.WriteUInt32BigEndian(hello.AsSpan(12), NbdWire.OptionExportName);
        BinaryPrimitives.WriteUInt32BigEndian(hello.AsSpan(16), (uint)export.Length);
        Encoding.ASCII.GetBytes(export, hello.AsSpan(20));
        _socket.Send(hello);
        SizeBytes = BinaryPrimitives.ReadUInt64BigEndian(Receive(10));
    }

    public ulong SizeBytes { get; }

    /// <returns>The error, 0 for none.</returns>
    public uint ReadAt(ulong offset, uint length, out byte[] bytes)
    {
        Send(NbdWire.CommandRead, offset, length);
        uint error = Reply();
        bytes = error == 0 ? Receive((int)length) : [];
        return error;
    }

    public uint WriteAt(ulong offset, byte[] bytes)
    {
        Send(NbdWire.CommandWrite, offset, (uint)bytes.Length);
        _socket.Send(bytes);
        return Reply();
    }

    public uint FlushAll()
    {
        Send(NbdWire.CommandFlush, 0, 0);
        return Reply();
    }

    /// <summary>Of a write that was begun with all of its bytes.</summary>
    public uint EndWrite() => Reply();

    /// <summary>Announces a write and sends all or a part of it.</summary>
    public void BeginWrite(ulong offset, uint length, byte[] part)
    {
        Send(NbdWire.CommandWrite, offset, length);
        _socket.Send(part);
    }

    public void Dispose() => _socket.Dispose();

    void Send(ushort type, ulong offset, uint length)
    {
        byte[] request = new byte[NbdWire.RequestBytes];
        BinaryPrimitives.WriteUInt32BigEndian(request, NbdWire.RequestMagic);
        BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(6), type);
        BinaryPrimitives.WriteUInt64BigEndian(request.AsSpan(16), offset);
        BinaryPrimitives.WriteUInt32BigEndian(request.AsSpan(24), length);
        _socket.Send(request);
    }

    uint Reply()
    {
        byte[] reply = Receive(NbdWire.ReplyBytes);
        Assert.Equal(NbdWire.ReplyMagic, BinaryPrimitives.ReadUInt32BigEndian(reply));
        return BinaryPrimitives.ReadUInt32BigEndian(reply.AsSpan(4));
    }

    byte[] Receive(int length)
    {
        byte[] bytes = new byte[length];
        for (int at = 0; at < length; )
        {
            int count = _socket.Receive(bytes.AsSpan(at));
            Assert.True(count > 0, "the server has hung up");
            at += count;
        }
        return bytes;
    }
}
