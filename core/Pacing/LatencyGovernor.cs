// How much the background copy keeps in flight, so that a guest on the same disk hardly feels it and the copy still
// runs at nearly full speed. The queue that the background keeps at the device is what a guest's request waits in.
//
//   Quiet     no guest for a while (GuestPulse.QuietNs): RateSearch looks for the smallest window with the full rate
//   Busy      guests are there: the window is steered by their latency, compared with what it is on the idle disk
//   Probing   guests are there and their idle latency is not known (any more): nothing is started for a moment
//
// The two windows are remembered apart: the first request after a quiet time ends the filling to the quiet window
// at once, and the guest going away gives it back without a search.
//
// Busy: BusyWindow judges requests and cuts and grows the window, UsefulWindow bounds it where more gives no more rate;
// ChunkUnit says how long a chunk is at least.
// While a request is out, only a part of the window is refilled (the gate), so that the queue drains in front of the
// second step of a copy-before-write.
//
// Taken from others:  LEDBAT (RFC 6817) - delay beyond a learnt base is the signal, growth in proportion to what is
// left of it;  blk-iolatency - a latency per victim scales the queue depth of the others, checked by a share of late
// requests, not by single ones;  TCP - cut by a factor, at most once per drained queue, slow start until the first;
// BBR - ProbeRTT: the base is measured again now and then by letting the queue run empty. CoDel's standing minimum was
// not taken: with a request every 2 ms, a minimum over some of them says nothing about the slowest hundredth.
//
// A chunk may always start when nothing is in flight: the copy ends whatever the guests do.
// Cost: O(1) per chunk and per guest request. Allocates nothing. Numbers: GovernorTuning, and constants of the parts.
using System;
using FastBackup.Base;

namespace FastBackup.Pacing;

/// <summary>Threads: the reactor's.</summary>
sealed class LatencyGovernor
{
    const ulong RestNsMax = 100 * Units.NsPerMs; // however slow the disk, ten chunks a second beside their own time
    const uint BusyChunks = 3; // in a busy window, so that source and target are not idle in turn

    enum Mode
    {
        Quiet,
        Busy,
        Probing,
    }

    readonly uint _chunkBytesMin;
    readonly uint _chunkBytesMax;
    readonly GuestPulse _pulse;
    readonly RateSearch _search;
    readonly ChunkUnit _unit;
    readonly BusyWindow _window;
    readonly IdleProbe _probe;

    Mode _mode = Mode.Quiet;
    GuestPriority _priority;
    ulong _doneNs;
    ulong _drainedNs;

    /// <param name="chunkBytesMin">At least one cluster.</param>
    /// <param name="chunkBytesMax">One buffer.</param>
    /// <param name="windowBytesMax">The memory that the background may use, at least one buffer.</param>
    /// <param name="pulse">The guests of the source.</param>
    /// <param name="priority">Theirs.</param>
    public LatencyGovernor(
        uint chunkBytesMin,
        uint chunkBytesMax,
        ulong windowBytesMax,
        GuestPulse pulse,
        GuestPriority priority
    )
    {
        (_chunkBytesMin, _chunkBytesMax, _pulse) = (chunkBytesMin, chunkBytesMax, pulse);
        _search = new RateSearch(chunkBytesMin, chunkBytesMax, windowBytesMax);
        _unit = new ChunkUnit(chunkBytesMin, chunkBytesMax, pulse);
        _window = new BusyWindow(chunkBytesMin, windowBytesMax, pulse, _search, _unit);
        _probe = new IdleProbe(pulse);
        Priority = priority;
    }

    /// <summary>Bytes that may be in flight now, reads and writes together.</summary>
    public ulong WindowBytes => _mode == Mode.Quiet ? _search.WindowBytes : _window.Bytes;

    /// <summary>Longest chunk to start now: a part of the buffer.</summary>
    public uint ChunkBytes
    {
        get
        {
            if (_mode == Mode.Quiet)
                return _search.ChunkBytes;
            ulong part = IsGated || _unit.MustBeAlone ? _unit.Bytes : _window.ChunkWindowBytes / BusyChunks;
            return (uint)Math.Clamp(Units.AlignDown(part, _chunkBytesMin), _unit.Bytes, _chunkBytesMax);
        }
    }

    /// <summary>Something was refused only because a guest's request is out.</summary>
    public bool IsGated { get; private set; }

    /// <summary>The background has let the queue run empty to measure: what guests see now is the idle disk.</summary>
    public bool IsDrained => _mode == Mode.Probing && _probe.IsDrained;

    public GuestPriority Priority
    {
        get => _priority;
        set
        {
            (_priority, _window.Tuning) = (value, GovernorTuning.Of(value));
            _unit.Reset();
        }
    }

    /// <summary>The background may begin: guests that are there already are known from before.</summary>
    public void Start(ulong nowNs)
    {
        _pulse.LookAtHosts(nowNs);
        _probe.Start(nowNs);
        _unit.LookAgain();
        Look(nowNs);
    }

    /// <summary>What was measured says nothing about what comes: after a pause, or with another rate limit.</summary>
    public void Forget(ulong nowNs) => _search.Forget(nowNs);

