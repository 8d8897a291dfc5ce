// One client that sends lines without waiting for each answer, and knows what must come back: one answer for each
// command, in order, with its id. After a line of which nothing is known a byte that no text may have ends whatever it
// has begun, and a command with an id follows: up to its answer anything may come.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Xunit;

namespace FastBackup.Tests.Hosts.Monitor.Fuzz;

/// <summary>Threads: one.</summary>
sealed class FuzzClient : IDisposable
{
    const byte Reset = 0xFF;
    const int TimeLimitMs = 60_000;
    const int NestingMax = 2000;

    readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    readonly byte[] _buffer = new byte[1 << 16];
    readonly List<byte> _rest = [];

    /// <summary>What must come, in order; whether anything may come before.</summary>
    readonly Queue<(string Id, bool IsAfterAnything)> _expected = new();
    readonly Random _random;

    public FuzzClient(string path, Random random)
    {
        _random = random;
        _socket.ReceiveTimeout = _socket.SendTimeout = TimeLimitMs;
        _socket.Connect(new UnixDomainSocketEndPoint(path));
        _expected.Enqueue(("\"begin\"", true)); // the greeting comes before
        Send(Encoding.ASCII.GetBytes("{\"execute\":\"qmp_capabilities\",\"id\":\"begin\"}\n"));
    }

    /// <summary>Sends lines, in pieces of any size.</summary>
    public void Send(IEnumerable<CommandGrammar.Line> lines, Func<CommandGrammar.Line> newSync)
    {
        List<byte> bytes = [];
        foreach (CommandGrammar.Line line in lines)
        {
            bytes.AddRange(line.Bytes);
            if (line.Id != null)
            {
                _expected.Enqueue((line.Id, false));
                bytes.AddRange(_random.Next(8) == 0 ? [] : "\r\n"u8.ToArray()); // a message needs no end of line
                continue;
            }
            CommandGrammar.Line sync = newSync();
            bytes.Add(Reset);
            bytes.AddRange(sync.Bytes);
            bytes.Add((byte)'\n');
            _expected.Enqueue((sync.Id!, true));
        }
        byte[] all = [.. bytes];
        for (int at = 0; at < all.Length; )
        {
            int count = _random.Next(3) == 0 ? _random.Next(1, 30) : all.Length;
            count = Math.Min(count, all.Length - at);
            Send(all.AsSpan(at, count).ToArray());
            at += count;
        }
    }

    /// <summary>Commands that were carried out.</summary>
    public int ReturnCount { get; private set; }

    /// <summary>Events that were sent.</summary>
    public int EventCount { get; private set; }

    /// <summary>Reads until all that must come has come.</summary>
    public void ReadAll()
    {
        while (_expected.Count > 0)
        {
            string line = ReadLine();
            using JsonDocument document = JsonDocument.Parse(line, new JsonDocumentOptions { MaxDepth = NestingMax });
            JsonElement answer = document.RootElement;
            if (answer.TryGetProperty("event", out _))
            {
                EventCount++;
                continue;
            }
            string id = answer.TryGetProperty("id", out JsonElement given) ? given.GetRawText() : "";
            (string wanted, bool isAfterAnything) = _expected.Peek();
            if (id == wanted)
                _ = _expected.Dequeue();
            else
                Assert.True(isAfterAnything, $"the answer to {wanted} is missing; there is {line}");
            bool isReturn = answer.TryGetProperty("return", out _);
            bool isWhole = isReturn != answer.TryGetProperty("error", out _);
            ReturnCount += isReturn ? 1 : 0;
            Assert.True(isWhole || answer.TryGetProperty("QMP", out _), line);
        }
    }

    /// <summary>Closes, whatever is still to come.</summary>
    public void Dispose() => _socket.Dispose();

    void Send(byte[] bytes)
    {
        for (int sent = 0; sent < bytes.Length; )
            sent += _socket.Send(bytes.AsSpan(sent));
    }

    string ReadLine()
    {
        while (true)
        {
            int end = _rest.IndexOf((byte)'\n');
            if (end >= 0)
            {
                string line = Encoding.ASCII.GetString([.. _rest.Take(end)]);
                _rest.RemoveRange(0, end + 1);
                return line;
            }
            int count = _socket.Receive(_buffer);
            Assert.True(count > 0, "the monitor has closed the connection");
            _rest.AddRange(_buffer.AsSpan(0, count));
        }
    }
}
