// Asks our NBD server what the guest never asks: every option, every command, the errors, large and unaligned
// ranges, a flood whose replies nobody reads, and clients that go away in the middle of something.
// Source: NetworkBlockDevice/nbd doc/proto.md.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Net.Sockets;
using System.Text;
using FastBackup.Base;
using FastBackup.Bench.GuestLatency.Nbd;
using FastBackup.Tests.Nbd;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.GuestLatency;

/// <summary>Threads: one.</summary>
sealed class NbdProbe(string socketPath, ulong sizeBytes)
{
    const int ReplyLimitMs = 5000;
    const uint UnknownOption = 4711;
    const uint ReplyError = 0x8000_0000;

    /// <summary>Each thing that was tried, and whether it went as it should.</summary>
    public IEnumerable<(string What, bool IsRight)> Run()
    {
        using (Socket client = Greet())
        {
            yield return (
                "an unknown option is refused as unsupported",
                Ask(client, UnknownOption, [1, 2]) == NbdWire.ReplyUnsupported
            );
            yield return ("the list names the export", Ask(client, NbdWire.OptionList, []) == NbdWire.ReplyServer);
            yield return ("and ends", ReadOptionReply(client).Kind == NbdWire.ReplyAck);
            yield return (
                "another export is unknown",
                Ask(client, NbdWire.OptionGo, Go("other")) == NbdWire.ReplyUnknown
            );
            yield return (
                "half an option is invalid",
                Ask(client, NbdWire.OptionGo, [0, 0, 0, 9]) == NbdWire.ReplyInvalid
            );
            yield return ("info is answered", Ask(client, NbdWire.OptionInfo, Go("disk")) == NbdWire.ReplyInfo);
            yield return ("with block sizes", ReadOptionReply(client).Kind == NbdWire.ReplyInfo);
            yield return ("and ends", ReadOptionReply(client).Kind == NbdWire.ReplyAck);
            yield return ("abort is acknowledged", Ask(client, NbdWire.OptionAbort, []) == NbdWire.ReplyAck);
            yield return ("and hung up on", client.Receive(new byte[1]) == 0);
        }
        foreach ((string, bool) result in RunCommands())
            yield return result;
        foreach ((string, bool) result in RunRudeClients())
            yield return result;
    }

    IEnumerable<(string What, bool IsRight)> RunCommands()
    {
        using Socket client = Connect();
        byte[] content = new byte[NbdSession.PayloadBytesMax];
        new Prng(7).Fill(content);
        const ulong offset = 1_000_001; // aligned to nothing
        yield return ("a large unaligned write", Write(client, NbdWire.FlagFua, offset, content) == 0);
        yield return ("is read back", Read(client, offset, content.Length).SequenceEqual(content));
        yield return ("a flush", Command(client, NbdWire.CommandFlush, 0, 0) == 0);
        yield return ("zeroes", Command(client, NbdWire.CommandWriteZeroes, offset, 5000) == 0);
        yield return ("are read back", Read(client, offset, 5000).All(value => value == 0));
        yield return (
            "what follows them is left",
            Read(client, offset + 5000, 100).AsSpan().SequenceEqual(content.AsSpan(5000, 100))
        );
        yield return ("a trim", Command(client, NbdWire.CommandTrim, 8192, 65536) == 0);
        yield return (
            "a read past the end is invalid",
            Command(client, NbdWire.CommandRead, sizeBytes - 1, 2) == NbdWire.ErrorInvalid
        );
        yield return (
            "a write past the end has no space",
            Write(client, 0, sizeBytes, content[..4096]) == NbdWire.ErrorNoSpace
        );
        yield return ("an offset that overflows is refused", Write(client, 0, ulong.MaxValue, content[..4096]) != 0);
        yield return ("an empty read is invalid", Command(client, NbdWire.CommandRead, 0, 0) == NbdWire.ErrorInvalid);
        byte[] tooLong = new byte[NbdSession.PayloadBytesMax + 1];
        yield return ("a write that is too long is invalid", Write(client, 0, 0, tooLong) == NbdWire.ErrorInvalid);
        yield return ("an unknown command is invalid", Command(client, 99, 0, 4096) == NbdWire.ErrorInvalid);
        yield return (
            "and the connection goes on",
            Read(client, offset + 5000, 100).AsSpan().SequenceEqual(content.AsSpan(5000, 100))
        );
    }

