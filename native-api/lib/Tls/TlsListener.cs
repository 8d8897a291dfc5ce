// Where clients come in: each says NBD's first words in the clear, asks for TLS, and shows a certificate that was
// signed by who is trusted. Only then the engine hears of it. Where TLS is required, every other option is answered
// with that and tells nothing; where it is only allowed, a client that begins without it goes on in the clear, without
// an identity. Who is not through within ten seconds, or comes when too many are on their way, is closed.
using System;
using System.Collections.Generic;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Threading;
using System.Threading.Tasks;
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Native.Tls;

/// <summary>Threads: Accept and Close the loop's.</summary>
sealed class TlsListener : StreamHandle
{
    const int Backlog = 128;
    const int OptionsMax = 16;
    const int RestMs = 100;

    readonly IIoLoop _loop;
    readonly Socket _socket;
    readonly TlsServerRules _rules;
    readonly TlsSide _accepting;
    readonly Lock _lock = new();
    readonly Queue<TlsStream> _ready = []; // behind the lock, as all below
    bool _isWaited;
    bool _isClosed;
    int _handshakes;

    TlsListener(IIoLoop loop, Socket socket, TlsServerRules rules)
    {
        (_loop, _socket, _rules) = (loop, socket, rules);
        _accepting = new TlsSide(loop);
    }

