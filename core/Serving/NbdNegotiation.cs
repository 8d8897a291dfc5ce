// The server's half of the handshake: fixed newstyle, option by option, out of the bytes that have come and into the
// batch that goes out. What is no option of the protocol ends the connection; what is not known is refused by number
// and the client goes on.
// Knows no time: who waits closes after its limit. Without TLS.
// Source: NetworkBlockDevice/nbd, doc/proto.md.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Nbd;

namespace FastBackup.Serving;

enum NegotiationState
{
    /// <summary>More bytes are needed, or more room in the batch.</summary>
    Open,

    /// <summary>Requests follow.</summary>
    Ready,

    /// <summary>What is in the batch is sent, then the connection is closed.</summary>
    Ended,
}

/// <summary>Threads: the loop's.</summary>
sealed class NbdNegotiation(IServedDisks disks)
{
    const int OptionHeadBytes = 16;
    const int ReplyHeadBytes = 20;

    /// <summary>Of one option: a name and some queries. What is longer is refused and passed over.</summary>
    const int OptionBytesMax = 32 * 1024;
    const int SkipBytesMax = 1 << 20;
    const int OptionsMax = 256;
    const int RoomBytes = 16 * 1024; // for the answers to one option; a longer list is cut

    bool _hasFlags;
    bool _sendsNoZeroes;
    int _skipBytes;
    int _optionCount;
    string? _contextsOf;

    /// <summary>After Ready.</summary>
    public ServedDisk? Disk { get; private set; }

    public bool IsStructured { get; private set; }

    public bool IsExtended { get; private set; }

    /// <summary>Contexts that the client has chosen for the disk; their number is the place here, from 1 on.</summary>
    public IReadOnlyList<string> Contexts { get; private set; } = [];

    public static void Greet(OutBatch batch)
    {
        Span<byte> head = batch.Add(18);
        BinaryPrimitives.WriteUInt64BigEndian(head, NbdProtocol.GreetingMagic);
        BinaryPrimitives.WriteUInt64BigEndian(head[8..], NbdProtocol.OptionMagic);
        BinaryPrimitives.WriteUInt16BigEndian(head[16..], NbdProtocol.FixedNewstyle | NbdProtocol.NoZeroes);
    }

    /// <summary>Takes what can be taken.</summary>
    /// <param name="input">What has come and was not taken yet.</param>
    /// <param name="batch">Gets the answers.</param>
    /// <param name="takenBytes">Of the input.</param>
    public NegotiationState Take(ReadOnlySpan<byte> input, OutBatch batch, out int takenBytes)
    {
        takenBytes = 0;
        NegotiationState state = NegotiationState.Open;
        while (state == NegotiationState.Open && batch.RoomBytes >= RoomBytes)
        {
            ReadOnlySpan<byte> rest = input[takenBytes..];
            int bytes = TakeOne(rest, batch, ref state);
            if (bytes == 0)
                break;
            takenBytes += bytes;
        }
        return state;
    }

    int TakeOne(ReadOnlySpan<byte> input, OutBatch batch, ref NegotiationState state)
    {
        if (_skipBytes > 0)
        {
            int skipped = Math.Min(_skipBytes, input.Length);
            _skipBytes -= skipped;
            return skipped;
        }
        if (!_hasFlags)
            return TakeFlags(input, ref state);
        if (input.Length < OptionHeadBytes)
            return 0;
        uint option = BinaryPrimitives.ReadUInt32BigEndian(input[8..]);
        uint bytes = BinaryPrimitives.ReadUInt32BigEndian(input[12..]);
        if (
            BinaryPrimitives.ReadUInt64BigEndian(input) != NbdProtocol.OptionMagic
            || bytes > SkipBytesMax
            || _optionCount++ > OptionsMax
        )
        {
            state = NegotiationState.Ended;
            return OptionHeadBytes;
        }
        if (bytes > OptionBytesMax)
        {
            Refuse(batch, option, NbdProtocol.ErrorTooBig, "the option is too long");
            _skipBytes = (int)bytes;
            return OptionHeadBytes;
        }
        if (input.Length < OptionHeadBytes + (int)bytes)
        {
            _optionCount--;
            return 0;
        }
        state = Answer(option, input.Slice(OptionHeadBytes, (int)bytes), batch);
        return OptionHeadBytes + (int)bytes;
    }

