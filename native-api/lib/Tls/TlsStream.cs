// A connection past its TLS handshake, as a stream of the engine: each command is one read or write of the platform's
// stream, on a thread of its pool, straight into or out of the command's buffer.
//
// What the NBD protocol says before TLS begins was said already, by whoever made the connection. The engine begins with
// it all the same: _before is what it receives first, and of what it sends first _swallowedBytes go nowhere.
using System;
using System.IO;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Threading.Tasks;
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Native.Tls;

/// <summary>Threads: the loop's, but what carries a command out.</summary>
sealed class TlsStream(IIoLoop loop) : StreamHandle
{
    static readonly TimeSpan FarewellTime = TimeSpan.FromSeconds(1);

    readonly TlsSide _inward = new(loop);
    readonly TlsSide _outward = new(loop);
    Socket? _socket;
    Stream? _stream;
    byte[] _before = [];
    int _beforeTaken;
    int _swallowedBytes;
    volatile bool _isClosed;

    /// <summary>Of a client: the name that its certificate has; null: it has shown none.</summary>
    public string? Identity { get; private set; }

    /// <summary>For people.</summary>
    public string Peer { get; private set; } = "";

    /// <summary>Why it could not be made, as the end of a sentence that begins with the disk's name.</summary>
    public string? Wrong { get; private set; }

    /// <summary>Makes the connection when the engine asks for it; null: it is there.</summary>
    public Func<TlsStream, Task<string?>>? Connect { get; init; }

    /// <summary>What carries it from here on. Before the first command, or by Connect.</summary>
    /// <param name="socket">At the bottom.</param>
    /// <param name="stream">Over it; null: none yet.</param>
    /// <param name="before">Received first.</param>
    /// <param name="swallowedBytes">Of what is sent first.</param>
    public void Adopt(Socket socket, Stream? stream, byte[] before, int swallowedBytes)
    {
        (_socket, _stream) = (socket, stream);
        (_before, _swallowedBytes) = (before, swallowedBytes);
        if (_isClosed)
            socket.Dispose();
    }

    public void Describe(string? identity, string peer) => (Identity, Peer) = (identity, peer);

    public void Push(in StreamCommand command)
    {
        bool isInward = command.Operation == StreamOperation.Receive;
        TlsSide side = isInward ? _inward : _outward;
        side.Begin(command);
        // Not here: encryption takes time, and guests wait for this thread.
        _ = command.Operation switch
        {
            StreamOperation.Receive => Task.Run(ReceiveAsync),
            StreamOperation.Send => Task.Run(SendAsync),
            _ => Task.Run(ConnectAsync),
        };
    }

    /// <summary>What is under way comes back.</summary>
    public void Close()
    {
        if (_isClosed)
            return;
        _isClosed = true;
        if (_outward.IsBusy || _stream is not SslStream)
            _socket?.Dispose();
        else
            _ = Task.Run(LeaveAsync);
    }

    /// <summary>Tells the other side that this is the end, and not a connection that was cut.</summary>
    async Task LeaveAsync()
    {
        try
        {
            await ((SslStream)_stream!).ShutdownAsync().WaitAsync(FarewellTime).ConfigureAwait(false);
        }
        catch (Exception exception) when (IsOfTheWorld(exception))
        {
            // It is gone anyway.
        }
        _socket!.Dispose();
    }

    async Task ReceiveAsync()
    {
        StreamResult result;
        try
        {
            Memory<byte> memory = _inward.Memory.Of(_inward.Command);
            int count = Math.Min(memory.Length, _before.Length - _beforeTaken);
            if (count > 0)
            {
                _before.AsMemory(_beforeTaken, count).CopyTo(memory);
                _beforeTaken += count;
            }
            else
                count = await _stream!.ReadAsync(memory).ConfigureAwait(false);
            result = new StreamResult(Fault.None, (ulong)count);
        }
        catch (Exception exception) when (IsOfTheWorld(exception))
        {
            result = Failure(exception);
        }
        _inward.Complete(result);
    }

    async Task SendAsync()
    {
        StreamResult result;
        try
        {
            Memory<byte> memory = _outward.Memory.Of(_outward.Command);
            int count = Math.Min(memory.Length, _swallowedBytes);
            _swallowedBytes -= count;
            if (count == 0)
            {
                await _stream!.WriteAsync(memory).ConfigureAwait(false);
                count = memory.Length;
            }
            result = new StreamResult(Fault.None, (ulong)count);
        }
        catch (Exception exception) when (IsOfTheWorld(exception))
        {
            result = Failure(exception);
        }
        _outward.Complete(result);
    }

    async Task ConnectAsync()
    {
        StreamResult result = default;
        try
        {
            Wrong = await Connect!(this).ConfigureAwait(false);
            if (Wrong != null)
                result = new StreamResult(Errnos.ToFault(Errnos.EPROTO));
        }
        catch (Exception exception) when (IsOfTheWorld(exception))
        {
            result = Failure(exception);
        }
        if (_isClosed)
            _socket?.Dispose();
        _outward.Complete(result);
    }

    StreamResult Failure(Exception exception)
    {
        if (_isClosed)
            return new StreamResult(new Fault(FaultKind.Canceled));
        SocketException? cause = exception as SocketException ?? exception.InnerException as SocketException;
        return new StreamResult(
            Errnos.ToFault(
                cause?.SocketErrorCode switch
                {
                    SocketError.ConnectionRefused => Errnos.ECONNREFUSED,
                    SocketError.TimedOut => Errnos.ETIMEDOUT,
                    SocketError.AddressNotAvailable => Errnos.ENOENT,
                    _ => Errnos.ECONNRESET,
                }
            )
        );
    }

    /// <summary>What a connection may bring, and is no mistake of ours.</summary>
    public static bool IsOfTheWorld(Exception exception) =>
        exception
            is IOException
                or SocketException
                or AuthenticationException
                or ObjectDisposedException
                or OperationCanceledException
                or TimeoutException
                or InvalidOperationException;
}
