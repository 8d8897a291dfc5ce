// From a connection to an export: greeting, extended headers (else structured replies), the context, and GO with
// the sizes of blocks. What a server does not know is left out; only GO must succeed. Written from top to bottom as an
// iterator that hands out transfers, each of which is one whole message.
//
// Every length that the server says is checked before it is used, and the number of its answers is bounded.
// Allocates: it runs once, at open. Does no TLS and no old-style negotiation; whoever starts it bounds its time.
// Source: NetworkBlockDevice/nbd, doc/proto.md, "Fixed newstyle negotiation" and "Option haggling".
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

/// <summary>Threads: the loop's.</summary>
sealed class NbdHandshake : IStreamOwner, IDisposable
{
    const int MessageBytesMax = 64 * 1024;
    const int AnswersMax = 64;
    const int OptionHeadBytes = 16;
    const int OptionReplyBytes = 20;

    readonly record struct Transfer(bool IsSend, int Bytes);

    readonly IStreamIo _streams;
    readonly StreamHandle _stream;
    readonly string _export;
    readonly string _context;
    readonly List<string> _offered = [];
    readonly Action _onEnd;
    readonly AlignedRegion _message = AlignedRegion.Map(MessageBytesMax, RegionResidency.Resident);
    readonly IEnumerator<Transfer> _steps;
    Transfer _transfer;
    int _doneBytes;
    uint _answer; // the one that ended the last option
    bool _hasSize;
    NbdExport _found = new();

    /// <param name="streams">Carry the stream.</param>
    /// <param name="stream">Connected, nothing sent or received.</param>
    /// <param name="export">By its name.</param>
    /// <param name="context">What extents are asked of: base:allocation, which may be missing; else it may not.</param>
    /// <param name="onEnd">Told once, when Found or Wrong is there; no command is in flight then.</param>
    public NbdHandshake(IStreamIo streams, StreamHandle stream, string export, string context, Action onEnd)
    {
        (_streams, _stream, _export, _context, _onEnd) = (streams, stream, export, context, onEnd);
        _found = _found with { IsBitmap = IsBitmap };
        _steps = Run().GetEnumerator();
    }

    /// <summary>Null while it runs, and when it has failed.</summary>
    public NbdExport? Found { get; private set; }

    /// <summary>Why it has failed, as the end of a sentence that begins with the disk's name.</summary>
    public string? Wrong { get; private set; }

    public Fault Fault { get; private set; }

    public void Start() => Step();

    public void Dispose() => _message.Dispose();

    void IStreamOwner.OnStreamCompleted(ulong tag, in StreamResult result)
    {
        if (result.Fault.IsFault || result.Count == 0)
        {
            Fault = result.Fault.IsFault ? result.Fault : Errnos.ToFault(Errnos.ECONNRESET);
            Wrong = $"ended the connection while it was being opened: {Fault}";
            _onEnd();
            return;
        }
        _doneBytes += (int)result.Count;
        if (_doneBytes < _transfer.Bytes)
            Push();
        else
            Step();
    }

    void Step()
    {
        if (Wrong == null && _steps.MoveNext())
        {
            (_transfer, _doneBytes) = (_steps.Current, 0);
            Check.That(_transfer.Bytes is > 0 and <= MessageBytesMax);
            Push();
            return;
        }
        if (Wrong == null)
            Found = _found;
        _onEnd();
    }

    void Push() =>
        _streams.Push(
            new StreamCommand
            {
                Operation = _transfer.IsSend ? StreamOperation.Send : StreamOperation.Receive,
                Stream = _stream,
                Buffer = _message.Start + _doneBytes,
                LengthBytes = (ulong)(_transfer.Bytes - _doneBytes),
                Owner = this,
            }
        );

    IEnumerable<Transfer> Run()
    {
        yield return new Transfer(false, 18);
        if (!ReadGreeting(out ushort flags))
            yield break;
        BinaryPrimitives.WriteUInt32BigEndian(
            Message(4),
            (uint)(NbdProtocol.FixedNewstyle | flags & NbdProtocol.NoZeroes)
        );
        yield return new Transfer(true, 4);
        foreach (Transfer transfer in Option(NbdProtocol.OptionExtendedHeaders, 0))
            yield return transfer;
        bool isExtended = _answer == NbdProtocol.ReplyAck;
        if (Wrong == null && !isExtended)
            foreach (Transfer transfer in Option(NbdProtocol.OptionStructuredReply, 0))
                yield return transfer;
        _found = _found with { IsExtended = isExtended, IsStructured = _answer == NbdProtocol.ReplyAck };
        if (Wrong == null && _found.IsStructured)
        {
            foreach (Transfer transfer in Option(NbdProtocol.OptionSetMetaContext, WriteContextQuery(_context)))
                yield return transfer;
            if (_answer != NbdProtocol.ReplyAck)
                _found = _found with { ContextId = null };
        }
        if (Wrong == null && IsBitmap && _found.ContextId == null && _answer != NbdProtocol.ErrorUnknown)
        {
            int listBytes = WriteContextQuery(NbdProtocol.BitmapContext);
            foreach (Transfer transfer in Option(NbdProtocol.OptionListMetaContext, listBytes))
                yield return transfer;
            if (Wrong == null)
                RefuseBitmap();
            yield break;
        }
        if (Wrong == null)
            foreach (Transfer transfer in Option(NbdProtocol.OptionGo, WriteGo()))
                yield return transfer;
        if (Wrong == null)
            Judge();
    }

