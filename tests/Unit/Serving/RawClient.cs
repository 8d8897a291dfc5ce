// A client that sends what it is told, byte by byte if need be, and keeps what comes back.
using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Tests.Unit.Serving;

sealed class RawClient : IStreamOwner, IDisposable
{
    const int BufferBytesUsual = 1 << 20;
    const ulong SendTag = 1;
    const ulong ReceiveTag = 2;

    readonly IStreamIo _streams;
    readonly StreamHandle _stream;
    readonly int _bufferBytes;
    readonly AlignedRegion _out;
    readonly AlignedRegion _in;
    readonly Queue<byte[]> _toSend = new();
    readonly List<byte> _received = [];
    int _sentBytes;
    bool _isConnected;
    bool _isSending;
    bool _isReceiving;

    public RawClient(ServedWorld world, bool reads = true, int bufferBytes = BufferBytesUsual)
    {
        _bufferBytes = bufferBytes;
        _out = AlignedRegion.Map((ulong)bufferBytes, RegionResidency.Resident);
        _in = AlignedRegion.Map((ulong)bufferBytes, RegionResidency.Resident);
        (_streams, Reads) = (world.Streams, reads);
        Check.That(_streams.TryOpen(world.Address, out StreamHandle? stream).IsNone);
        _stream = stream!;
        _isSending = true;
        Push(StreamOperation.Connect, 0, 0, 0);
    }

    public bool Reads { get; set; }

    /// <summary>The server has closed, or the connection broke.</summary>
    public bool HasEnded { get; private set; }

    public int ReceivedBytes => _received.Count;

    public void Send(params byte[][] parts)
    {
        foreach (byte[] part in parts)
            if (part.Length > 0)
                _toSend.Enqueue(part);
        Next();
    }

    /// <summary>Takes what has come first.</summary>
    public byte[] Take(int count)
    {
        byte[] taken = [.. _received.Take(count)];
        _received.RemoveRange(0, taken.Length);
        return taken;
    }

    public void Close() => _streams.Close(_stream);

    public static byte[] Flags(uint flags = 3) => BigEndian(4, flags);

    public static byte[] Option(uint option, params byte[][] data)
    {
        byte[] all = [.. data.SelectMany(one => one)];
        return
        [
            .. Encoding.ASCII.GetBytes("IHAVEOPT"),
            .. BigEndian(4, option),
            .. BigEndian(4, (ulong)all.Length),
            .. all,
        ];
    }

    public static byte[] Text(string text) =>
        [.. BigEndian(4, (ulong)Encoding.UTF8.GetByteCount(text)), .. Encoding.UTF8.GetBytes(text)];

    public static byte[] Request(ushort command, ulong cookie, ulong offset, uint length, ushort flags = 0) =>
        [
            .. BigEndian(4, 0x25609513),
            .. BigEndian(2, flags),
            .. BigEndian(2, command),
            .. BigEndian(8, cookie),
            .. BigEndian(8, offset),
            .. BigEndian(4, length),
        ];

    public static byte[] BigEndian(int bytes, ulong value)
    {
        byte[] all = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(all, value);
        return all[(8 - bytes)..];
    }

    void IStreamOwner.OnStreamCompleted(ulong tag, in StreamResult result)
    {
        bool isReceive = tag == ReceiveTag;
        if (isReceive)
            _isReceiving = false;
        else
            _isSending = false;
        if (result.Fault.IsFault || (isReceive && result.Count == 0))
        {
            HasEnded = true;
            _streams.Close(_stream);
            return;
        }
        if (isReceive)
            _received.AddRange(_in.Slice(0, (int)result.Count));
        else if (tag == SendTag)
            _sentBytes += (int)result.Count;
        _isConnected = true;
        Next();
    }

    public void Next()
    {
        if (!_isConnected || HasEnded)
            return;
        if (Reads && !_isReceiving)
        {
            _isReceiving = true;
            Push(StreamOperation.Receive, ReceiveTag, _in.Start, (ulong)_bufferBytes);
        }
        if (_toSend.TryPeek(out byte[]? part) && _sentBytes == part.Length && !_isSending)
        {
            _ = _toSend.Dequeue();
            _sentBytes = 0;
        }
        if (_isSending || !_toSend.TryPeek(out part))
            return;
        _isSending = true;
        int count = Math.Min(_bufferBytes, part.Length - _sentBytes);
        part.AsSpan(_sentBytes, count).CopyTo(_out.Slice(0, count));
        Push(StreamOperation.Send, SendTag, _out.Start, (ulong)count);
    }

    void Push(StreamOperation operation, ulong tag, nint buffer, ulong lengthBytes) =>
        _streams.Push(
            new StreamCommand
            {
                Operation = operation,
                Stream = _stream,
                Buffer = buffer,
                LengthBytes = lengthBytes,
                Owner = this,
                Tag = tag,
            }
        );

    public void Dispose()
    {
        _out.Dispose();
        _in.Dispose();
    }
}
