// A connection to the monitor of a host (fb_monitor_open): one command at a time, events kept in order. Waits in short
// steps, so that a signal ends it.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class MonitorLink : IDisposable
{
    const int StepMs = 100;
    static readonly TimeSpan s_greetingLimit = TimeSpan.FromSeconds(10);

    readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    readonly Interruption _interruption;
    readonly byte[] _buffer = new byte[65536];
    readonly MemoryStream _line = new();
    readonly Queue<string> _lines = new();
    readonly Queue<JsonNode> _events = new();

    MonitorLink(Interruption interruption) => _interruption = interruption;

    /// <param name="path">Of the socket.</param>
    /// <param name="interruption">Ends every wait.</param>
    /// <param name="link">Null when there is none.</param>
    /// <returns>Null, or why it cannot be used: a sentence.</returns>
    public static string? TryConnect(string path, Interruption interruption, out MonitorLink? link)
    {
        link = null;
        MonitorLink made = new(interruption);
        try
        {
            made._socket.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (ArgumentException)
        {
            made.Dispose();
            return $"'{path}' is no socket's path: that has at most 107 bytes; give a relative one, or a link";
        }
        catch (SocketException error)
        {
            made.Dispose();
            return Explain(path, error);
        }
        if (made.Read(s_greetingLimit)?["QMP"] == null)
        {
            made.Dispose();
            return $"'{path}' does not greet as a monitor does; it is the socket of another program";
        }
        JsonNode? answer = made.Ask("qmp_capabilities", []);
        if (answer?["return"] == null)
        {
            made.Dispose();
            return $"the monitor at '{path}' takes no commands";
        }
        link = made;
        return null;
    }

    /// <summary>The peer has closed the connection.</summary>
    public bool IsEnded { get; private set; }

    /// <summary>A signal ends no wait: for what must come to its end in order. A second one ends the program.</summary>
    public bool OutlastsSignals { get; set; }

    /// <summary>Runs a command.</summary>
    /// <param name="command">Its name.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="onStep">Called again and again while the answer is waited for.</param>
    /// <returns>Its whole answer, or null at the end of the connection or after a signal.</returns>
    public JsonNode? Ask(string command, JsonObject arguments, Action? onStep = null)
    {
        JsonObject said = new() { ["execute"] = command, ["arguments"] = arguments.DeepClone() };
        try
        {
            byte[] bytes = Encoding.UTF8.GetBytes(said.ToJsonString() + "\n");
            for (int sent = 0; sent < bytes.Length; )
                sent += _socket.Send(bytes.AsSpan(sent));
        }
        catch (SocketException)
        {
            IsEnded = true;
        }
        while (Read(TimeSpan.MaxValue, onStep) is { } answer)
            if (answer["event"] == null)
                return answer;
            else
                _events.Enqueue(answer);
        return null;
    }

    /// <summary>The next event, or null when the time is over, at the end, or after a signal.</summary>
    public JsonNode? NextEvent(TimeSpan limit) => _events.TryDequeue(out JsonNode? first) ? first : Read(limit);

    public void Dispose()
    {
        _socket.Dispose();
        _line.Dispose();
    }

    /// <summary>Source: connect(2), unix(7).</summary>
    static string Explain(string path, SocketException error) =>
        error.SocketErrorCode switch
        {
            SocketError.AddressNotAvailable =>
                $"there is no socket '{path}'; give the path that the host opened its monitor with",
            SocketError.AccessDenied =>
                $"'{path}' is not for this user: permission denied (EACCES); be the user who runs its host, or root",
            SocketError.ConnectionRefused =>
                $"nobody listens at '{path}': connection refused (ECONNREFUSED); is its host still running?",
            _ => $"cannot connect to '{path}': {error.Message}; is it the socket of a running host's monitor?",
        };

    JsonNode? Read(TimeSpan limit, Action? onStep = null)
    {
        long start = Stopwatch.GetTimestamp();
        while (_lines.Count == 0)
        {
            bool isSignalled = _interruption.IsRequested && !OutlastsSignals;
            if (IsEnded || isSignalled || Stopwatch.GetElapsedTime(start) >= limit)
                return null;
            if (_socket.Poll(StepMs * 1000, SelectMode.SelectRead))
                Receive();
            else
                onStep?.Invoke();
        }
        try
        {
            return JsonNode.Parse(_lines.Dequeue());
        }
        catch (JsonException)
        {
            IsEnded = true; // no monitor speaks like this
            return null;
        }
    }

    void Receive()
    {
        int count;
        try
        {
            count = _socket.Receive(_buffer);
        }
        catch (SocketException)
        {
            count = 0;
        }
        IsEnded |= count == 0;
        foreach (byte one in _buffer.AsSpan(0, count))
            if (one != (byte)'\n')
            {
                _line.WriteByte(one);
            }
            else
            {
                _lines.Enqueue(Encoding.UTF8.GetString(_line.GetBuffer(), 0, (int)_line.Length));
                _line.SetLength(0);
            }
    }
}
