// A small NBD server over any kind of stream, for one connection: every form of reply, chunks in any order, answers out
// of order, and what a test does to its bytes. It can die after any byte and come back, with or without what was not
// flushed. It trusts its client, and says when it may not.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Net;
using System.Text;
using FastBackup.Base;
using FastBackup.Devices.Nbd;
using FastBackup.Memory;
using FastBackup.Ports;
using Xunit;

namespace FastBackup.Tests.Unit.Devices;

public enum NbdForm
{
    Simple,
    Structured,
    Extended,
}

sealed unsafe class NbdServerModel : IStreamOwner, IDisposable
{
    const int BufferBytes = 64 * 1024;
    const int BlockBytes = 4096;

    readonly IStreamIo _streams;
    readonly StreamHandle _listener;
    readonly AlignedRegion _in = AlignedRegion.Map(BufferBytes, RegionResidency.Resident);
    readonly AlignedRegion _out = AlignedRegion.Map(BufferBytes, RegionResidency.Resident);
    readonly List<byte> _arrived = [];
    readonly List<byte> _leaving = [];
    readonly List<byte[]> _answers = [];
    readonly Prng _prng;
    readonly byte[] _durable;
    StreamHandle? _stream;
    bool _isSending;
    bool _isClosed;
    bool _isGreeted;
    bool _isTransmitting;
    ulong _life;
    (int Offset, byte[] Payload)? _held;

    public NbdServerModel(IStreamIo streams, EndPoint address, NbdForm form, byte[] content, ulong seed)
    {
        (_streams, Form, Content, _prng) = (streams, form, content, new Prng(seed));
        _durable = [.. content];
        Assert.True(streams.TryListen(address, out StreamHandle? listener).IsNone);
        _listener = listener!;
        Push(StreamOperation.Accept, _listener, 0, 0);
    }

    public NbdForm Form { get; }

    public byte[] Content { get; }

    /// <summary>What a power cut leaves.</summary>
    public ReadOnlySpan<byte> Durable => _durable;

    public uint BlockBytesMin { get; init; } = 1;

    public uint PayloadBytesMax { get; init; } = 1 << 20;

    public NbdExportFlags Flags { get; set; } =
        NbdExportFlags.CanFlush | NbdExportFlags.CanFua | NbdExportFlags.CanTrim | NbdExportFlags.CanWriteZeroes;

    /// <summary>Ends the connection when so many bytes have left.</summary>
    public int CutAfterBytes { get; set; } = int.MaxValue;

    /// <summary>So often it comes back after its end, and ends again when so many bytes have left.</summary>
    public int LivesLeft { get; set; }

    /// <summary>When it comes back, nothing is there that was not flushed.</summary>
    public bool IsForgetful { get; init; }

    /// <summary>Changes what it is when it comes back.</summary>
    public Action<NbdServerModel> OnReturn { get; init; } = _ => { };

    public Func<byte[], byte[]> Alter { get; set; } = bytes => bytes;

    public uint ErrorOfNext { get; set; }

    /// <summary>It says so where zeroes are wanted only if they are fast.</summary>
    public bool IsZeroSlow { get; set; }

    /// <summary>It ends the connection with the next write in its hands, and carries that out when it is told to.
    /// </summary>
    public bool HoldsNextWrite { get; set; }

    public int LeftBytes { get; private set; }

    public List<NbdCommand> Commands { get; } = [];

    /// <summary>Of each WriteZeroes.</summary>
    public List<(NbdCommandFlags Flags, int LengthBytes)> Zeroes { get; } = [];

    public bool HasClosed => _isClosed;

    /// <summary>What it has held comes now.</summary>
    public void CarryOutHeld()
    {
        Assert.NotNull(_held);
        _held.Value.Payload.CopyTo(Content, _held.Value.Offset);
        _held = null;
    }

    public void Close()
    {
        if (_isClosed)
            return;
        _isClosed = true;
        if (_stream != null)
            _streams.Close(_stream);
    }

