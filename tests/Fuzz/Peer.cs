// One end of a connection that sends what it is told and keeps what comes.
using System;
using System.Collections.Generic;
using FastBackup.Base;
using FastBackup.Memory;
using FastBackup.Ports;

namespace FastBackup.Tests.Fuzz;

sealed class Peer : IStreamOwner, IDisposable
{
    const int BufferBytes = 64 * 1024;
    const ulong SendTag = 1;
    const ulong ReceiveTag = 2;

    readonly IStreamIo _streams;
    readonly StreamHandle _stream;
    readonly AlignedRegion _out = AlignedRegion.Map(BufferBytes, RegionResidency.Resident);
    readonly AlignedRegion _in = AlignedRegion.Map(BufferBytes, RegionResidency.Resident);
    readonly Queue<byte> _toSend = new();
    uint _commandCount;
    bool _isConnected;
    bool _isSending;
    bool _isClosed;

    /// <param name="streams">Carry it.</param>
    /// <param name="stream">Not connected yet, or accepted.</param>
    /// <param name="isAccepted">Which of the two.</param>
    public Peer(IStreamIo streams, StreamHandle stream, bool isAccepted)
    {
        (_streams, _stream, _isConnected) = (streams, stream, isAccepted);
        if (isAccepted)
            Receive();
        else
            Push(StreamOperation.Connect, 0, 0, 0);
    }

    /// <summary>What has come and nobody has taken.</summary>
    public List<byte> Received { get; } = [];

    /// <summary>Nothing is at the port.</summary>
    public bool IsIdle => _commandCount == 0;

    public void Send(ReadOnlySpan<byte> bytes)
    {
        foreach (byte one in bytes)
            _toSend.Enqueue(one);
        SendNext();
    }

    public void Close()
    {
        if (_isClosed)
            return;
        _isClosed = true;
        _streams.Close(_stream);
    }

    void IStreamOwner.OnStreamCompleted(ulong tag, in StreamResult result)
    {
        _commandCount--;
        if (tag == SendTag)
            _isSending = false;
        if (_isClosed)
            return;
        if (result.Fault.IsFault || (tag == ReceiveTag && result.Count == 0))
        {
            Close();
            return;
        }
        if (tag == ReceiveTag)
            Received.AddRange(_in.Slice(0, (int)result.Count));
        else if (tag == SendTag)
            for (ulong i = 0; i < result.Count; i++)
                _ = _toSend.Dequeue();
        _isConnected = true;
        if (tag != SendTag)
            Receive();
        SendNext();
    }

    void SendNext()
    {
        if (!_isConnected || _isSending || _isClosed || _toSend.Count == 0)
            return;
        _isSending = true;
        int count = 0;
        Span<byte> room = _out.Slice(0, BufferBytes);
        foreach (byte one in _toSend)
        {
            if (count == BufferBytes)
                break;
            room[count++] = one;
        }
        Push(StreamOperation.Send, SendTag, _out.Start, (ulong)count);
    }

    void Receive() => Push(StreamOperation.Receive, ReceiveTag, _in.Start, BufferBytes);

    void Push(StreamOperation operation, ulong tag, nint buffer, ulong lengthBytes)
    {
        _commandCount++;
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
    }

    /// <summary>Once it is idle. After a failure it may not be: then the port has its memory.</summary>
    public void Dispose()
    {
        if (!IsIdle)
            return;
        _out.Dispose();
        _in.Dispose();
    }
}