    /// <summary>Whether one more chunk may start.</summary>
    /// <param name="inFlightBytes">Of this copy, whomever for.</param>
    /// <param name="nowNs">Now.</param>
    /// <param name="retryAtNs">When to ask again if nothing ends before; 0 = when something ends.</param>
    public bool MayStart(ulong inFlightBytes, ulong nowNs, out ulong retryAtNs)
    {
        retryAtNs = 0;
        Look(nowNs);
        if (_mode == Mode.Probing)
            return TryEndProbe(inFlightBytes, nowNs, out retryAtNs);
        ulong wantedBytes = inFlightBytes + ChunkBytes;
        bool mayStart = inFlightBytes == 0 || wantedBytes <= WindowBytes;
        IsGated = false;
        if (_mode == Mode.Quiet)
            return mayStart;
        if (!mayStart)
            _window.OnRefused();
        mayStart &= !_unit.MustBeAlone || inFlightBytes == 0;
        _window.See(inFlightBytes, nowNs);
        if (mayStart && _pulse.IsGuestOut)
        {
            mayStart = MayPassGate(inFlightBytes, _doneNs, nowNs, out retryAtNs);
            if (mayStart)
                _window.OnGated();
        }
        if (mayStart)
            _unit.OnStarted(isAlone: inFlightBytes == 0, nowNs);
        return mayStart;
    }

    /// <summary>Whether captured data, which no guest waits for, may go to the target.</summary>
    /// <param name="inFlightBytes">What the devices have of this copy.</param>
    /// <param name="lengthBytes">Of the captured chunk.</param>
    /// <param name="nowNs">Now.</param>
    /// <param name="retryAtNs">When to ask again if nothing ends before; 0 = when something ends.</param>
    public bool MayDrain(ulong inFlightBytes, ulong lengthBytes, ulong nowNs, out ulong retryAtNs)
    {
        retryAtNs = 0;
        Look(nowNs);
        if (_mode == Mode.Probing)
            return TryEndProbe(inFlightBytes, nowNs, out retryAtNs);
        bool mayStart = inFlightBytes == 0 || inFlightBytes + lengthBytes <= WindowBytes;
        if (_mode == Mode.Busy && mayStart && _pulse.IsGuestOut)
            return MayPassGate(inFlightBytes, Math.Max(_doneNs, _drainedNs), nowNs, out retryAtNs);
        return mayStart;
    }

    /// <summary>Captured data has reached the target.</summary>
    public void OnDrained(ulong lengthBytes, ulong nowNs)
    {
        _drainedNs = nowNs;
        _window.OnDrained(lengthBytes);
    }

    /// <summary>A request of a guest is out: only the share of time that the background always has is left.</summary>
    bool MayPassGate(ulong inFlightBytes, ulong lastNs, ulong nowNs, out ulong retryAtNs)
    {
        double share = _window.Tuning.FloorShare;
        ulong restNs = Math.Min(RestNsMax, (ulong)(_unit.AloneNs * (1 - share) / share));
        bool mayPass = inFlightBytes == 0 && nowNs - lastNs >= restNs;
        retryAtNs = !mayPass && inFlightBytes == 0 ? lastNs + restNs : 0;
        IsGated = true;
        if (!mayPass)
            _window.OnRefused();
        return mayPass;
    }

    /// <summary>A chunk of the background was copied.</summary>
    public void OnChunkDone(ulong lengthBytes, ulong nowNs)
    {
        Look(nowNs);
        if (_mode == Mode.Quiet)
        {
            _search.OnChunkDone(lengthBytes, nowNs);
            return;
        }
        _unit.OnDone(lengthBytes, _window.Tuning.UnitGrowBelow, nowNs);
        _doneNs = nowNs;
        if (_mode == Mode.Busy)
            _window.OnChunkDone(lengthBytes, nowNs);
    }

    /// <summary>A guest's request has ended.</summary>
    public void OnGuestDone(in GuestSample sample)
    {
        if (_mode == Mode.Busy)
            _window.OnGuestDone(sample);
    }

    /// <summary>Which of the three modes it is now.</summary>
    void Look(ulong nowNs)
    {
        if (_priority == GuestPriority.Off)
        {
            _mode = Mode.Quiet;
            return;
        }
        _pulse.LookAtHosts(nowNs);
        bool isBusy = _pulse.InFlightCount > 0 || (_pulse.LastNs != 0 && nowNs - _pulse.LastNs < _pulse.QuietNs);
        if (!isBusy)
        {
            if (_mode != Mode.Quiet)
                _search.Forget(nowNs);
            _mode = Mode.Quiet;
            return;
        }
        if (_mode == Mode.Quiet)
        {
            BeBusy();
            _window.WantsProbe |= _pulse.IdleCount == 0 && _pulse.HostIdleMeanNs <= 0;
        }
        if (_mode == Mode.Busy && _probe.IsDue(_window.WantsProbe, nowNs))
        {
            (_mode, _window.WantsProbe, IsGated) = (Mode.Probing, false, false);
            _probe.Begin(nowNs);
        }
    }

    void BeBusy()
    {
        _mode = Mode.Busy;
        _window.Resume();
        _pulse.RestartHostMean();
    }

    /// <summary>At the end of the probe it is busy again.</summary>
    bool TryEndProbe(ulong inFlightBytes, ulong nowNs, out ulong retryAtNs)
    {
        if (_probe.IsGoingOn(inFlightBytes, nowNs, out retryAtNs))
            return false;
        _unit.LookAgain();
        BeBusy();
        return true;
    }
}