    int TakeFlags(ReadOnlySpan<byte> input, ref NegotiationState state)
    {
        const int bytes = 4;
        if (input.Length < bytes)
            return 0;
        uint flags = BinaryPrimitives.ReadUInt32BigEndian(input);
        const uint known = NbdProtocol.FixedNewstyle | NbdProtocol.NoZeroes;
        if ((flags & NbdProtocol.FixedNewstyle) == 0 || (flags & ~known) != 0)
            state = NegotiationState.Ended;
        _sendsNoZeroes = (flags & NbdProtocol.NoZeroes) != 0;
        _hasFlags = true;
        return bytes;
    }

    NegotiationState Answer(uint option, ReadOnlySpan<byte> given, OutBatch batch)
    {
        switch (option)
        {
            case NbdProtocol.OptionExportName:
                return AnswerExportName(given, batch);
            case NbdProtocol.OptionAbort:
                Reply(batch, option, NbdProtocol.ReplyAck, 0);
                return NegotiationState.Ended;
            case NbdProtocol.OptionList when given.Length == 0:
                List(batch);
                return NegotiationState.Open;
            case NbdProtocol.OptionInfo or NbdProtocol.OptionGo:
                return AnswerGo(option, given, batch);
            case NbdProtocol.OptionStructuredReply when given.Length == 0 && !IsExtended:
                IsStructured = true;
                Reply(batch, option, NbdProtocol.ReplyAck, 0);
                return NegotiationState.Open;
            case NbdProtocol.OptionExtendedHeaders when given.Length == 0:
                IsExtended = IsStructured = true;
                Reply(batch, option, NbdProtocol.ReplyAck, 0);
                return NegotiationState.Open;
            case NbdProtocol.OptionListMetaContext or NbdProtocol.OptionSetMetaContext:
                AnswerContexts(option, given, batch);
                return NegotiationState.Open;
            case NbdProtocol.OptionList or NbdProtocol.OptionStructuredReply or NbdProtocol.OptionExtendedHeaders:
                Refuse(batch, option, NbdProtocol.ErrorInvalid, "the option takes no data here");
                return NegotiationState.Open;
            default:
                Refuse(batch, option, NbdProtocol.ErrorUnsupported, "the option is not known here");
                return NegotiationState.Open;
        }
    }

    /// <summary>The old way in: no answer but the disk, or the end.</summary>
    NegotiationState AnswerExportName(ReadOnlySpan<byte> name, OutBatch batch)
    {
        Disk = Find(name);
        if (Disk == null)
            return NegotiationState.Ended;
        Span<byte> head = batch.Add(_sendsNoZeroes ? 10 : 134);
        BinaryPrimitives.WriteUInt64BigEndian(head, Disk.Device.Limits.CapacityBytes);
        BinaryPrimitives.WriteUInt16BigEndian(head[8..], (ushort)FlagsOf(Disk));
        Choose();
        return NegotiationState.Ready;
    }

    void List(OutBatch batch)
    {
        foreach (ServedDisk disk in disks.All)
        {
            byte[] name = Encoding.UTF8.GetBytes(disk.Name);
            byte[] words = Encoding.UTF8.GetBytes(disk.Description);
            int bytes = 4 + name.Length + words.Length;
            if (batch.RoomBytes < ReplyHeadBytes + bytes + ReplyHeadBytes)
                break; // thousands of disks: the rest is reached by name
            Span<byte> reply = Reply(batch, NbdProtocol.OptionList, NbdProtocol.ReplyServer, bytes);
            BinaryPrimitives.WriteUInt32BigEndian(reply, (uint)name.Length);
            name.CopyTo(reply[4..]);
            words.CopyTo(reply[(4 + name.Length)..]);
        }
        Reply(batch, NbdProtocol.OptionList, NbdProtocol.ReplyAck, 0);
    }