    /// <summary>Sends an option whose data lies behind its head already, and takes all answers to it.</summary>
    IEnumerable<Transfer> Option(uint option, int lengthBytes)
    {
        BinaryPrimitives.WriteUInt64BigEndian(Message(8), NbdProtocol.OptionMagic);
        BinaryPrimitives.WriteUInt32BigEndian(Message(8, 4), option);
        BinaryPrimitives.WriteUInt32BigEndian(Message(12, 4), (uint)lengthBytes);
        yield return new Transfer(true, OptionHeadBytes + lengthBytes);
        for (int count = 0; Wrong == null; count++)
        {
            yield return new Transfer(false, OptionReplyBytes);
            uint type = BinaryPrimitives.ReadUInt32BigEndian(Message(12, 4));
            uint bytes = BinaryPrimitives.ReadUInt32BigEndian(Message(16, 4));
            bool isAnswer =
                BinaryPrimitives.ReadUInt64BigEndian(Message(8)) == NbdProtocol.OptionReplyMagic
                && BinaryPrimitives.ReadUInt32BigEndian(Message(8, 4)) == option;
            if (!isAnswer || bytes > MessageBytesMax || count == AnswersMax)
            {
                Break("answers an option with what was not asked");
                yield break;
            }
            if (bytes > 0)
                yield return new Transfer(false, (int)bytes);
            _answer = type;
            if (type == NbdProtocol.ErrorTlsRequired)
                Refuse("wants TLS, which is not supported here", new Fault(FaultKind.Unsupported));
            if (type == NbdProtocol.ReplyAck || (type & NbdProtocol.ReplyErrorBit) != 0)
                yield break;
            Take(option, type, Message((int)bytes));
        }
    }

    void Take(uint option, uint type, ReadOnlySpan<byte> data)
    {
        bool isKnown = (option, type) switch
        {
            (NbdProtocol.OptionGo, NbdProtocol.ReplyInfo) => data.Length >= 2 && TakeFact(data),
            (NbdProtocol.OptionSetMetaContext, NbdProtocol.ReplyMetaContext) => TakeContext(data),
            (NbdProtocol.OptionListMetaContext, NbdProtocol.ReplyMetaContext) => TakeOffer(data),
            _ => false,
        };
        if (!isKnown)
            Break("answers an option with what it may not");
    }

    bool TakeContext(ReadOnlySpan<byte> data)
    {
        bool isOurs = data.Length > 4 && Encoding.UTF8.GetString(data[4..]) == _context && _found.ContextId == null;
        if (isOurs)
            _found = _found with { ContextId = BinaryPrimitives.ReadUInt32BigEndian(data) };
        return isOurs;
    }

    bool TakeOffer(ReadOnlySpan<byte> data)
    {
        if (data.Length <= 4)
            return false;
        string name = Encoding.UTF8.GetString(data[4..]);
        if (name.StartsWith(NbdProtocol.BitmapContext, StringComparison.Ordinal))
            _offered.Add($"'{name[NbdProtocol.BitmapContext.Length..]}'");
        return true;
    }

    void RefuseBitmap()
    {
        string name = _context[NbdProtocol.BitmapContext.Length..];
        string offer =
            !_found.IsStructured ? "its server cannot tell of any"
            : _offered.Count == 0 ? "it offers none"
            : $"it offers {string.Join(", ", _offered)}";
        Refuse($"has no dirty bitmap '{name}': {offer}", Errnos.ToFault(Errnos.ENOENT));
    }

