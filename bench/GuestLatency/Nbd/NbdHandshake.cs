// The negotiation of one connection: fixed newstyle, one export. Blocking reads and writes on the connection's
// thread; nothing of it is measured. A client that breaks the rules, or sends an option of more than 64 KiB, is
// hung up on; an option that is not known is refused by name, and the client may go on.
// Source: NetworkBlockDevice/nbd doc/proto.md, "Fixed newstyle negotiation" and "Option types".
using System;
using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using FastBackup.Tests.Nbd;

namespace FastBackup.Bench.GuestLatency.Nbd;

/// <summary>Threads: the connection's.</summary>
sealed class NbdHandshake(Socket socket, string exportName, ulong sizeBytes, uint payloadBytesMax)
{
    const uint OptionBytesMax = 64 * 1024;
    const uint PreferredBytes = 4096;

    enum Next
    {
        Option,
        Transmission,
        HangUp,
    }

    bool _hasNoZeroes;

    /// <returns>Whether requests follow; else the connection is over.</returns>
    public bool Run()
    {
        Span<byte> hello = stackalloc byte[18];
        BinaryPrimitives.WriteUInt64BigEndian(hello, NbdWire.ServerMagic);
        BinaryPrimitives.WriteUInt64BigEndian(hello[8..], NbdWire.OptionMagic);
        BinaryPrimitives.WriteUInt16BigEndian(hello[16..], NbdWire.FixedNewstyle | NbdWire.NoZeroes);
        SendAll(hello);
        Span<byte> clientFlags = stackalloc byte[4];
        if (!TryReceive(clientFlags))
            return false;
        uint flags = BinaryPrimitives.ReadUInt32BigEndian(clientFlags);
        if ((flags & ~(uint)(NbdWire.FixedNewstyle | NbdWire.NoZeroes)) != 0)
            return false;
        _hasNoZeroes = (flags & NbdWire.NoZeroes) != 0;
        Next next;
        do next = RunOption();
        while (next == Next.Option);
        return next == Next.Transmission;
    }

    Next RunOption()
    {
        Span<byte> header = stackalloc byte[16];
        if (!TryReceive(header) || BinaryPrimitives.ReadUInt64BigEndian(header) != NbdWire.OptionMagic)
            return Next.HangUp;
        uint option = BinaryPrimitives.ReadUInt32BigEndian(header[8..]);
        uint lengthBytes = BinaryPrimitives.ReadUInt32BigEndian(header[12..]);
        if (lengthBytes > OptionBytesMax)
            return Next.HangUp;
        byte[] payload = new byte[lengthBytes];
        if (!TryReceive(payload))
            return Next.HangUp;
        switch (option)
        {
            case NbdWire.OptionExportName:
                return AnswerExportName(payload);
            case NbdWire.OptionAbort:
                Reply(option, NbdWire.ReplyAck, []);
                return Next.HangUp;
            case NbdWire.OptionList:
                return AnswerList(payload);
            case NbdWire.OptionInfo:
            case NbdWire.OptionGo:
                return AnswerGo(option, payload);
            default:
                Reply(option, NbdWire.ReplyUnsupported, []);
                return Next.Option;
        }
    }

    Next AnswerExportName(byte[] payload)
    {
        if (!IsKnown(payload))
            return Next.HangUp; // this option knows no other refusal
        byte[] answer = new byte[10 + (_hasNoZeroes ? 0 : NbdWire.ExportNamePadBytes)];
        BinaryPrimitives.WriteUInt64BigEndian(answer, sizeBytes);
        BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(8), NbdWire.ExportFlags);
        SendAll(answer);
        return Next.Transmission;
    }

    Next AnswerList(byte[] payload)
    {
        if (payload.Length > 0)
        {
            Reply(NbdWire.OptionList, NbdWire.ReplyInvalid, []);
            return Next.Option;
        }
        byte[] name = Encoding.UTF8.GetBytes(exportName);
        byte[] server = new byte[4 + name.Length];
        BinaryPrimitives.WriteUInt32BigEndian(server, (uint)name.Length);
        name.CopyTo(server, 4);
        Reply(NbdWire.OptionList, NbdWire.ReplyServer, server);
        Reply(NbdWire.OptionList, NbdWire.ReplyAck, []);
        return Next.Option;
    }

    /// <summary>Payload: name length (4), name, count of wanted items (2), the items (2 each).</summary>
    Next AnswerGo(uint option, byte[] payload)
    {
        uint nameBytes = payload.Length >= 6 ? BinaryPrimitives.ReadUInt32BigEndian(payload) : uint.MaxValue;
        if (nameBytes > payload.Length - 6)
        {
            Reply(option, NbdWire.ReplyInvalid, []);
            return Next.Option;
        }
        int itemCount = BinaryPrimitives.ReadUInt16BigEndian(payload.AsSpan(4 + (int)nameBytes));
        if (payload.Length != 6 + nameBytes + 2 * itemCount)
        {
            Reply(option, NbdWire.ReplyInvalid, []);
            return Next.Option;
        }
        if (!IsKnown(payload.AsSpan(4, (int)nameBytes)))
        {
            Reply(option, NbdWire.ReplyUnknown, []);
            return Next.Option;
        }
        byte[] export = new byte[12];
        BinaryPrimitives.WriteUInt16BigEndian(export, NbdWire.InfoExport);
        BinaryPrimitives.WriteUInt64BigEndian(export.AsSpan(2), sizeBytes);
        BinaryPrimitives.WriteUInt16BigEndian(export.AsSpan(10), NbdWire.ExportFlags);
        Reply(option, NbdWire.ReplyInfo, export);
        byte[] blocks = new byte[14];
        BinaryPrimitives.WriteUInt16BigEndian(blocks, NbdWire.InfoBlockSize);
        BinaryPrimitives.WriteUInt32BigEndian(blocks.AsSpan(2), 1);
        BinaryPrimitives.WriteUInt32BigEndian(blocks.AsSpan(6), PreferredBytes);
        BinaryPrimitives.WriteUInt32BigEndian(blocks.AsSpan(10), payloadBytesMax);
        Reply(option, NbdWire.ReplyInfo, blocks);
        Reply(option, NbdWire.ReplyAck, []);
        return option == NbdWire.OptionGo ? Next.Transmission : Next.Option;
    }

    /// <summary>The export's name, or none: the default export.</summary>
    bool IsKnown(ReadOnlySpan<byte> name) => name.IsEmpty || name.SequenceEqual(Encoding.UTF8.GetBytes(exportName));

    void Reply(uint option, uint kind, ReadOnlySpan<byte> payload)
    {
        byte[] reply = new byte[20 + payload.Length];
        BinaryPrimitives.WriteUInt64BigEndian(reply, NbdWire.OptionReplyMagic);
        BinaryPrimitives.WriteUInt32BigEndian(reply.AsSpan(8), option);
        BinaryPrimitives.WriteUInt32BigEndian(reply.AsSpan(12), kind);
        BinaryPrimitives.WriteUInt32BigEndian(reply.AsSpan(16), (uint)payload.Length);
        payload.CopyTo(reply.AsSpan(20));
        SendAll(reply);
    }

    void SendAll(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[socket.Send(bytes)..];
    }

    bool TryReceive(Span<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int count = socket.Receive(bytes);
            if (count == 0)
                return false;
            bytes = bytes[count..];
        }
        return true;
    }
}
