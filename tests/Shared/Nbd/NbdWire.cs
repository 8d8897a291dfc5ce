// The numbers of the NBD protocol that this server speaks: fixed newstyle negotiation, simple replies.
// Everything on the wire is big-endian.
// Source: NetworkBlockDevice/nbd doc/proto.md.
namespace FastBackup.Tests.Nbd;

public static class NbdWire
{
    // Negotiation.
    public const ulong ServerMagic = 0x4e42444d41474943; // "NBDMAGIC"
    public const ulong OptionMagic = 0x49484156454f5054; // "IHAVEOPT"
    public const ulong OptionReplyMagic = 0x0003e889045565a9;
    public const ushort FixedNewstyle = 1;
    public const ushort NoZeroes = 2;
    public const uint OptionExportName = 1;
    public const uint OptionAbort = 2;
    public const uint OptionList = 3;
    public const uint OptionInfo = 6;
    public const uint OptionGo = 7;
    public const uint ReplyAck = 1;
    public const uint ReplyServer = 2;
    public const uint ReplyInfo = 3;
    public const uint ReplyUnsupported = 0x8000_0001;
    public const uint ReplyInvalid = 0x8000_0003;
    public const uint ReplyUnknown = 0x8000_0006;
    public const ushort InfoExport = 0;
    public const ushort InfoBlockSize = 3;

    /// <summary>Bytes of zeroes behind an answer to OPT_EXPORT_NAME for a client that did not decline them.</summary>
    public const int ExportNamePadBytes = 124;

    // Transmission flags: HAS_FLAGS, SEND_FLUSH, SEND_FUA, SEND_TRIM, SEND_WRITE_ZEROES.
    public const ushort ExportFlags = 1 | 4 | 8 | 32 | 64;

    // Requests.
    public const uint RequestMagic = 0x25609513;
    public const uint ReplyMagic = 0x67446698;
    public const int RequestBytes = 28;
    public const int ReplyBytes = 16;
    public const ushort CommandRead = 0;
    public const ushort CommandWrite = 1;
    public const ushort CommandDisconnect = 2;
    public const ushort CommandFlush = 3;
    public const ushort CommandTrim = 4;
    public const ushort CommandWriteZeroes = 6;
    public const ushort FlagFua = 1;
    public const ushort FlagNoHole = 2;

    // Errors of replies.
    public const uint ErrorIo = 5;
    public const uint ErrorNoMemory = 12;
    public const uint ErrorInvalid = 22;
    public const uint ErrorNoSpace = 28;
}