    bool TakeFact(ReadOnlySpan<byte> data)
    {
        ushort type = BinaryPrimitives.ReadUInt16BigEndian(data);
        data = data[2..];
        if (type == NbdProtocol.InfoExport && data.Length == 10)
        {
            _hasSize = true;
            _found = _found with
            {
                SizeBytes = BinaryPrimitives.ReadUInt64BigEndian(data),
                Flags = (NbdExportFlags)BinaryPrimitives.ReadUInt16BigEndian(data[8..]),
            };
            return true;
        }
        if (type != NbdProtocol.InfoBlockSize)
            return type != NbdProtocol.InfoExport; // what else it tells is not asked
        if (data.Length != 12)
            return false;
        uint min = BinaryPrimitives.ReadUInt32BigEndian(data);
        uint max = BinaryPrimitives.ReadUInt32BigEndian(data[8..]);
        if (!Units.IsPowerOfTwo(min) || min > NbdExport.BlockBytesMinMax || max < min)
            return false;
        max = (uint)Units.AlignDown(Math.Min(max, NbdExport.PayloadBytesDefault), min);
        _found = _found with { BlockBytesMin = min, PayloadBytesMax = max };
        return true;
    }

    void Judge()
    {
        if (_answer == NbdProtocol.ErrorUnknown)
            Refuse($"names the export '{_export}', which the server does not have", Errnos.ToFault(Errnos.ENOENT));
        else if (_answer == NbdProtocol.ErrorPolicy)
            Refuse("is refused by the server's policy", Errnos.ToFault(Errnos.EACCES));
        else if (_answer == NbdProtocol.ErrorUnsupported)
            Refuse("is served by a program that is too old: it lacks NBD_OPT_GO", new Fault(FaultKind.Unsupported));
        else if (_answer != NbdProtocol.ReplyAck)
            Refuse(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"is refused by the server (error {_answer & ~NbdProtocol.ReplyErrorBit})"
                ),
                new Fault(FaultKind.Io)
            );
        else if (!_hasSize)
            Break("did not say how large the export is");
        else if (_found.BlockBytesMin > NbdExport.BlockBytesMinUsable)
            Refuse(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"takes only blocks of {_found.BlockBytesMin} bytes; the most are {NbdExport.BlockBytesMinUsable}"
                ),
                new Fault(FaultKind.Unsupported)
            );
        else if (_found.SizeBytes > long.MaxValue || !Units.IsAligned(_found.SizeBytes, _found.BlockBytesMin))
            Break(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"has a size that cannot be, {_found.SizeBytes} bytes in blocks of {_found.BlockBytesMin}"
                )
            );
    }

    bool ReadGreeting(out ushort flags)
    {
        flags = BinaryPrimitives.ReadUInt16BigEndian(Message(16, 2));
        if (BinaryPrimitives.ReadUInt64BigEndian(Message(8)) != NbdProtocol.GreetingMagic)
            Break("is no NBD server's address: what answers there speaks something else");
        else if (
            BinaryPrimitives.ReadUInt64BigEndian(Message(8, 8)) != NbdProtocol.OptionMagic
            || (flags & NbdProtocol.FixedNewstyle) == 0
        )
            Refuse(
                "is served by a program that is too old: it lacks fixed newstyle negotiation",
                new Fault(FaultKind.Unsupported)
            );
        return Wrong == null;
    }

    bool IsBitmap => _context != NbdProtocol.AllocationContext;

    int WriteContextQuery(string query)
    {
        int offset = WriteName(OptionHeadBytes);
        BinaryPrimitives.WriteUInt32BigEndian(Message(offset, 4), 1);
        byte[] bytes = Encoding.UTF8.GetBytes(query);
        BinaryPrimitives.WriteUInt32BigEndian(Message(offset + 4, 4), (uint)bytes.Length);
        offset += 8;
        bytes.CopyTo(Message(offset, bytes.Length));
        offset += bytes.Length;
        return offset - OptionHeadBytes;
    }

    int WriteGo()
    {
        int offset = WriteName(OptionHeadBytes);
        BinaryPrimitives.WriteUInt16BigEndian(Message(offset, 2), 1);
        BinaryPrimitives.WriteUInt16BigEndian(Message(offset + 2, 2), NbdProtocol.InfoBlockSize);
        return offset + 4 - OptionHeadBytes;
    }

    /// <returns>Where it ends.</returns>
    int WriteName(int offset)
    {
        byte[] name = Encoding.UTF8.GetBytes(_export);
        BinaryPrimitives.WriteUInt32BigEndian(Message(offset, 4), (uint)name.Length);
        name.CopyTo(Message(offset + 4, name.Length));
        return offset + 4 + name.Length;
    }

    Span<byte> Message(int lengthBytes) => _message.Slice(0, lengthBytes);

    Span<byte> Message(int offset, int lengthBytes) => _message.Slice((ulong)offset, lengthBytes);

    void Break(string wrong) => Refuse(wrong, Errnos.ToFault(Errnos.EPROTO));

    void Refuse(string wrong, Fault fault) => (Wrong, Fault) = (wrong, fault);
}