    NegotiationState AnswerGo(uint option, ReadOnlySpan<byte> given, OutBatch batch)
    {
        if (!TryTakeString(ref given, out ReadOnlySpan<byte> name) || given.Length < 2)
        {
            Refuse(batch, option, NbdProtocol.ErrorInvalid, "the option's lengths do not fit");
            return NegotiationState.Open;
        }
        int wantedCount = BinaryPrimitives.ReadUInt16BigEndian(given);
        given = given[2..];
        if (given.Length != 2 * wantedCount)
        {
            Refuse(batch, option, NbdProtocol.ErrorInvalid, "the option's lengths do not fit");
            return NegotiationState.Open;
        }
        ServedDisk? disk = Find(name);
        if (disk == null)
        {
            Refuse(batch, option, NbdProtocol.ErrorUnknown, "no disk has this name");
            return NegotiationState.Open;
        }
        Span<byte> facts = Reply(batch, option, NbdProtocol.ReplyInfo, 12);
        BinaryPrimitives.WriteUInt16BigEndian(facts, NbdProtocol.InfoExport);
        BinaryPrimitives.WriteUInt64BigEndian(facts[2..], disk.Device.Limits.CapacityBytes);
        BinaryPrimitives.WriteUInt16BigEndian(facts[10..], (ushort)FlagsOf(disk));
        Span<byte> blocks = Reply(batch, option, NbdProtocol.ReplyInfo, 14);
        BinaryPrimitives.WriteUInt16BigEndian(blocks, NbdProtocol.InfoBlockSize);
        BinaryPrimitives.WriteUInt32BigEndian(blocks[2..], 1);
        BinaryPrimitives.WriteUInt32BigEndian(blocks[6..], 4096);
        BinaryPrimitives.WriteUInt32BigEndian(blocks[10..], NbdExport.PayloadBytesDefault);
        for (; given.Length > 0; given = given[2..])
            Tell(BinaryPrimitives.ReadUInt16BigEndian(given), disk, option, batch);
        Reply(batch, option, NbdProtocol.ReplyAck, 0);
        if (option == NbdProtocol.OptionInfo)
            return NegotiationState.Open;
        Disk = disk;
        Choose();
        return NegotiationState.Ready;
    }

    static void Tell(ushort what, ServedDisk disk, uint option, OutBatch batch)
    {
        string? words =
            what == NbdProtocol.InfoName ? disk.Name
            : what == NbdProtocol.InfoDescription ? disk.Description
            : null;
        byte[] bytes = Encoding.UTF8.GetBytes(words ?? "");
        if (words == null || batch.RoomBytes < 3 * ReplyHeadBytes + bytes.Length)
            return;
        Span<byte> reply = Reply(batch, option, NbdProtocol.ReplyInfo, 2 + bytes.Length);
        BinaryPrimitives.WriteUInt16BigEndian(reply, what);
        bytes.CopyTo(reply[2..]);
    }