    public static Fault TryStart(IIoLoop loop, EndPoint address, TlsServerRules rules, out TlsListener? listener)
    {
        listener = null;
        Socket socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(address);
            socket.Listen(Backlog);
        }
        catch (SocketException exception)
        {
            socket.Dispose();
            int errno = exception.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => Errnos.EADDRINUSE,
                SocketError.AccessDenied => Errnos.EACCES,
                _ => Errnos.EADDRNOTAVAIL,
            };
            return Errnos.ToFault(errno);
        }
        listener = new TlsListener(loop, socket, rules);
        _ = Task.Run(listener.RunAsync);
        return Fault.None;
    }

    public void Accept(in StreamCommand command)
    {
        _accepting.Begin(command);
        lock (_lock)
            _isWaited = true;
        HandOver();
    }

    public void Close()
    {
        lock (_lock)
        {
            if (_isClosed)
                return;
            _isClosed = true;
        }
        _socket.Dispose();
        HandOver();
    }

    /// <summary>One client for one command; when it was closed, its end.</summary>
    void HandOver()
    {
        TlsStream? next;
        bool isClosed;
        lock (_lock)
        {
            isClosed = _isClosed;
            while (_ready.TryDequeue(out next) && isClosed)
                next.Close();
            if (!_isWaited || (next == null && !isClosed))
            {
                if (next != null)
                    _ready.Enqueue(next);
                return;
            }
            _isWaited = false;
        }
        _accepting.Complete(
            isClosed ? new StreamResult(new Fault(FaultKind.Canceled)) : new StreamResult(Fault.None, 0, next)
        );
    }

    async Task RunAsync()
    {
        while (true)
        {
            try
            {
                Socket client = await _socket.AcceptAsync().ConfigureAwait(false);
                if (Interlocked.Increment(ref _handshakes) > _rules.HandshakesMax)
                {
                    Interlocked.Decrement(ref _handshakes);
                    client.Dispose();
                    continue;
                }
                _ = Task.Run(() => TakeInAsync(client));
            }
            catch (SocketException) when (!IsClosed)
            {
                await Task.Delay(RestMs).ConfigureAwait(false); // no descriptor, or a client that has gone already
            }
            catch (Exception exception) when (TlsStream.IsOfTheWorld(exception))
            {
                return;
            }
        }
    }

    bool IsClosed
    {
        get
        {
            lock (_lock)
                return _isClosed;
        }
    }

    async Task TakeInAsync(Socket client)
    {
        string peer = client.RemoteEndPoint?.ToString() ?? "a client";
        TlsStream? made = null;
        string? why = "ended its connection before it was through the TLS handshake";
        try
        {
            client.NoDelay = true;
            using CancellationTokenSource late = new(TlsServerRules.HandshakeTime);
            try
            {
                TlsStream stream = new(_loop);
                why = await GreetAsync(client, stream, peer, late.Token).ConfigureAwait(false);
                made = why == null ? stream : null;
            }
            catch (OperationCanceledException)
            {
                why = "was too slow with the TLS handshake";
            }
        }
        catch (Exception exception) when (TlsStream.IsOfTheWorld(exception))
        {
            // As it says.
        }
        Interlocked.Decrement(ref _handshakes);
        if (made == null)
        {
            client.Dispose();
            _rules.OnRefused($"{peer} {why}");
            return;
        }
        lock (_lock)
            _ready.Enqueue(made);
        HandOver();
    }

    /// <returns>Null: it is taken in; or why not, as the end of a sentence that begins with the client.</returns>
    async Task<string?> GreetAsync(Socket client, TlsStream made, string peer, CancellationToken late)
    {
        NetworkStream plain = new(client, ownsSocket: true);
        await plain.WriteAsync(NbdPrelude.Greeting(NbdPrelude.HandshakeFlags), late).ConfigureAwait(false);
        byte[] flags = new byte[NbdPrelude.FlagsBytes];
        await plain.ReadExactlyAsync(flags, late).ConfigureAwait(false);
        byte[] head = new byte[NbdPrelude.OptionHeadBytes];
        for (int count = 0; count < OptionsMax; count++)
        {
            await plain.ReadExactlyAsync(head, late).ConfigureAwait(false);
            if (!NbdPrelude.TryReadOption(head, out uint option, out uint lengthBytes))
                return "speaks something else than NBD";
            byte[] given = new byte[lengthBytes];
            await plain.ReadExactlyAsync(given, late).ConfigureAwait(false);
            if (option == NbdPrelude.OptionStartTls && lengthBytes == 0)
            {
                await plain.WriteAsync(NbdPrelude.Reply(option, NbdPrelude.ReplyAck), late).ConfigureAwait(false);
                return await SecureAsync(client, plain, made, flags, peer, late).ConfigureAwait(false);
            }
            if (!_rules.IsRequired)
            {
                made.Adopt(client, plain, [.. flags, .. head, .. given], NbdPrelude.GreetingBytes);
                made.Describe(null, peer);
                return null;
            }
            if (option == NbdPrelude.OptionExportName)
                break;
            bool isEnd = option == NbdPrelude.OptionAbort;
            uint answer = isEnd ? NbdPrelude.ReplyAck : NbdPrelude.ErrorTlsRequired;
            await plain.WriteAsync(NbdPrelude.Reply(option, answer), late).ConfigureAwait(false);
            if (isEnd)
                break;
        }
        return "wanted to be served without TLS";
    }

    async Task<string?> SecureAsync(
        Socket client,
        NetworkStream plain,
        TlsStream made,
        byte[] flags,
        string peer,
        CancellationToken late
    )
    {
        string? why = null;
        SslServerAuthenticationOptions options = new()
        {
            ServerCertificateContext = _rules.Folder.Own,
            ClientCertificateRequired = true,
            CertificateChainPolicy = _rules.Folder.Policy,
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
            {
                why =
                    certificate == null ? "has shown no certificate"
                    : errors != SslPolicyErrors.None ? "has shown a certificate that is not trusted here"
                    : null;
                return why == null;
            },
        };
        SslStream secure = new(plain);
        try
        {
            await secure.AuthenticateAsServerAsync(options, late).ConfigureAwait(false);
        }
        catch (AuthenticationException)
        {
            return why ?? "could not agree on TLS";
        }
        if (why != null || secure.RemoteCertificate is not X509Certificate2 shown)
            return why ?? "has shown no certificate";
        made.Adopt(client, secure, flags, NbdPrelude.GreetingBytes);
        made.Describe(shown.GetNameInfo(X509NameType.SimpleName, forIssuer: false), peer);
        return null;
    }
}
