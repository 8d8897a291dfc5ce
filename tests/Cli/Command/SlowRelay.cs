// A server in front of a server: every other connection is told to slow down (503), the rest go through.
using System;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace FastBackup.Tests.Cli.Command;

sealed class SlowRelay : IDisposable
{
    static readonly byte[] s_answer = Encoding.ASCII.GetBytes(
        "HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: 88\r\nConnection: close\r\n\r\n"
            + "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>reduce rate</Message></Error>".PadRight(88)
    );

    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _end = new();
    readonly int _port;
    int _refusedCount;

    public SlowRelay(int port)
    {
        _port = port;
        _listener.Start();
        _ = Accept();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public int RefusedCount => Volatile.Read(ref _refusedCount);

    public void Dispose()
    {
        _end.Cancel();
        _listener.Dispose();
        _end.Dispose();
    }

    async Task Accept()
    {
        for (int i = 0; ; i++)
        {
            TcpClient client = await _listener.AcceptTcpClientAsync(_end.Token);
            _ = i % 2 == 0 ? Refuse(client) : Relay(client);
        }
    }

    async Task Refuse(TcpClient client)
    {
        using (client)
        {
            byte[] head = new byte[64 << 10];
            _ = await client.GetStream().ReadAsync(head, _end.Token);
            _ = Interlocked.Increment(ref _refusedCount);
            await client.GetStream().WriteAsync(s_answer, _end.Token);
        }
    }

    async Task Relay(TcpClient client)
    {
        using (client)
        using (TcpClient server = new())
        {
            await server.ConnectAsync(IPAddress.Loopback, _port, _end.Token);
            Task up = client.GetStream().CopyToAsync(server.GetStream(), _end.Token);
            Task down = server.GetStream().CopyToAsync(client.GetStream(), _end.Token);
            _ = await Task.WhenAny(up, down);
        }
    }
}