    void AnswerContexts(uint option, ReadOnlySpan<byte> given, OutBatch batch)
    {
        bool isSet = option == NbdProtocol.OptionSetMetaContext;
        if (isSet)
            (Contexts, _contextsOf) = ([], null);
        bool isWhole = TryTakeString(ref given, out ReadOnlySpan<byte> name) && given.Length >= 4;
        List<string> queries = [];
        if (isWhole)
        {
            uint count = BinaryPrimitives.ReadUInt32BigEndian(given);
            given = given[4..];
            while (queries.Count < count && TryTakeString(ref given, out ReadOnlySpan<byte> query))
                queries.Add(Encoding.UTF8.GetString(query));
            isWhole = queries.Count == count && given.Length == 0;
        }
        if (!isWhole || !IsStructured)
        {
            string why = isWhole ? "structured replies come first" : "the option's lengths do not fit";
            Refuse(batch, option, NbdProtocol.ErrorInvalid, why);
            return;
        }
        if (Find(name) is not { } disk)
        {
            Refuse(batch, option, NbdProtocol.ErrorUnknown, "no disk has this name");
            return;
        }
        List<string> found = [];
        foreach (string context in ContextsOf(disk))
        {
            bool isWanted = !isSet && queries.Count == 0 || queries.Exists(query => Fits(query, context, isSet));
            int bytes = 4 + Encoding.UTF8.GetByteCount(context);
            if (!isWanted || batch.RoomBytes < bytes + 2 * ReplyHeadBytes)
                continue;
            found.Add(context);
            Span<byte> reply = Reply(batch, option, NbdProtocol.ReplyMetaContext, bytes);
            BinaryPrimitives.WriteUInt32BigEndian(reply, isSet ? (uint)found.Count : 0);
            Encoding.UTF8.GetBytes(context, reply[4..]);
        }
        if (isSet)
            (Contexts, _contextsOf) = (found, disk.Name);
        Reply(batch, option, NbdProtocol.ReplyAck, 0);
    }

    /// <summary>A list takes the beginnings "base:", "qemu:" and "qemu:dirty-bitmap:" as well.</summary>
    static bool Fits(string query, string context, bool isSet) =>
        query == context || (!isSet && query.EndsWith(':') && context.StartsWith(query, StringComparison.Ordinal));

    static IEnumerable<string> ContextsOf(ServedDisk disk) =>
        disk
            .BitmapNames.Select(name => NbdProtocol.BitmapContext + name)
            .Prepend(NbdProtocol.DepthContext)
            .Prepend(NbdProtocol.AllocationContext);

    /// <summary>Contexts are those of the disk that they were chosen for, and of no other.</summary>
    void Choose()
    {
        if (_contextsOf != Disk!.Name)
            Contexts = [];
    }

    NbdExportFlags FlagsOf(ServedDisk disk)
    {
        NbdExportFlags flags = NbdExportFlags.HasFlags | NbdExportFlags.CanFlush | NbdExportFlags.CanMultiConnect;
        if (IsStructured)
            flags |= NbdExportFlags.CanDontFragment;
        if (disk.Device.Limits.ReadsThroughCache)
            flags |= NbdExportFlags.CanCache;
        if (disk.IsReadOnly || disk.Device.Limits.IsReadOnly)
            return flags | NbdExportFlags.ReadOnly;
        if (disk.Device.Limits.CanZeroFast)
            flags |= NbdExportFlags.CanFastZero;
        return flags | NbdExportFlags.CanFua | NbdExportFlags.CanTrim | NbdExportFlags.CanWriteZeroes;
    }

    ServedDisk? Find(ReadOnlySpan<byte> name) => disks.Find(Encoding.UTF8.GetString(name));

    static bool TryTakeString(ref ReadOnlySpan<byte> given, out ReadOnlySpan<byte> text)
    {
        text = default;
        if (given.Length < 4)
            return false;
        uint bytes = BinaryPrimitives.ReadUInt32BigEndian(given);
        if (bytes > NbdProtocol.StringBytesMax || bytes > given.Length - 4)
            return false;
        text = given.Slice(4, (int)bytes);
        given = given[(4 + (int)bytes)..];
        return true;
    }

    static void Refuse(OutBatch batch, uint option, uint error, string words) =>
        Encoding.ASCII.GetBytes(words, Reply(batch, option, error, words.Length));

    /// <returns>Room for the data of the reply.</returns>
    static Span<byte> Reply(OutBatch batch, uint option, uint type, int dataBytes)
    {
        Span<byte> head = batch.Add(ReplyHeadBytes + dataBytes);
        BinaryPrimitives.WriteUInt64BigEndian(head, NbdProtocol.OptionReplyMagic);
        BinaryPrimitives.WriteUInt32BigEndian(head[8..], option);
        BinaryPrimitives.WriteUInt32BigEndian(head[12..], type);
        BinaryPrimitives.WriteUInt32BigEndian(head[16..], (uint)dataBytes);
        return head[ReplyHeadBytes..];
    }
}
