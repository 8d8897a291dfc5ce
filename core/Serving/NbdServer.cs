// Serves disks to NBD clients over one listening stream: takes them in up to a number, and lets each have its session.
// When no descriptor is left for a new one it looks again a little later.
using System;
using System.Collections.Generic;
using System.Net;
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Serving;

/// <summary>Threads: the loop's.</summary>
public sealed class NbdServer : IStreamOwner, ILoopTask
{
    const ulong RestNs = 100 * Units.NsPerMs;

    readonly IIoLoop _loop;
    readonly IStreamIo _streams;
    readonly StreamHandle _listener;
    readonly NbdServerOptions _options;
    readonly List<NbdSession> _sessions = [];
    bool _isAccepting;
    bool _isClosed;
    ulong _timerKey;
    Action? _onClosed;

    NbdServer(IIoLoop loop, IStreamIo streams, StreamHandle listener, IServedDisks disks, NbdServerOptions options)
    {
        (_loop, _streams, _listener, Disks, _options) = (loop, streams, listener, disks, options);
        Accept();
    }

    /// <summary>Listens from now on.</summary>
    /// <param name="loop">Drives it.</param>
    /// <param name="address">Of a unix socket that does not exist yet, or of TCP.</param>
    /// <param name="disks">Their devices are the caller's, until the server has closed.</param>
    /// <param name="options">Bounds.</param>
    /// <param name="streams">Carry its clients; null: the loop's own do.</param>
    /// <param name="server">The server, or null.</param>
    /// <returns>None, or why it cannot listen there.</returns>
    public static Fault TryStart(
        IIoLoop loop,
        EndPoint address,
        IServedDisks disks,
        NbdServerOptions options,
        IStreamIo? streams,
        out NbdServer? server
    )
    {
        server = null;
        Fault fault = streams == null ? loop.TryGetStreams(out streams) : Fault.None;
        StreamHandle? listener = null;
        if (fault.IsNone)
            fault = streams!.TryListen(address, out listener);
        if (fault.IsNone)
            server = new NbdServer(loop, streams!, listener!, disks, options);
        return fault;
    }

    internal IServedDisks Disks { get; }

    /// <summary>Clients now.</summary>
    public int ConnectionCount => _sessions.Count;

    /// <summary>Called whenever a client has gone, with nothing of it left.</summary>
    public Action? OnClientGone { get; set; }

    /// <summary>Clients that have chosen a disk. Cost: O(clients).</summary>
    public int ClientCountOf(ServedDisk disk)
    {
        int count = 0;
        foreach (NbdSession session in _sessions)
            count += ReferenceEquals(session.Disk, disk) ? 1 : 0;
        return count;
    }

    /// <summary>Ends the sessions of those that have chosen a disk. Cost: O(clients).</summary>
    public void CloseClientsOf(ServedDisk disk)
    {
        foreach (NbdSession session in (NbdSession[])[.. _sessions])
            if (ReferenceEquals(session.Disk, disk))
                session.Close();
    }

    /// <summary>Takes nobody in any more, and ends all sessions.</summary>
    /// <param name="onClosed">Called once, when nothing of it is left: at once or later.</param>
    public void Close(Action onClosed)
    {
        Check.That(!_isClosed);
        _isClosed = true;
        _onClosed = onClosed;
        _loop.CancelTimer(_timerKey);
        _streams.Close(_listener);
        foreach (NbdSession session in (NbdSession[])[.. _sessions])
            session.Close();
        TellIfClosed();
    }

    internal void OnSessionEnded(NbdSession session)
    {
        _ = _sessions.Remove(session);
        OnClientGone?.Invoke();
        TellIfClosed();
    }

    void IStreamOwner.OnStreamCompleted(ulong tag, in StreamResult result)
    {
        _isAccepting = false;
        if (result.Accepted is { } stream)
        {
            if (_isClosed || _sessions.Count >= _options.ConnectionsMax)
                _streams.Close(stream);
            else
                TakeIn(stream);
        }
        if (_isClosed)
            TellIfClosed();
        else if (result.Fault.IsNone)
            Accept();
        else
            _timerKey = _loop.StartTimer(_loop.Clock.NowNs + RestNs, this, 0);
    }

    void ILoopTask.Run(ulong argument) => Accept();

    void TakeIn(StreamHandle stream)
    {
        try
        {
            _sessions.Add(new NbdSession(this, _loop, _streams, stream, _options));
        }
        catch (InsufficientMemoryException)
        {
            _streams.Close(stream);
        }
    }

    void Accept()
    {
        _isAccepting = true;
        _streams.Push(
            new StreamCommand
            {
                Operation = StreamOperation.Accept,
                Stream = _listener,
                Owner = this,
            }
        );
    }

    void TellIfClosed()
    {
        if (!_isClosed || _isAccepting || _sessions.Count > 0)
            return;
        Action? onClosed = _onClosed;
        _onClosed = null;
        onClosed?.Invoke();
    }
}
