// A web server that can stop to answer as servers do whose network is gone: the connection stays, and no byte comes any
// more. What it is asked for is one and the same content, whatever the name.
using System;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace FastBackup.Tests.Points;

public enum Silence
{
    /// <summary>It answers.</summary>
    None,

    /// <summary>It reads nothing, and answers nothing.</summary>
    Deaf,

    /// <summary>It reads the question, and answers nothing.</summary>
    Mute,

    /// <summary>It stops in the middle of the content.</summary>
    Midway,

    /// <summary>It answers piece by piece, slowly.</summary>
    Slow,
}

/// <summary>Threads: any.</summary>
sealed class SilentServer : IDisposable
{
    const int PieceCount = 12;
    const int PieceWaitMs = 50;

    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _end = new();
    readonly Silence _silence;
    int _left;

    /// <param name="silence">What it does.</param>
    /// <param name="count">Of connections; those that come later are answered.</param>
    public SilentServer(Silence silence, int count = int.MaxValue)
    {
        (_silence, _left) = (silence, count);
        Content = new byte[1 << 20];
        new Random(1).NextBytes(Content);
        _listener.Start();
        _ = Accept();
    }

    public byte[] Content { get; }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public void Dispose()
    {
        _end.Cancel();
        _listener.Dispose();
        _end.Dispose();
    }

    async Task Accept()
    {
        while (!_end.IsCancellationRequested)
        {
            TcpClient client = await _listener.AcceptTcpClientAsync(_end.Token);
            _ = Serve(client, Interlocked.Decrement(ref _left) >= 0 ? _silence : Silence.None);
        }
    }

    async Task Serve(TcpClient client, Silence silence)
    {
        using (client)
        {
            NetworkStream stream = client.GetStream();
            if (silence == Silence.Deaf)
                await Task.Delay(Timeout.Infinite, _end.Token);
            byte[] head = new byte[64 << 10];
            while (await stream.ReadAsync(head, _end.Token) is > 0 and int count)
            {
                if (silence == Silence.Mute)
                    continue;
                if (!Encoding.ASCII.GetString(head, 0, count).StartsWith("GET ", StringComparison.Ordinal))
                    continue; // more of what is sent
                await Answer(stream, silence);
            }
        }
    }

    async Task Answer(NetworkStream stream, Silence silence)
    {
        string head =
            $"HTTP/1.1 200 OK\r\nETag: \"0123456789abcdef0123456789abcdef-1\"\r\n"
            + "Last-Modified: Mon, 30 Nov 2026 20:00:00 GMT\r\n"
            + $"Content-Type: application/octet-stream\r\nContent-Length: {Content.Length}\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head), _end.Token);
        int piece = silence == Silence.Slow ? Content.Length / PieceCount + 1 : Content.Length / 2;
        for (int at = 0; at < Content.Length; at += piece)
        {
            await stream.WriteAsync(Content.AsMemory(at, Math.Min(piece, Content.Length - at)), _end.Token);
            if (silence != Silence.None)
                await Task.Delay(silence == Silence.Slow ? PieceWaitMs : Timeout.Infinite, _end.Token);
        }
    }
}