    public void Die()
    {
        if (LivesLeft == 0)
        {
            Close();
            return;
        }
        LivesLeft--;
        _streams.Close(_stream!);
        _stream = null;
        _life++;
        (_isGreeted, _isTransmitting, _isSending, LeftBytes) = (false, false, false, 0);
        _arrived.Clear();
        _leaving.Clear();
        _answers.Clear();
        if (IsForgetful)
            _durable.CopyTo(Content, 0);
        OnReturn(this);
        Push(StreamOperation.Accept, _listener, 0, 0);
    }

    public void Dispose()
    {
        Close();
        _in.Dispose();
        _out.Dispose();
    }

    void IStreamOwner.OnStreamCompleted(ulong tag, in StreamResult result)
    {
        StreamOperation operation = (StreamOperation)(tag & 0xff);
        if (tag >> 8 != _life)
            return;
        if (operation == StreamOperation.Send)
            _isSending = false;
        if (_isClosed)
            return;
        if (result.Fault.IsFault || (operation == StreamOperation.Receive && result.Count == 0))
        {
            Die();
            return;
        }
        if (operation == StreamOperation.Accept)
        {
            _stream = result.Accepted;
            Leave(new Wire().U64(NbdProtocol.GreetingMagic).U64(NbdProtocol.OptionMagic).U16(3).Bytes);
        }
        else if (operation == StreamOperation.Receive)
            _arrived.AddRange(_in.Slice(0, (int)result.Count));
        else
        {
            LeftBytes += (int)result.Count;
            _leaving.RemoveRange(0, (int)result.Count);
        }
        if (LeftBytes >= CutAfterBytes)
        {
            Die();
            return;
        }
        while (TryServe()) { }
        if (tag >> 8 != _life)
            return;
        SendNext();
        if (operation != StreamOperation.Send)
            Push(StreamOperation.Receive, _stream!, _in.Start, BufferBytes);
    }

    void Push(StreamOperation operation, StreamHandle stream, nint buffer, int bytes) =>
        _streams.Push(
            new StreamCommand
            {
                Operation = operation,
                Stream = stream,
                Buffer = buffer,
                LengthBytes = (ulong)bytes,
                Owner = this,
                Tag = _life << 8 | (ulong)operation,
            }
        );

    void Leave(byte[] bytes) => _leaving.AddRange(Alter(bytes));

    void SendNext()
    {
        while (_answers.Count > 0)
        {
            int index = (int)_prng.Below((ulong)_answers.Count);
            Leave(_answers[index]);
            _answers.RemoveAt(index);
        }
        int bytes = Math.Min(Math.Min(_leaving.Count, BufferBytes), CutAfterBytes - LeftBytes);
        if (_isSending || bytes == 0)
            return;
        _isSending = true;
        _leaving[..bytes].ToArray().CopyTo(_out.Slice(0, bytes));
        Push(StreamOperation.Send, _stream!, _out.Start, bytes);
    }

    bool TryServe() => _isTransmitting ? TryRequest() : TryOption();

