// One connection: what it has sent and is not understood yet, what it is to be sent and the socket does not take yet.
// It never waits for its peer: a peer that does not read is dropped once more than OutputBytesMax wait for it behind
// the line that is being sent, one that sends while a command of its own is at work is not read.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Interop.Linux;
using FastBackup.Native.Monitor.Json;

namespace FastBackup.Native.Monitor.Server;

/// <summary>Threads: the monitor's.</summary>
sealed class MonitorClient(int fd) : IDisposable
{
    const int OutputBytesMax = 2 << 20;
    const int InputBytes = 1 << 14;
    const int EAGAIN = 11;

    readonly JsonMessages _messages = new();
    readonly byte[] _input = new byte[InputBytes];
    readonly Queue<byte[]> _output = new();
    int _inputStart;
    int _inputEnd;
    int _sentBytes; // of the first of the output
    int _outputBytes;

    public int Fd => fd;

    /// <summary>qmp_capabilities was said: commands are taken and events sent.</summary>
    public bool IsNegotiated { get; set; }

    /// <summary>A command of this client is at work: the next one waits.</summary>
    public bool IsBusy { get; set; }

    /// <summary>The peer will send no more.</summary>
    public bool IsInputEnded { get; private set; }

    /// <summary>The peer is gone: nothing can be read or sent.</summary>
    public bool IsHungUp { get; private set; }

    /// <summary>Everything that waits is sent, then the connection ends.</summary>
    public bool IsEnding { get; set; }

    /// <summary>The connection is broken, or was closed.</summary>
    public bool IsGone { get; private set; }

    /// <summary>When it last sent something, or came.</summary>
    public long ActiveMs { get; private set; } = Environment.TickCount64;

    public bool HasInput => _inputStart < _inputEnd;

    public bool HasOutput => _outputBytes > 0;

    public short Interest
    {
        get
        {
            bool mayRead = !IsBusy && !IsEnding && !IsInputEnded && !HasInput;
            return (short)((mayRead ? Files.POLLIN : 0) | (HasOutput ? UnixSockets.POLLOUT : 0));
        }
    }

    /// <summary>Takes what has come, as much as there is room for.</summary>
    public unsafe void Receive()
    {
        nint count;
        fixed (byte* start = _input) // SAFETY: the kernel writes at most the array's length, during the call
            count = UnixSockets.Receive(fd, start, InputBytes, UnixSockets.MSG_DONTWAIT);
        if (count > 0)
            (_inputStart, _inputEnd, ActiveMs) = (0, (int)count, Environment.TickCount64);
        else if (count == 0)
            IsInputEnded = true;
        else if (Marshal.GetLastPInvokeError() is not (EAGAIN or Errnos.EINTR))
            Close();
    }

    /// <summary>What it has sent is still carried out.</summary>
    public void HangUp() => (IsHungUp, IsInputEnded) = (true, true);

    /// <summary>The next message, as far as the input goes.</summary>
    public bool TryReadMessage(out JsonMessage message)
    {
        while (!_messages.TryTake(out message))
        {
            if (!HasInput)
                return false;
            _messages.Feed(_input[_inputStart++]);
        }
        return true;
    }

    /// <summary>What the last message said is not needed any more.</summary>
    public void EndMessage() => _messages.Trim();

    public void Send(JsonValue value)
    {
        if (IsGone)
            return;
        byte[] line = JsonText.Line(value);
        // One answer may be of any length: what counts is what is left behind it.
        int firstBytes = _output.TryPeek(out byte[]? first) ? first.Length - _sentBytes : 0;
        if (first != null && _outputBytes - firstBytes + line.Length > OutputBytesMax)
        {
            Close(); // it does not read
            return;
        }
        _output.Enqueue(line);
        _outputBytes += line.Length;
        Flush();
    }

    /// <summary>Sends as much as the socket takes now.</summary>
    public unsafe void Flush()
    {
        while (!IsGone && _output.TryPeek(out byte[]? line))
        {
            nint count;
            fixed (byte* start = line) // SAFETY: the kernel reads the rest of the line, during the call
                count = UnixSockets.Send(
                    fd,
                    start + _sentBytes,
                    (nuint)(line.Length - _sentBytes),
                    UnixSockets.MSG_NOSIGNAL | UnixSockets.MSG_DONTWAIT
                );
            if (count < 0)
            {
                int errno = Marshal.GetLastPInvokeError();
                if (errno == Errnos.EINTR)
                    continue;
                if (errno != EAGAIN)
                    Close();
                return;
            }
            _sentBytes += (int)count;
            _outputBytes -= (int)count;
            if (_sentBytes < line.Length)
                continue;
            _ = _output.Dequeue();
            _sentBytes = 0;
        }
    }

    public void Dispose() => Close();

    public void Close()
    {
        if (IsGone)
            return;
        IsGone = true;
        _output.Clear();
        _outputBytes = 0;
        _messages.Dispose();
        _ = Files.Close(fd);
    }
}
