// One try to reach an export at one address, on the loop: connect, handshake, device. It ends once, well or not, after
// TimeNsMax at the latest; what it holds is given back when the port has let go of it.
using System;
using System.Globalization;
using System.Net;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

/// <summary>Threads: the loop's; the results any, once it is told of the end.</summary>
sealed class NbdConnecting : IStreamOwner, ILoopTask, ILoopMember, IDisposable
{
    public const ulong TimeNsMax = 15 * Units.NsPerSecond;

    const ulong StartArgument = 0;
    const ulong LateArgument = 1;

    readonly IIoLoop _loop;
    readonly NbdUri _uri;
    readonly EndPoint _address;
    readonly bool _isReadOnly;
    readonly Action _onEnd;
    IStreamIo? _streams;
    StreamHandle? _stream;
    NbdHandshake? _handshake;
    ulong _timerKey;
    bool _isLate;
    bool _hasEnded;

    /// <param name="loop">Drives the device.</param>
    /// <param name="uri">Which export.</param>
    /// <param name="address">Of its server.</param>
    /// <param name="isReadOnly">False: refused where the export is.</param>
    /// <param name="onEnd">Told once, on the loop's thread.</param>
    public NbdConnecting(IIoLoop loop, NbdUri uri, EndPoint address, bool isReadOnly, Action onEnd) =>
        (_loop, _uri, _address, _isReadOnly, _onEnd) = (loop, uri, address, isReadOnly, onEnd);

    /// <summary>The device, or null when refused. Owner: whoever started this.</summary>
    public NbdDevice? Device { get; private set; }

    public OpenRefusal Refusal { get; private set; }

    /// <summary>There was no connection: another address may do better.</summary>
    public bool IsUnreachable { get; private set; }

    /// <summary>Begins, with the argument 0.</summary>
    void ILoopTask.Run(ulong argument)
    {
        if (argument == StartArgument)
            Start();
        else if (!_hasEnded)
        {
            _isLate = true;
            _timerKey = 0;
            _streams!.Close(_stream!); // what is under way comes back
        }
    }

    void ILoopTask.Abandon(ulong argument) => OnLoopFailed();

    /// <summary>Once it is told of the end; the device stays. Threads: any.</summary>
    public void Dispose()
    {
        if (!_loop.HasFailed) // else the port may still have its message
            _handshake?.Dispose();
    }

    public void OnLoopFailed()
    {
        if (!_hasEnded)
            End(OpenRefusal.Of(_uri.Text, "open", new Fault(FaultKind.Bug)));
    }

    void IStreamOwner.OnStreamCompleted(ulong tag, in StreamResult result)
    {
        if (result.Fault.IsFault)
        {
            IsUnreachable = true;
            Refuse("connect to", result.Fault);
            return;
        }
        try
        {
            _handshake = new NbdHandshake(_streams!, _stream!, _uri.Export, OnHandshake);
        }
        catch (InsufficientMemoryException)
        {
            Refuse("open", new Fault(FaultKind.NoMemory));
            return;
        }
        _handshake.Start();
    }

    void Start()
    {
        _loop.Join(this);
        if (_hasEnded)
            return;
        Fault fault = _loop.TryGetStreams(out _streams);
        if (fault.IsNone)
            fault = _streams!.TryOpen(_address, out _stream);
        if (fault.IsFault)
        {
            Refuse("connect to", fault);
            return;
        }
        _timerKey = _loop.StartTimer(_loop.Clock.NowNs + TimeNsMax, this, LateArgument);
        StreamCommand connect = new()
        {
            Operation = StreamOperation.Connect,
            Stream = _stream!,
            Owner = this,
        };
        _streams!.Push(connect);
    }

    void OnHandshake()
    {
        if (_handshake!.Found is not { } export)
            End(_isLate ? Late() : new OpenRefusal(_handshake.Fault, $"'{_uri.Text}' {_handshake.Wrong}"));
        else if (!_isReadOnly && export.Can(NbdExportFlags.ReadOnly))
            End(new OpenRefusal(Errnos.ToFault(Errnos.EROFS), $"'{_uri.Text}' is read-only at its server"));
        else
            Make(export);
    }

    void Make(NbdExport export)
    {
        try
        {
            NbdIdentity storage = new(_address, _uri.Export);
            Device = new NbdDevice(_loop, _streams!, _stream!, _uri.Text, export, storage, _isReadOnly);
        }
        catch (InsufficientMemoryException)
        {
            Refuse("open", new Fault(FaultKind.NoMemory));
            return;
        }
        End(default);
    }

    void Refuse(string verb, Fault fault) => End(_isLate ? Late() : OpenRefusal.Of(_uri.Text, verb, fault));

    OpenRefusal Late() =>
        new(
            new Fault(FaultKind.TimedOut),
            string.Create(
                CultureInfo.InvariantCulture,
                $"'{_uri.Text}' did not answer within {TimeNsMax / Units.NsPerSecond} seconds"
            )
        );

    void End(in OpenRefusal refusal)
    {
        _hasEnded = true;
        Refusal = refusal;
        if (_timerKey != 0)
            _loop.CancelTimer(_timerKey);
        if (_stream != null && Device == null)
            _streams!.Close(_stream);
        _loop.Leave(this);
        _onEnd();
    }
}