    IEnumerable<(string What, bool IsRight)> RunRudeClients()
    {
        using (Socket client = Connect())
        {
            // More replies than the socket and the slots hold: the server must wait for us, and lose none.
            const int count = 200;
            for (uint i = 0; i < count; i++)
                Send(client, NbdWire.CommandRead, 0, i * 4096, 4096);
            System.Threading.Thread.Sleep(50);
            int rightCount = 0;
            for (int i = 0; i < count; i++)
                rightCount += ReadReply(client) == 0 && ReceiveExactly(client, 4096).Length == 4096 ? 1 : 0;
            yield return ("replies that are read late all come", rightCount == count);
        }
        using (Socket client = Connect())
            for (uint i = 0; i < 50; i++)
                Send(client, NbdWire.CommandRead, 0, i * 65536, 65536); // and goes away without reading
        using (Socket client = Connect())
            client.Send(new byte[28]); // not a request
        using (Socket client = Greet())
            client.Send("GET / HTTP/1.1\r\n\r\n"u8);
        using (Socket client = Connect())
            yield return ("after clients that went away the next one is served", Read(client, 0, 512).Length == 512);
    }

    Socket Greet()
    {
        Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.ReceiveTimeout = ReplyLimitMs;
        client.Connect(new UnixDomainSocketEndPoint(socketPath));
        ReceiveExactly(client, 18);
        client.Send([0, 0, 0, NbdWire.FixedNewstyle | NbdWire.NoZeroes]);
        return client;
    }

    Socket Connect()
    {
        Socket client = Greet();
        Ask(client, NbdWire.OptionGo, Go("disk"));
        while (ReadOptionReply(client).Kind != NbdWire.ReplyAck) { }
        return client;
    }

    static byte[] Go(string name) => [0, 0, 0, (byte)name.Length, .. Encoding.UTF8.GetBytes(name), 0, 0];

    static uint Ask(Socket client, uint option, byte[] payload)
    {
        byte[] message = new byte[16 + payload.Length];
        BinaryPrimitives.WriteUInt64BigEndian(message, NbdWire.OptionMagic);
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(8), option);
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(12), (uint)payload.Length);
        payload.CopyTo(message, 16);
        client.Send(message);
        (uint answered, uint kind) = ReadOptionReply(client);
        return answered == option ? kind : ReplyError;
    }

    static (uint Option, uint Kind) ReadOptionReply(Socket client)
    {
        byte[] header = ReceiveExactly(client, 20);
        ReceiveExactly(client, (int)BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(16)));
        bool isReply = BinaryPrimitives.ReadUInt64BigEndian(header) == NbdWire.OptionReplyMagic;
        uint kind = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(12));
        return (BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(8)), isReply ? kind : ReplyError);
    }

    static uint Write(Socket client, ushort flags, ulong offset, byte[] content)
    {
        Send(client, NbdWire.CommandWrite, flags, offset, (uint)content.Length);
        for (int sent = 0; sent < content.Length; )
            sent += client.Send(content.AsSpan(sent));
        return ReadReply(client);
    }

    static uint Command(Socket client, ushort command, ulong offset, uint lengthBytes)
    {
        Send(client, command, 0, offset, lengthBytes);
        return ReadReply(client);
    }

    static byte[] Read(Socket client, ulong offset, int lengthBytes)
    {
        Send(client, NbdWire.CommandRead, 0, offset, (uint)lengthBytes);
        return ReadReply(client) == 0 ? ReceiveExactly(client, lengthBytes) : [];
    }

    static void Send(Socket client, ushort command, ushort flags, ulong offset, uint lengthBytes)
    {
        byte[] request = new byte[NbdWire.RequestBytes];
        BinaryPrimitives.WriteUInt32BigEndian(request, NbdWire.RequestMagic);
        BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(4), flags);
        BinaryPrimitives.WriteUInt16BigEndian(request.AsSpan(6), command);
        BinaryPrimitives.WriteUInt64BigEndian(request.AsSpan(8), Cookie(command));
        BinaryPrimitives.WriteUInt64BigEndian(request.AsSpan(16), offset);
        BinaryPrimitives.WriteUInt32BigEndian(request.AsSpan(24), lengthBytes);
        client.Send(request);
    }

    /// <summary>The error of the next reply; all bits set when it is no reply to one of our requests.</summary>
    static uint ReadReply(Socket client)
    {
        byte[] reply = ReceiveExactly(client, NbdWire.ReplyBytes);
        bool isReply = BinaryPrimitives.ReadUInt32BigEndian(reply) == NbdWire.ReplyMagic;
        isReply &= BinaryPrimitives.ReadUInt64BigEndian(reply.AsSpan(8)) >> 16 == CookieMark;
        return isReply ? BinaryPrimitives.ReadUInt32BigEndian(reply.AsSpan(4)) : uint.MaxValue;
    }

    const ulong CookieMark = 0x1234_5678_9abc;

    static ulong Cookie(ushort command) => (CookieMark << 16) | command;

    static byte[] ReceiveExactly(Socket client, int lengthBytes)
    {
        byte[] bytes = new byte[lengthBytes];
        for (int received = 0; received < lengthBytes; )
        {
            int count = client.Receive(bytes.AsSpan(received));
            if (count == 0)
                throw new PeerException("our server hung up on a client that did nothing wrong");
            received += count;
        }
        return bytes;
    }
}
