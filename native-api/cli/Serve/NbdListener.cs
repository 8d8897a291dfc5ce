// Where NBD clients come in: a unix socket that is made for this user only, an address, with TLS where it is asked for,
// or a socket that the service manager listens on, which stays when this goes. It says which clients were refused, but
// not without end, and it closes within a few seconds whatever disks do.
using System;
using System.Globalization;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Threading;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Native.Tls;
using FastBackup.Ports.Linux;
using FastBackup.Runtime;
using FastBackup.Serving;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
/// <param name="socketPath">Null: an address, or what was passed.</param>
/// <param name="address">Null: a socket, or what was passed.</param>
/// <param name="tls">For an address.</param>
/// <param name="output">Told of clients that were refused.</param>
sealed class NbdListener(string? socketPath, IPEndPoint? address, ServeTls tls, Output output) : IDisposable
{
    const int CloseWaitMs = 5000;

    readonly PassedSocket? _passed = socketPath == null && address == null ? PassedSocket.Find() : null;

    readonly ManualResetEvent _closed = new(false);
    readonly Lock _logging = new();
    readonly LogLimit _logged = new();
    (ulong, uint, uint)? _socket;
    NbdServer? _server;

    /// <summary>Clients can come from now on.</summary>
    /// <param name="loop">Drives it.</param>
    /// <param name="disks">What they find.</param>
    /// <param name="connectionsMax">At once.</param>
    /// <returns>None, or why not.</returns>
    public OpenRefusal TryStart(Reactor loop, IServedDisks disks, int connectionsMax)
    {
        EndPoint place = _passed?.Listener ?? address ?? (EndPoint)new UnixDomainSocketEndPoint(socketPath!);
        Fault fault = Fault.None;
        if (socketPath != null && SocketPath.TryClear(socketPath, false, out fault) is { } sentence)
            return new OpenRefusal(fault, sentence);
        NbdServerOptions options = new() { ConnectionsMax = connectionsMax };
        TlsStreams? secure = null;
        if (tls.Rule != TlsRule.Off)
        {
            if (TlsFolder.TryRead(tls.Folder!, isServer: true, out TlsFolder? folder) is { } wrong)
                return OpenRefusal.Rule($"--tls-certificates: {wrong}");
            bool isRequired = tls.Rule == TlsRule.Require;
            secure = new TlsStreams(loop, new TlsServerRules(folder!, isRequired, options.ConnectionsMax, Log), null);
            disks = new ClientExports(disks, tls.Clients, Log);
        }
        loop.Invoke(() => fault = NbdServer.TryStart(loop, place, disks, options, secure, out _server));
        if (fault.IsFault)
            return new OpenRefusal(fault, $"cannot listen on '{socketPath ?? $"{Address}"}': {fault}");
        if (socketPath != null)
            _socket = SocketPath.IdentityOf(socketPath);
        return default;
    }

    /// <summary>Of an export, for clients on this machine.</summary>
    public string UriOf(string export)
    {
        string name = Uri.EscapeDataString(export);
        if (Address is { } there)
            return $"{(tls.Rule == TlsRule.Require ? "nbds" : "nbd")}://{there}/{name}";
        string? socket = socketPath ?? (_passed?.Local as UnixDomainSocketEndPoint)?.ToString();
        return $"nbd+unix:///{name}?socket={(socket == null ? "" : Escape(System.IO.Path.GetFullPath(socket)))}";
    }

    IPEndPoint? Address => address ?? _passed?.Address;

    /// <summary>Ends all sessions; again: nothing.</summary>
    /// <returns>False: a disk does not answer.</returns>
    public bool Stop(Reactor loop)
    {
        if (_server is not { } server)
            return true;
        _server = null;
        loop.Invoke(() =>
        {
            if (server.ConnectionCount > 0)
                output.Line(Phrases.Text($"ending {server.ConnectionCount} connections"));
            server.Close(() => _closed.Set());
        });
        bool isClosed = _closed.WaitOne(CloseWaitMs);
        if (!isClosed)
            output.Warning("a disk does not answer: its clients' last requests are left to it");
        return isClosed;
    }

    /// <summary>After Stop.</summary>
    public void Dispose()
    {
        if (socketPath != null)
            SocketPath.Remove(socketPath, _socket);
        _closed.Dispose();
    }

    /// <summary>A client that was refused. What it has said of itself is shown without what a terminal obeys.</summary>
    void Log(string sentence)
    {
        lock (_logging)
            if (_logged.TryCount(out int leftOut))
            {
                string more = leftOut == 0 ? "" : Phrases.Text($" ({leftOut} more since the last line)");
                output.Warning(string.Concat(sentence.Select(one => char.IsControl(one) ? '?' : one)) + more);
            }
    }

    static string Escape(string path) =>
        Uri.EscapeDataString(path).Replace("%2F", "/", false, CultureInfo.InvariantCulture);
}
