// QEMU's machine protocol over a unix socket: commands, their answers, and events, one JSON object a line.
// Reads wait in slices, so that a cancel or the end of the daemon is seen.
// Source: QEMU docs/interop/qmp-spec.
using System;
using System.Buffers;
using System.Collections.Generic;
using System.IO;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;

namespace FastBackup.Bench.Peers;

/// <summary>Threads: one.</summary>
public sealed class QmpClient : IDisposable
{
    const int PollUs = 100_000;

    readonly Socket _socket;
    readonly PeerProcess _daemon;
    readonly ArrayBufferWriter<byte> _received = new();
    readonly Queue<JsonObject> _events = [];
    readonly CancellationToken _cancel;
    int _consumedBytes;

    QmpClient(Socket socket, PeerProcess daemon, CancellationToken cancel) =>
        (_socket, _daemon, _cancel) = (socket, daemon, cancel);

    /// <summary>Connects when the daemon listens, and leaves the negotiation behind.</summary>
    public static QmpClient Connect(string socketPath, PeerProcess daemon, CancellationToken cancel)
    {
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            if (daemon.HasExited)
                throw new PeerException("the QEMU daemon ended at its start: " + daemon.Errors.Trim());
            Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                socket.Connect(new UnixDomainSocketEndPoint(socketPath));
            }
            catch (SocketException)
            {
                socket.Dispose(); // not there yet
                Thread.Sleep(10);
                continue;
            }
            QmpClient client = new(socket, daemon, cancel);
            client.ReadLine();
            client.Command("qmp_capabilities");
            return client;
        }
    }

    /// <summary>Sends a command and waits for its answer; events that come before it are kept.</summary>
    public JsonNode? Command(string name, JsonObject? arguments = null)
    {
        JsonObject message = new() { ["execute"] = name };
        if (arguments != null)
            message["arguments"] = arguments;
        Send(JsonSerializer.SerializeToUtf8Bytes(message));
        while (true)
        {
            JsonObject reply = ReadLine();
            if (reply.ContainsKey("event"))
                _events.Enqueue(reply);
            else if (reply["error"] is JsonNode error)
                throw new PeerException($"QEMU refused '{name}': {error["desc"]}");
            else
                return reply["return"];
        }
    }

    /// <summary>The next event; blocks.</summary>
    public JsonObject NextEvent() => _events.TryDequeue(out JsonObject? kept) ? kept : ReadLine();

    /// <summary>The next event, if one comes within the time.</summary>
    public bool TryNextEvent(TimeSpan limit, out JsonObject? happened)
    {
        if (_events.TryDequeue(out happened))
            return true;
        bool isBuffered = _consumedBytes < _received.WrittenCount; // at most the begin of a line, whose rest follows
        if (!isBuffered && !_socket.Poll(limit, SelectMode.SelectRead))
            return false;
        happened = ReadLine();
        return true;
    }

    /// <summary>Waits until the job has concluded, and throws if it failed.</summary>
    public void WaitForJob(string jobId)
    {
        string? failure = null;
        while (true)
        {
            JsonObject happened = NextEvent();
            string name = (string)happened["event"]!;
            JsonNode? what = happened["data"];
            if (name == "BLOCK_JOB_COMPLETED" && (string?)what?["device"] == jobId)
                failure = (string?)what["error"];
            bool isStatus = name == "JOB_STATUS_CHANGE" && (string?)what?["id"] == jobId;
            if (!isStatus || (string?)what!["status"] is not ("concluded" or "null"))
                continue;
            if (failure != null)
                throw new PeerException("QEMU's backup job failed: " + failure);
            return;
        }
    }

    public void Dispose() => _socket.Dispose();

    JsonObject ReadLine()
    {
        while (true)
        {
            int length = _received.WrittenSpan[_consumedBytes..].IndexOf((byte)'\n');
            if (length >= 0)
            {
                ReadOnlySpan<byte> line = _received.WrittenSpan.Slice(_consumedBytes, length);
                _consumedBytes += length + 1;
                JsonObject parsed = JsonNode.Parse(line)!.AsObject();
                if (_consumedBytes == _received.WrittenCount)
                {
                    _received.ResetWrittenCount();
                    _consumedBytes = 0;
                }
                return parsed;
            }
            Receive();
        }
    }

    void Send(byte[] message)
    {
        try
        {
            _socket.Send(message);
        }
        catch (SocketException exception)
        {
            throw new PeerException("the QEMU daemon has gone: " + _daemon.Errors.Trim(), exception);
        }
    }

    void Receive()
    {
        while (!_socket.Poll(PollUs, SelectMode.SelectRead))
        {
            _cancel.ThrowIfCancellationRequested();
            if (_daemon.HasExited)
                throw new PeerException("the QEMU daemon ended: " + _daemon.Errors.Trim());
        }
        int count = _socket.Receive(_received.GetSpan(4096));
        if (count == 0)
            throw new PeerException("the QEMU daemon closed its socket: " + _daemon.Errors.Trim());
        _received.Advance(count);
    }
}
