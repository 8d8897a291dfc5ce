// One try to reach an export at one address, on the loop: connect, then handshake. It ends once, well or not, after its
// time at the latest, unless it is stopped; the connection is then its owner's.
using System;
using System.Globalization;
using System.Net;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

/// <summary>Threads: the loop's; the results any, once it is told of the end.</summary>
#pragma warning disable CA1001 // it gives back what it has at its end, which comes by itself
sealed class NbdConnecting : IStreamOwner, ILoopTask, ILoopMember
#pragma warning restore CA1001
{
    public const ulong TimeNsMax = 15 * Units.NsPerSecond;

    readonly IIoLoop _loop;
    readonly NbdRemote _remote;
    readonly Action<NbdConnecting> _onEnd;
    IStreamIo? _streams;
    StreamHandle? _stream;
    NbdHandshake? _handshake;
    ulong _timerKey;
    ulong _timeNs;
    bool _isLate;
    bool _isStopped;
    bool _hasEnded;

    /// <param name="loop">Drives the connection.</param>
    /// <param name="remote">Which export.</param>
    /// <param name="address">Of its server.</param>
    /// <param name="onEnd">Told once, on the loop's thread; not when it was stopped.</param>
    public NbdConnecting(IIoLoop loop, NbdRemote remote, EndPoint address, Action<NbdConnecting> onEnd) =>
        (_loop, _remote, Address, _onEnd) = (loop, remote, address, onEnd);

    public EndPoint Address { get; }

    /// <summary>What was found, or null when refused.</summary>
    public NbdExport? Export { get; private set; }

    /// <summary>With Export. Owner: whoever started this.</summary>
    public StreamHandle Stream => _stream!;

    public IStreamIo Streams => _streams!;

    public OpenRefusal Refusal { get; private set; }

    /// <summary>There was no connection: another address may do better.</summary>
    public bool IsUnreachable { get; private set; }

    /// <param name="timeNs">For all of it, above 0; TimeNsMax at most.</param>
    public void Start(ulong timeNs)
    {
        _timeNs = Math.Min(timeNs, TimeNsMax);
        _loop.Join(this);
        if (_hasEnded)
            return;
        _streams = _remote.Streams;
        Fault fault = _streams == null ? _loop.TryGetStreams(out _streams) : Fault.None;
        if (fault.IsNone)
            fault = _streams!.TryOpen(Address, out _stream);
        if (fault.IsFault)
        {
            IsUnreachable = true;
            Refuse("connect to", fault);
            return;
        }
        _timerKey = _loop.StartTimer(_loop.Clock.NowNs + _timeNs, this, 0);
        StreamCommand connect = new()
        {
            Operation = StreamOperation.Connect,
            Stream = _stream!,
            Owner = this,
        };
        _streams!.Push(connect);
    }

    /// <summary>Nobody waits for it any more, and nobody is told.</summary>
    public void Stop()
    {
        if (_hasEnded || _isStopped)
            return;
        _isStopped = true;
        _streams!.Close(_stream!); // what is under way comes back
    }

    /// <summary>The time is over.</summary>
    void ILoopTask.Run(ulong argument)
    {
        _timerKey = 0;
        if (_hasEnded || _isStopped)
            return;
        _isLate = true;
        _streams!.Close(_stream!);
    }

    public void OnLoopFailed()
    {
        if (!_hasEnded)
            End(OpenRefusal.Of(_remote.Uri.Text, "open", new Fault(FaultKind.Bug)));
    }

    void IStreamOwner.OnStreamCompleted(ulong tag, in StreamResult result)
    {
        if (result.Fault.IsFault)
        {
            IsUnreachable = true;
            if (!_isLate && _remote.Transport?.Explain(_stream!) is { } why)
                End(new OpenRefusal(result.Fault, $"'{_remote.Uri.Text}' {why}"));
            else
                Refuse("connect to", result.Fault);
            return;
        }
        try
        {
            _handshake = new NbdHandshake(_streams!, _stream!, _remote.Uri.Export, _remote.Context, OnHandshake);
        }
        catch (InsufficientMemoryException)
        {
            Refuse("open", new Fault(FaultKind.NoMemory));
            return;
        }
        _handshake.Start();
    }

    void OnHandshake()
    {
        OpenRefusal refusal = default;
        if (_handshake!.Found is not { } export)
            refusal = _isLate ? Late() : new OpenRefusal(_handshake.Fault, $"'{_remote.Uri.Text}' {_handshake.Wrong}");
        else if (!_remote.IsReadOnly && export.Can(NbdExportFlags.ReadOnly))
            refusal = new OpenRefusal(Errnos.ToFault(Errnos.EROFS), $"'{_remote.Uri.Text}' is read-only at its server");
        else if (!_isStopped)
            Export = export;
        End(refusal);
    }

    void Refuse(string verb, Fault fault) => End(_isLate ? Late() : OpenRefusal.Of(_remote.Uri.Text, verb, fault));

    OpenRefusal Late() =>
        new(
            new Fault(FaultKind.TimedOut),
            string.Create(
                CultureInfo.InvariantCulture,
                $"'{_remote.Uri.Text}' did not answer within {Math.Max(_timeNs / Units.NsPerSecond, 1)} seconds"
            )
        );

    void End(in OpenRefusal refusal)
    {
        _hasEnded = true;
        Refusal = refusal;
        if (_timerKey != 0)
            _loop.CancelTimer(_timerKey);
        if (_stream != null && Export == null)
            _streams!.Close(_stream);
        if (!_loop.HasFailed) // else the port may still have its message
            _handshake?.Dispose();
        _loop.Leave(this);
        if (!_isStopped)
            _onEnd(this);
    }
}
