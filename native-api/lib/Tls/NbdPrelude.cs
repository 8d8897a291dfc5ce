// What both sides of NBD say before TLS begins, byte by byte: greeting, flags, and the option STARTTLS. No byte behind
// it is taken before TLS has begun: what somebody may have put there in the clear is a broken TLS handshake.
// Source: NetworkBlockDevice/nbd, doc/proto.md, "Fixed newstyle negotiation".
using System;
using System.Buffers.Binary;

namespace FastBackup.Native.Tls;

static class NbdPrelude
{
    public const int GreetingBytes = 18;
    public const int FlagsBytes = 4;
    public const int OptionHeadBytes = 16;
    public const int ReplyHeadBytes = 20;
    public const int OptionBytesMax = 64 * 1024;
    public const uint OptionExportName = 1;
    public const uint OptionAbort = 2;
    public const uint OptionStartTls = 5;
    public const uint ReplyAck = 1;
    public const uint ErrorTlsRequired = (1u << 31) | 5;
    public const ushort HandshakeFlags = 3; // fixed newstyle, no zeroes

    const ulong GreetingMagic = 0x4e42444d41474943;
    const ulong OptionMagic = 0x49484156454f5054;
    const ulong ReplyMagic = 0x3e889045565a9;

    public static byte[] Greeting(ushort flags)
    {
        byte[] bytes = new byte[GreetingBytes];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, GreetingMagic);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(8), OptionMagic);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(16), flags);
        return bytes;
    }

    /// <returns>False: it is none of fixed newstyle.</returns>
    public static bool TryReadGreeting(ReadOnlySpan<byte> bytes, out ushort flags)
    {
        flags = BinaryPrimitives.ReadUInt16BigEndian(bytes[16..]);
        return BinaryPrimitives.ReadUInt64BigEndian(bytes) == GreetingMagic
            && BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]) == OptionMagic
            && (flags & 1) != 0;
    }

    public static byte[] Option(uint option)
    {
        byte[] bytes = new byte[OptionHeadBytes];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, OptionMagic);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(8), option);
        return bytes;
    }

    /// <returns>False: it is no option.</returns>
    public static bool TryReadOption(ReadOnlySpan<byte> head, out uint option, out uint lengthBytes)
    {
        option = BinaryPrimitives.ReadUInt32BigEndian(head[8..]);
        lengthBytes = BinaryPrimitives.ReadUInt32BigEndian(head[12..]);
        return BinaryPrimitives.ReadUInt64BigEndian(head) == OptionMagic && lengthBytes <= OptionBytesMax;
    }

    public static byte[] Reply(uint option, uint type)
    {
        byte[] bytes = new byte[ReplyHeadBytes];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, ReplyMagic);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(8), option);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(12), type);
        return bytes;
    }

    /// <returns>False: it answers something else.</returns>
    public static bool TryReadReply(ReadOnlySpan<byte> head, uint option, out uint type, out uint lengthBytes)
    {
        type = BinaryPrimitives.ReadUInt32BigEndian(head[12..]);
        lengthBytes = BinaryPrimitives.ReadUInt32BigEndian(head[16..]);
        return BinaryPrimitives.ReadUInt64BigEndian(head) == ReplyMagic
            && BinaryPrimitives.ReadUInt32BigEndian(head[8..]) == option
            && lengthBytes <= OptionBytesMax;
    }
}
