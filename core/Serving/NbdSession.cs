// One client, from the greeting to the end: its stream, what comes in, what goes out, and its time.
//
//   stream -> input -> handshake, then requests -> batch -> stream
//
// One batch is filled while another one is sent. A client that does not come to its first request in time, or does not
// read its answers, is closed. The end: nothing is taken any more, what is at the device and at the stream comes back,
// then memory is given back and the server is told.
using System;
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Serving;

/// <summary>Threads: the loop's.</summary>
sealed class NbdSession : IStreamOwner, ILoopTask, IDisposable
{
    const ulong ReceiveTag = 1;
    const ulong SendTag = 2;

    // --- fixed at construction
    readonly NbdServer _server;
    readonly IIoLoop _loop;
    readonly IStreamIo _streams;
    readonly StreamHandle _stream;
    readonly NbdServerOptions _options;
    readonly NbdNegotiation _negotiation;
    readonly NbdInput _input = new();

    NbdTransmission? _transmission; // after the handshake
    OutBatch _filling = new();
    OutBatch _sending = new();
    ulong _sentNs; // when the stream took something last
    ulong _timerKey;
    bool _isReceiving;
    bool _isPayload; // received past the input
    bool _isSending;
    bool _isEnding; // when all is answered and sent
    bool _isWorking;
    bool _isClosed;

    public NbdSession(NbdServer server, IIoLoop loop, IStreamIo streams, StreamHandle stream, NbdServerOptions options)
    {
        (_server, _loop, _streams, _stream, _options) = (server, loop, streams, stream, options);
        _negotiation = new NbdNegotiation(server.Disks.For(stream));
        NbdNegotiation.Greet(_filling);
        _timerKey = loop.StartTimer(loop.Clock.NowNs + options.HandshakeMs * Units.NsPerMs, this, 0);
        Work();
    }

    /// <summary>What the client has chosen; null: nothing yet.</summary>
    public ServedDisk? Disk => _negotiation.Disk;

    /// <summary>Ends it; the server is told when all has come back.</summary>
    public void Close()
    {
        if (_isClosed)
            return;
        _isClosed = true;
        _loop.CancelTimer(_timerKey);
        _streams.Close(_stream);
        FinishIfIdle();
    }

    void IStreamOwner.OnStreamCompleted(ulong tag, in StreamResult result)
    {
        if (tag == ReceiveTag)
            _isReceiving = false;
        else
            _isSending = false;
        if (!_isClosed && (result.Fault.IsFault || result.Count == 0))
            Close();
        else if (!_isClosed)
            OnMoved(tag, result.Count);
        else
            FinishIfIdle();
    }

    void OnMoved(ulong tag, ulong countBytes)
    {
        if (tag == SendTag)
        {
            _sentNs = _loop.Clock.NowNs;
            ulong pieceKey = _sending.OnSent(countBytes);
            if (pieceKey != 0)
                _transmission!.OnPayloadSent(pieceKey);
        }
        else if (_isPayload)
            _transmission!.OnPayload(countBytes);
        else
            _input.Add(countBytes);
        Work();
    }

    /// <summary>The client is too slow: with the handshake, or with reading.</summary>
    void ILoopTask.Run(ulong argument)
    {
        ulong nowNs = _loop.Clock.NowNs;
        ulong unreadNs = _options.UnreadMs * Units.NsPerMs;
        if (_transmission == null || (_isSending && nowNs - _sentNs >= unreadNs))
            Close();
        else
            _timerKey = _loop.StartTimer(nowNs + unreadNs / 4, this, 0);
    }

    void Work()
    {
        if (_isClosed)
        {
            FinishIfIdle();
            return;
        }
        _isWorking = true;
        while (!_isEnding && _transmission == null && Negotiate()) { }
        while (_transmission is { } work && (work.Take(_input) | work.Issue() | work.Answer(_filling))) { }
        bool isBroken = _transmission is { IsBroken: true };
        Send();
        Receive();
        _isWorking = false;
        bool hasEnded = _transmission == null ? _isEnding : _transmission is { IsEnding: true, IsIdle: true };
        if (isBroken || (hasEnded && !_isSending && _filling.IsEmpty))
            Close();
    }

    bool Negotiate()
    {
        NegotiationState state = _negotiation.Take(_input.Bytes, _filling, out int takenBytes);
        _input.Drop(takenBytes);
        _isEnding = state == NegotiationState.Ended;
        if (state == NegotiationState.Ready)
            _isEnding = !NbdTransmission.TryCreate(
                _loop,
                _negotiation,
                _options.ClientMemoryBytes,
                Work,
                out _transmission
            );
        return takenBytes > 0;
    }

    void Receive()
    {
        if (_isReceiving || _isEnding || _transmission is { IsEnding: true })
            return;
        nint start = 0;
        ulong lengthBytes = 0;
        _isPayload = _input.Bytes.IsEmpty && _transmission?.TryPlacePayload(out start, out lengthBytes) == true;
        if (!_isPayload && !_input.TryPlace(out start, out lengthBytes))
            return; // it must wait for its own requests
        _isReceiving = true;
        Push(StreamOperation.Receive, ReceiveTag, start, lengthBytes, isWhole: _isPayload);
    }

    void Send()
    {
        if (_isSending)
            return;
        if (!_sending.TryNext(out nint start, out ulong lengthBytes))
        {
            _sending.Clear();
            (_sending, _filling) = (_filling, _sending);
            if (!_sending.TryNext(out start, out lengthBytes))
                return;
            _sentNs = _loop.Clock.NowNs;
        }
        _isSending = true;
        Push(StreamOperation.Send, SendTag, start, lengthBytes);
    }

    void Push(StreamOperation operation, ulong tag, nint start, ulong lengthBytes, bool isWhole = false) =>
        _streams.Push(
            new StreamCommand
            {
                Operation = operation,
                Stream = _stream,
                Buffer = start,
                LengthBytes = lengthBytes,
                IsWantedWhole = isWhole,
                Owner = this,
                Tag = tag,
            }
        );

    void FinishIfIdle()
    {
        if (_isWorking || _isReceiving || _isSending || _transmission is { AtDeviceCount: > 0 })
            return;
        Dispose();
        _server.OnSessionEnded(this);
    }

    /// <summary>Nothing is under way.</summary>
    public void Dispose()
    {
        _transmission?.Dispose();
        _input.Dispose();
        _filling.Dispose();
        _sending.Dispose();
    }
}
