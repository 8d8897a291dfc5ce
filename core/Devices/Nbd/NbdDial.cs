// The way to a server, on the loop: each of its addresses once; or again and again, with growing pauses, until it is
// reached or a moment is over. What refuses it does not matter then: a server that comes back may not have its exports
// yet. The name of the host is not asked for again. Allocates a little for each try.
using System;
using FastBackup.Base;
using FastBackup.Ports;

namespace FastBackup.Devices.Nbd;

/// <summary>Threads: the loop's.</summary>
sealed class NbdDial : ILoopTask
{
    const ulong PauseNsMin = 50 * Units.NsPerMs;
    const ulong PauseNsMax = Units.NsPerSecond;

    readonly IIoLoop _loop;
    readonly NbdRemote _remote;
    readonly Action<NbdConnecting> _onEnd;
    NbdConnecting? _try;
    int _addressIndex;
    ulong _deadlineNs;
    ulong _pauseNs = PauseNsMin;
    ulong _timerKey;
    bool _hasEnded;

    /// <param name="loop">Drives the connection.</param>
    /// <param name="remote">Whom to reach.</param>
    /// <param name="onEnd">Told once of the last try, unless it is stopped.</param>
    public NbdDial(IIoLoop loop, NbdRemote remote, Action<NbdConnecting> onEnd) =>
        (_loop, _remote, _onEnd) = (loop, remote, onEnd);

    /// <param name="deadlineNs">Until when it is tried again; 0: it is not.</param>
    /// <param name="isPausing">Begins with the longest pause: the last connection has come to nothing.</param>
    public void Start(ulong deadlineNs, bool isPausing)
    {
        _deadlineNs = deadlineNs;
        if (isPausing)
            Pause(PauseNsMax);
        else
            Try();
    }

    public void Stop()
    {
        _hasEnded = true;
        if (_timerKey != 0)
            _loop.CancelTimer(_timerKey);
        _try?.Stop();
    }

    /// <summary>A pause is over.</summary>
    void ILoopTask.Run(ulong argument)
    {
        _timerKey = 0;
        if (!_hasEnded)
            Try();
    }

    void Try()
    {
        _try = new NbdConnecting(_loop, _remote, _remote.Addresses[_addressIndex], OnTried);
        _try.Start(LeftNs is 0 ? NbdConnecting.TimeNsMax : LeftNs);
    }

    ulong LeftNs => _deadlineNs > _loop.Clock.NowNs ? _deadlineNs - _loop.Clock.NowNs : 0;

    void OnTried(NbdConnecting tried)
    {
        bool isLast = _addressIndex + 1 == _remote.Addresses.Length;
        bool isOver = LeftNs == 0 || _loop.HasFailed;
        bool goesOn = _deadlineNs != 0 ? !isOver : tried.IsUnreachable && !isLast && !_loop.HasFailed;
        if (tried.Export != null || !goesOn)
        {
            _hasEnded = true;
            _onEnd(tried);
            return;
        }
        _addressIndex = isLast ? 0 : _addressIndex + 1;
        if (!isLast)
        {
            Try();
            return;
        }
        Pause(Math.Min(_pauseNs, LeftNs));
        _pauseNs = Math.Min(_pauseNs * 2, PauseNsMax);
    }

    void Pause(ulong pauseNs) => _timerKey = _loop.StartTimer(_loop.Clock.NowNs + pauseNs, this, 0);
}
