// A small NBD server for one disk on a unix socket: one client at a time, as many after each other as like.
// Not for use outside a benchmark: no TLS, no structured replies, no second connection beside the first.
using System;
using System.IO;
using System.Net.Sockets;
using System.Threading;
using FastBackup.Filter;
using FastBackup.Runtime;

namespace FastBackup.Bench.GuestLatency.Nbd;

/// <summary>Threads: constructor and Dispose one; serves on one of its own, called nbd-export.</summary>
sealed class NbdExport : IDisposable
{
    readonly Reactor _reactor;
    readonly Disk _disk;
    readonly string _name;
    readonly string _socketPath;
    readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    readonly Thread _thread;
    readonly Lock _lock = new();
    Socket? _client;
    bool _isClosing;

    public NbdExport(Reactor reactor, Disk disk, string name, string socketPath)
    {
        (_reactor, _disk, _name, _socketPath) = (reactor, disk, name, socketPath);
        _listener.Bind(new UnixDomainSocketEndPoint(socketPath));
        _listener.Listen(1);
        _thread = new Thread(Serve) { Name = "nbd-export", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Hangs up, and waits for the last request of the client.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _isClosing = true;
            if (_client != null)
                Shut(_client);
        }
        // An accept that waits is not ended by closing its socket on another thread; a connection ends it.
        using (Socket last = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
            last.Connect(new UnixDomainSocketEndPoint(_socketPath));
        _thread.Join();
        _listener.Dispose();
        File.Delete(_socketPath);
    }

    void Serve()
    {
        while (true)
        {
            using Socket client = _listener.Accept();
            lock (_lock)
            {
                if (_isClosing)
                    return;
                _client = client;
            }
            try
            {
                Serve(client);
            }
            catch (SocketException)
            {
                // It hung up while it negotiated.
            }
            lock (_lock)
                _client = null;
        }
    }

    void Serve(Socket client)
    {
        NbdHandshake handshake = new(client, _name, _disk.CapacityBytes, NbdSession.PayloadBytesMax);
        if (!handshake.Run())
            return;
        using NbdSession session = new(_reactor, _disk, (int)client.SafeHandle.DangerousGetHandle());
        session.Run();
    }

    static void Shut(Socket client)
    {
        try
        {
            client.Shutdown(SocketShutdown.Both);
        }
        catch (SocketException)
        {
            // It has gone already.
        }
    }
}
