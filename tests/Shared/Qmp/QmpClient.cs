// A client of QEMU's machine protocol for those who want results: commands, their answers, and events. What is refused
// is an exception.
// Source: QEMU docs/interop/qmp-spec.
using System;
using System.Collections.Generic;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Tests.Processes;

namespace FastBackup.Tests.Qmp;

/// <summary>Threads: one.</summary>
public sealed class QmpClient : IDisposable
{
    readonly QmpSocket _socket;
    readonly Queue<JsonObject> _events = [];

    QmpClient(QmpSocket socket) => _socket = socket;

    /// <summary>Connects when the daemon listens, and leaves the negotiation behind.</summary>
    public static QmpClient Connect(string socketPath, RunningProgram daemon, CancellationToken cancel)
    {
        QmpClient client = new(QmpSocket.Connect(socketPath, daemon, Timeout.InfiniteTimeSpan, cancel));
        client.ReadLine();
        client.Command("qmp_capabilities");
        return client;
    }

    /// <summary>Sends a command and waits for its answer; events that come before it are kept.</summary>
    public JsonNode? Command(string name, JsonObject? arguments = null)
    {
        JsonObject message = new() { ["execute"] = name };
        if (arguments != null)
            message["arguments"] = arguments;
        _socket.Send(JsonSerializer.SerializeToUtf8Bytes(message));
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
        if (!_socket.IsReadable(limit))
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

    JsonObject ReadLine() =>
        _socket.ReadLine()?.AsObject() ?? throw new PeerException("the QEMU daemon closed its socket");
}
