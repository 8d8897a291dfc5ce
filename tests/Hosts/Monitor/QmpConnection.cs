// One client of a monitor, ours or QEMU's: sends bytes, reads lines, keeps events apart from answers.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Tests.Qmp;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor;

/// <summary>Threads: one.</summary>
sealed class QmpConnection : IDisposable
{
    static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(40);

    readonly QmpSocket _socket;

    QmpConnection(QmpSocket socket) => _socket = socket;

    /// <summary>What was sent without being asked for, in order; whoever looks takes it out.</summary>
    public List<JsonNode> Events { get; } = [];

    /// <summary>Connects; nothing is read or said.</summary>
    public static QmpConnection Silent(string path) =>
        new(QmpSocket.Connect(path, server: null, TimeLimit, CancellationToken.None));

    /// <summary>Connects, and leaves the negotiation unless told otherwise.</summary>
    public static QmpConnection To(string path, bool isNegotiating = true)
    {
        QmpConnection connection = Silent(path);
        JsonNode greeting = connection.ReadLine()!;
        Assert.NotNull(greeting["QMP"]?["version"]?["qemu"]?["major"]);
        Assert.NotNull(greeting["QMP"]!["capabilities"]);
        if (isNegotiating)
            connection.Return("""{"execute":"qmp_capabilities"}""");
        return connection;
    }

    public void Send(byte[] bytes) => _socket.Send(bytes);

    public void Send(string text) => Send(Encoding.UTF8.GetBytes(text));

    /// <summary>The peer is told that nothing more will come.</summary>
    public void EndSending() => _socket.EndSending();

    /// <summary>Sends a command and gives its whole answer.</summary>
    public JsonNode Ask(string line)
    {
        Send(line + "\n");
        return ReadAnswer() ?? throw new InvalidOperationException("the monitor has closed the connection");
    }

    /// <summary>What a command returns; an error fails the test.</summary>
    public JsonNode Return(string line)
    {
        JsonNode answer = Ask(line);
        Assert.True(answer["return"] != null, $"{line}: {answer}");
        return answer["return"]!;
    }

    /// <summary>A command by its name.</summary>
    public JsonNode Run(string command, params (string Name, JsonNode? Value)[] arguments) =>
        Return(Command(command, arguments));

    /// <summary>The description of a command's refusal.</summary>
    public string Refused(string command, params (string Name, JsonNode? Value)[] arguments)
    {
        JsonNode answer = Ask(Command(command, arguments));
        Assert.True(answer["error"] != null, answer.ToJsonString());
        return (string)answer["error"]!["desc"]!;
    }

    public static string Command(string command, params (string Name, JsonNode? Value)[] arguments)
    {
        JsonObject members = [];
        foreach ((string name, JsonNode? value) in arguments)
            members[name] = value?.DeepClone();
        return new JsonObject { ["execute"] = command, ["arguments"] = members }.ToJsonString();
    }

    /// <summary>The next answer; null at the end of the connection.</summary>
    public JsonNode? ReadAnswer()
    {
        while (ReadLine() is { } line)
            if (line["event"] != null)
                Events.Add(line);
            else
                return line;
        return null;
    }

    /// <summary>The next event of a name, and for job-events of a job; those before it are dropped.</summary>
    public JsonNode WaitForEvent(string name, string? id = null)
    {
        while (true)
        {
            JsonNode line = ReadEvent();
            if ((string?)line["event"] == name && (id == null || JobOf(line) == id))
                return line;
        }
    }

    /// <summary>Waits for an event of each of these jobs, in whatever order; others meanwhile are dropped.</summary>
    public void WaitForEach(string name, params string[] ids)
    {
        List<string> missing = [.. ids];
        while (missing.Count > 0)
        {
            JsonNode line = ReadEvent();
            if ((string?)line["event"] == name && JobOf(line) is { } id)
                _ = missing.Remove(id);
        }
    }

    JsonNode ReadEvent()
    {
        if (Events.Count == 0)
            return ReadLine() ?? throw new InvalidOperationException("the monitor has closed the connection");
        JsonNode line = Events[0];
        Events.RemoveAt(0);
        return line;
    }

    static string? JobOf(JsonNode line) => (string?)(line["data"]?["id"] ?? line["data"]?["device"]);

    /// <summary>Waits until a job has copied something.</summary>
    public void WaitForProgress(string job)
    {
        Stopwatch elapsed = Stopwatch.StartNew();
        while ((long)Run("query-block-jobs").AsArray().First(one => (string?)one!["device"] == job)!["offset"]! == 0)
        {
            Assert.True(elapsed.Elapsed < TimeSpan.FromSeconds(30), $"{job} copies nothing");
            Thread.Sleep(5);
        }
    }

    /// <summary>Waits until a job's status is as wanted.</summary>
    public void WaitForStatus(string id, string status)
    {
        while ((string?)WaitForEvent("JOB_STATUS_CHANGE", id)["data"]!["status"] != status) { }
    }

    /// <summary>One line as JSON; null at the end of the connection.</summary>
    public JsonNode? ReadLine() => _socket.ReadLine();

    /// <summary>Ends the connection as a killed program's ends.</summary>
    public void Dispose() => _socket.Dispose();
}
