// The lines of QEMU's machine protocol over a unix socket, one JSON value each: sent as bytes, read one by one. Waits
// in slices, so that a cancel or the end of the server is seen.
// Source: QEMU docs/interop/qmp-spec.
using System;
using System.Buffers;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Qmp;

/// <summary>Threads: one. Disposing ends the connection as a killed program's ends.</summary>
public sealed class QmpSocket : IDisposable
{
    const int PollUs = 100_000;
    const int DepthMax = 2000;

    readonly Socket _socket;
    readonly RunningProgram? _server;
    readonly TimeSpan _limit;
    readonly CancellationToken _cancel;
    readonly ArrayBufferWriter<byte> _received = new();
    int _consumedBytes;

    QmpSocket(Socket socket, RunningProgram? server, TimeSpan limit, CancellationToken cancel) =>
        (_socket, _server, _limit, _cancel) = (socket, server, limit, cancel);

    /// <summary>Connects when the server listens; nothing is read or said.</summary>
    /// <param name="path">Of the socket.</param>
    /// <param name="server">Whose end ends the wait; null when it is another's to see.</param>
    /// <param name="limit">For the connection, and for each line; may be infinite.</param>
    /// <param name="cancel">Ends every wait.</param>
    public static QmpSocket Connect(string path, RunningProgram? server, TimeSpan limit, CancellationToken cancel)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            if (server is { HasExited: true })
                throw new PeerException("the monitor's program ended at its start: " + server.Said.Trim());
            Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                socket.Connect(new UnixDomainSocketEndPoint(path));
                return new QmpSocket(socket, server, limit, cancel);
            }
            catch (SocketException) when (!IsOver(start, limit))
            {
                socket.Dispose(); // not there yet
                Thread.Sleep(10);
            }
        }
    }

    public void Send(ReadOnlySpan<byte> bytes)
    {
        try
        {
            _socket.Send(bytes);
        }
        catch (SocketException exception) when (_server is { HasExited: true })
        {
            throw new PeerException("the monitor's program has gone: " + _server.Said.Trim(), exception);
        }
    }

    /// <summary>The server is told that nothing more will come.</summary>
    public void EndSending() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Whether a line, or a part of one whose rest follows, is there within the time.</summary>
    public bool IsReadable(TimeSpan limit) =>
        _consumedBytes < _received.WrittenCount || _socket.Poll(limit, SelectMode.SelectRead);

    /// <summary>The next line; null at the end of the connection.</summary>
    /// <exception cref="PeerException">The server ended, or said nothing for too long.</exception>
    public JsonNode? ReadLine()
    {
        while (true)
        {
            int length = _received.WrittenSpan[_consumedBytes..].IndexOf((byte)'\n');
            if (length >= 0)
                return Take(length);
            if (!TryReceive())
                return null;
        }
    }

    public void Dispose() => _socket.Dispose();

    static bool IsOver(long start, TimeSpan limit) =>
        limit != Timeout.InfiniteTimeSpan && Stopwatch.GetElapsedTime(start) > limit;

    JsonNode? Take(int lengthBytes)
    {
        ReadOnlySpan<byte> line = _received.WrittenSpan.Slice(_consumedBytes, lengthBytes);
        _consumedBytes += lengthBytes + 1;
        JsonNode? parsed = JsonNode.Parse(line, documentOptions: new JsonDocumentOptions { MaxDepth = DepthMax });
        if (_consumedBytes == _received.WrittenCount)
        {
            _received.ResetWrittenCount();
            _consumedBytes = 0;
        }
        return parsed;
    }

    /// <returns>False at the end of the connection.</returns>
    bool TryReceive()
    {
        long start = Stopwatch.GetTimestamp();
        while (!_socket.Poll(PollUs, SelectMode.SelectRead))
        {
            _cancel.ThrowIfCancellationRequested();
            if (_server is { HasExited: true })
                throw new PeerException("the monitor's program ended: " + _server.Said.Trim());
            if (IsOver(start, _limit))
                throw new PeerException($"the monitor has said nothing for {_limit.TotalSeconds} s");
        }
        try
        {
            int count = _socket.Receive(_received.GetSpan(4096));
            _received.Advance(count);
            return count > 0;
        }
        catch (SocketException error) when (error.SocketErrorCode == SocketError.ConnectionReset)
        {
            return false;
        }
    }
}