    bool TryOption()
    {
        if (!_isGreeted)
        {
            if (_arrived.Count < 4)
                return false;
            _arrived.RemoveRange(0, 4);
            return _isGreeted = true;
        }
        if (_arrived.Count < 16)
            return false;
        byte[] head = [.. _arrived[..16]];
        int bytes = (int)BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(12));
        if (_arrived.Count < 16 + bytes)
            return false;
        Assert.Equal(NbdProtocol.OptionMagic, BinaryPrimitives.ReadUInt64BigEndian(head));
        _arrived.RemoveRange(0, 16 + bytes);
        Answer(BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(8)));
        return true;
    }

    void Answer(uint option)
    {
        bool isKnown = option switch
        {
            NbdProtocol.OptionExtendedHeaders => Form == NbdForm.Extended,
            NbdProtocol.OptionStructuredReply or NbdProtocol.OptionSetMetaContext => Form != NbdForm.Simple,
            _ => option == NbdProtocol.OptionGo,
        };
        if (option == NbdProtocol.OptionSetMetaContext)
            Reply(option, NbdProtocol.ReplyMetaContext, new Wire().U32(7).Text(NbdProtocol.AllocationContext).Bytes);
        if (option == NbdProtocol.OptionGo)
        {
            ushort flags = (ushort)((uint)Flags | 1);
            Reply(option, NbdProtocol.ReplyInfo, new Wire().U16(0).U64((ulong)Content.Length).U16(flags).Bytes);
            Wire blocks = new Wire().U16(3).U32(BlockBytesMin).U32(BlockBytes).U32(PayloadBytesMax);
            Reply(option, NbdProtocol.ReplyInfo, blocks.Bytes);
            _isTransmitting = true;
        }
        Reply(option, isKnown ? NbdProtocol.ReplyAck : NbdProtocol.ErrorUnsupported, []);
    }

    void Reply(uint option, uint type, byte[] data) =>
        Leave(
            [
                .. new Wire().U64(NbdProtocol.OptionReplyMagic).U32(option).U32(type).U32((uint)data.Length).Bytes,
                .. data,
            ]
        );

    bool TryRequest()
    {
        bool isExtended = Form == NbdForm.Extended;
        int headBytes = isExtended ? NbdProtocol.ExtendedRequestBytes : NbdProtocol.RequestBytes;
        if (_arrived.Count < headBytes)
            return false;
        byte[] head = [.. _arrived[..headBytes]];
        Assert.Equal(
            isExtended ? NbdProtocol.ExtendedRequestMagic : NbdProtocol.RequestMagic,
            BinaryPrimitives.ReadUInt32BigEndian(head)
        );
        NbdCommand command = (NbdCommand)BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(6));
        bool isFua = (head[5] & (int)NbdCommandFlags.Fua) != 0;
        ulong cookie = BinaryPrimitives.ReadUInt64BigEndian(head.AsSpan(8));
        int offset = (int)BinaryPrimitives.ReadUInt64BigEndian(head.AsSpan(16));
        int length = isExtended
            ? (int)BinaryPrimitives.ReadUInt64BigEndian(head.AsSpan(24))
            : (int)BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(24));
        int payloadBytes = command == NbdCommand.Write ? length : 0;
        if (_arrived.Count < headBytes + payloadBytes)
            return false;
        byte[] payload = [.. _arrived[headBytes..(headBytes + payloadBytes)]];
        _arrived.RemoveRange(0, headBytes + payloadBytes);
        Commands.Add(command);
        if (HoldsNextWrite && command == NbdCommand.Write)
        {
            (_held, HoldsNextWrite) = ((offset, payload), false);
            Die();
            return false;
        }
        NbdCommandFlags flags = (NbdCommandFlags)BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(4));
        if (command == NbdCommand.WriteZeroes)
            Zeroes.Add((flags, length));
        if (IsZeroSlow && (flags & NbdCommandFlags.FastZero) != 0)
            ErrorOfNext = Errnos.EOPNOTSUPP;
        if (command != NbdCommand.Disconnect)
            _answers.Add(Serve(command, isFua, cookie, offset, length, payload));
        return true;
    }

    byte[] Serve(NbdCommand command, bool isFua, ulong cookie, int offset, int length, byte[] payload)
    {
        Assert.Equal(0u, (uint)(offset | length) % BlockBytesMin);
        Assert.InRange(offset + length, 0, Content.Length);
        if (command is NbdCommand.Read or NbdCommand.Write)
            Assert.InRange((uint)length, 1u, PayloadBytesMax);
        (uint error, ErrorOfNext) = (ErrorOfNext, 0);
        if (error == 0 && command == NbdCommand.Write)
            payload.CopyTo(Content, offset);
        if (error == 0 && command is NbdCommand.WriteZeroes or NbdCommand.Trim)
            Content.AsSpan(offset, length).Clear();
        if (error == 0 && command == NbdCommand.Flush)
            Content.CopyTo(_durable, 0);
        if (error == 0 && isFua)
            Content.AsSpan(offset, length).CopyTo(_durable.AsSpan(offset));
        if (Form == NbdForm.Simple)
        {
            Wire reply = new Wire().U32(NbdProtocol.SimpleReplyMagic).U32(error).U64(cookie);
            byte[] data = error == 0 && command == NbdCommand.Read ? Content[offset..(offset + length)] : [];
            return [.. reply.Bytes, .. data];
        }
        List<(ushort Kind, byte[] Data)> chunks = [];
        if (error != 0)
            chunks.Add((NbdProtocol.ChunkErrorBit | 1, new Wire().U32(error).U16(3).Text("why").Bytes));
        else if (command == NbdCommand.Read)
            chunks.AddRange(ReadChunks(offset, length));
        else if (command == NbdCommand.BlockStatus)
            chunks.Add(Extents(offset, length));
        if (chunks.Count == 0 || _prng.Chance(1, 3))
            chunks.Add((NbdProtocol.ChunkNone, []));
        Wire all = new();
        for (int i = 0; i < chunks.Count; i++)
            Chunk(all, chunks[i], cookie, offset, i == chunks.Count - 1);
        return all.Bytes;
    }

    void Chunk(Wire wire, (ushort Kind, byte[] Data) chunk, ulong cookie, int offset, bool isLast)
    {
        ushort flags = isLast ? NbdProtocol.ReplyDone : (ushort)0;
        if (Form == NbdForm.Extended)
            wire.U32(NbdProtocol.ExtendedReplyMagic)
                .U16(flags)
                .U16(chunk.Kind)
                .U64(cookie)
                .U64((ulong)offset)
                .U64((ulong)chunk.Data.Length);
        else
            wire.U32(NbdProtocol.StructuredReplyMagic)
                .U16(flags)
                .U16(chunk.Kind)
                .U64(cookie)
                .U32((uint)chunk.Data.Length);
        wire.Raw(chunk.Data);
    }

    /// <summary>Cut anywhere, in any order; what is zero may come as a hole.</summary>
    List<(ushort, byte[])> ReadChunks(int offset, int length)
    {
        List<(ushort, byte[])> chunks = [];
        for (int done = 0; done < length; )
        {
            int bytes = _prng.Chance(1, 2) ? length - done : 1 + (int)_prng.Below((ulong)(length - done));
            byte[] data = Content[(offset + done)..(offset + done + bytes)];
            Wire wire = new Wire().U64((ulong)(offset + done));
            bool isHole = data.All(one => one == 0);
            chunks.Insert(
                (int)_prng.Below((ulong)chunks.Count + 1),
                isHole
                    ? (NbdProtocol.ChunkHole, wire.U32((uint)bytes).Bytes)
                    : (NbdProtocol.ChunkData, wire.Raw(data).Bytes)
            );
            done += bytes;
        }
        return chunks;
    }

    /// <summary>A block of zeroes is a hole, or only zero where its number is odd; the last reaches too far.</summary>
    (ushort, byte[]) Extents(int offset, int length)
    {
        bool isExtended = Form == NbdForm.Extended;
        List<(ulong Bytes, uint Status)> extents = [];
        for (int at = offset; at < offset + length; at = (at / BlockBytes + 1) * BlockBytes)
        {
            int block = at / BlockBytes;
            int end = Math.Min((block + 1) * BlockBytes, Content.Length);
            bool isZero = Content.AsSpan(block * BlockBytes, end - block * BlockBytes).IndexOfAnyExcept((byte)0) < 0;
            extents.Add(
                (
                    (ulong)(end - at),
                    !isZero ? 0u
                    : block % 2 == 0 ? 3u
                    : 2u
                )
            );
        }
        Wire wire = new Wire().U32(7);
        if (isExtended)
            wire.U32((uint)extents.Count);
        foreach ((ulong bytes, uint status) in extents)
            _ = isExtended ? wire.U64(bytes).U64(status) : wire.U32((uint)bytes).U32(status);
        return (isExtended ? NbdProtocol.ChunkStatusExtended : NbdProtocol.ChunkStatus, wire.Bytes);
    }

    /// <summary>Numbers as they go over the wire.</summary>
    public sealed class Wire
    {
        readonly List<byte> _bytes = [];

        public byte[] Bytes => [.. _bytes];

        public Wire U16(ushort value) => Raw([(byte)(value >> 8), (byte)value]);

        public Wire U32(uint value) => U16((ushort)(value >> 16)).U16((ushort)value);

        public Wire U64(ulong value) => U32((uint)(value >> 32)).U32((uint)value);

        public Wire Text(string text) => Raw(Encoding.ASCII.GetBytes(text));

        public Wire Raw(byte[] bytes)
        {
            _bytes.AddRange(bytes);
            return this;
        }
    }
}
