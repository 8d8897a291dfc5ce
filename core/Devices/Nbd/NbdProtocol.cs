// The numbers of the NBD protocol that our client and server speak; all fields on the wire are big-endian.
// Source: NetworkBlockDevice/nbd, doc/proto.md.
namespace FastBackup.Devices.Nbd;

static class NbdProtocol
{
    public const ushort DefaultPort = 10809;

    /// <summary>Of names of exports, and of all strings.</summary>
    public const int StringBytesMax = 4096;

    public const ulong GreetingMagic = 0x4e42444d41474943;
    public const ulong OptionMagic = 0x49484156454f5054;
    public const ulong OptionReplyMagic = 0x3e889045565a9;
    public const ushort FixedNewstyle = 1;
    public const ushort NoZeroes = 2;

    public const uint OptionExportName = 1;
    public const uint OptionAbort = 2;
    public const uint OptionList = 3;
    public const uint OptionInfo = 6;
    public const uint OptionGo = 7;
    public const uint OptionStructuredReply = 8;
    public const uint OptionListMetaContext = 9;
    public const uint OptionSetMetaContext = 10;
    public const uint OptionExtendedHeaders = 11;

    public const uint ReplyAck = 1;
    public const uint ReplyServer = 2;
    public const uint ReplyInfo = 3;
    public const uint ReplyMetaContext = 4;
    public const uint ReplyErrorBit = 1u << 31;
    public const uint ErrorUnsupported = ReplyErrorBit | 1;
    public const uint ErrorPolicy = ReplyErrorBit | 2;
    public const uint ErrorInvalid = ReplyErrorBit | 3;
    public const uint ErrorTlsRequired = ReplyErrorBit | 5;
    public const uint ErrorUnknown = ReplyErrorBit | 6;
    public const uint ErrorTooBig = ReplyErrorBit | 9;

    public const ushort InfoExport = 0;
    public const ushort InfoName = 1;
    public const ushort InfoDescription = 2;
    public const ushort InfoBlockSize = 3;

    public const uint RequestMagic = 0x25609513;
    public const uint ExtendedRequestMagic = 0x21e41c71;
    public const uint SimpleReplyMagic = 0x67446698;
    public const uint StructuredReplyMagic = 0x668e33ef;
    public const uint ExtendedReplyMagic = 0x6e8a278c;

    public const int RequestBytes = 28;
    public const int ExtendedRequestBytes = 32;
    public const int SimpleReplyBytes = 16;
    public const int StructuredReplyBytes = 20;
    public const int ExtendedReplyBytes = 32;

    public const ushort ReplyDone = 1;
    public const ushort ChunkNone = 0;
    public const ushort ChunkData = 1;
    public const ushort ChunkHole = 2;
    public const ushort ChunkStatus = 5;
    public const ushort ChunkStatusExtended = 6;
    public const ushort ChunkErrorBit = 1 << 15;
    public const ushort ChunkError = ChunkErrorBit | 1;

    public const uint StatusHole = 1;
    public const uint StatusZero = 2;

    public const uint StatusDirty = 1;

    public const string AllocationContext = "base:allocation";
    public const string DepthContext = "qemu:allocation-depth";
    public const string BitmapContext = "qemu:dirty-bitmap:";
}
