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
// Busy: a request is late when it takes TailFactor times the idle 99th percentile (or, where copy-before-write alone
// costs more, some of that). One in a hundred may be late: each request adds a hundredth to a budget, a late one
// takes one, and when the budget is gone the window is cut, in proportion to how late. Otherwise it grows, the
// faster the further the mean is from late. After a cut only requests that arrived when the queue had shrunk count.
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
// Cost: O(1) per chunk and per guest request. Allocates nothing. Numbers: GovernorTuning, and the constants below.
using System;
using FastBackup.Base;

namespace FastBackup.Copy;

/// <summary>Threads: the reactor's.</summary>
sealed class LatencyGovernor
{
    const ulong ProbeEveryNs = 5 * Units.NsPerSecond;
    const ulong ProbeAgainNs = Units.NsPerSecond;
    const ulong ProbeNs = 20 * Units.NsPerMs;
    const ulong ProbeNsMax = 100 * Units.NsPerMs; // for guests so slow that ProbeNs sees too few requests
    const uint ProbeSamples = 32;
    const uint ProbeSamplesMin = 4;
    const uint HostMeanCount = 16;
    const ulong ProbeLookNs = 200 * Units.NsPerUs;

    const double LateShare = 0.01;
    const double SevereRatio = 4;
    const double CopyWaitFactor = 1.3; // a late copy-before-write takes at least so many times an undisturbed one
    const ulong GrowNs = Units.NsPerMs; // at most one step in this time
    const double GrowFirst = 0.125; // per step, until the first cut
    const double GrowMin = 0.003;
    const double GrowByHeadroom = 0.03;
    const double HeadroomAt = 0.6; // of late: below it growth is faster
    const double CutLittle = 0.8;
    const double CutMuch = 0.5;
    const uint FirstWindowChunks = 4; // of the smallest
    const uint BusyChunks = 3; // in a busy window, so that source and target are not idle in turn

    enum Mode
    {
        Quiet,
        Busy,
        Probing,
    }

    readonly uint _chunkBytesMin;
    readonly uint _chunkBytesMax;
    readonly ulong _windowBytesMax;
    readonly RateSearch _search;
    readonly GuestPulse _pulse;

    Mode _mode = Mode.Quiet;
    GuestPriority _priority;
    GovernorTuning _tuning;

    double _busyWindowBytes;
    double _budget;
    double _meanRatio;
    bool _hasBeenCut;
    bool _wasFull;
    bool _isSettling;
    ulong _settledNs; // guests that arrived earlier met an older, longer queue
    ulong _grownNs;
    ulong _startedNs;
    ulong _doneNs;
    ulong _aloneNs; // how long a chunk takes with no other in flight
    bool _isAlone;

    ulong _probeStartNs;
    ulong _probeDrainedNs; // 0 = not yet
    ulong _probedNs;
    uint _probeCount;
    uint _probeBaseCount;
    bool _wantsProbe;
    bool _isProbeSoiled; // copies for guests were in flight meanwhile: what was learnt is too much

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
        (_chunkBytesMin, _chunkBytesMax, _windowBytesMax) = (chunkBytesMin, chunkBytesMax, windowBytesMax);
        (_pulse, _priority, _tuning) = (pulse, priority, GovernorTuning.Of(priority));
        _search = new RateSearch(chunkBytesMin, chunkBytesMax, windowBytesMax);
        _busyWindowBytes = Math.Min(windowBytesMax, FirstWindowChunks * (ulong)chunkBytesMin);
    }

    /// <summary>Bytes that may be in flight now, reads and writes together.</summary>
    public ulong WindowBytes => _mode == Mode.Quiet ? _search.WindowBytes : (ulong)_busyWindowBytes;

    /// <summary>Longest chunk to start now: a part of the buffer.</summary>
    public uint ChunkBytes
    {
        get
        {
            if (_mode == Mode.Quiet)
                return _search.ChunkBytes;
            ulong part = Units.AlignDown(WindowBytes / BusyChunks, _chunkBytesMin);
            return (uint)Math.Clamp(part, _chunkBytesMin, _chunkBytesMax);
        }
    }

    /// <summary>Something was refused only because a guest's request is out.</summary>
    public bool IsGated { get; private set; }

    /// <summary>The background has let the queue run empty to measure: what guests see now is the idle disk.</summary>
    public bool IsDrained => _mode == Mode.Probing && _probeDrainedNs != 0;

    public GuestPriority Priority
    {
        get => _priority;
        set => (_priority, _tuning) = (value, GovernorTuning.Of(value));
    }

    /// <summary>The background may begin: guests that are there already are known from before.</summary>
    public void Start(ulong nowNs)
    {
        _pulse.LookAtHosts(nowNs);
        _probedNs = nowNs;
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
            return !IsProbing(inFlightBytes, nowNs, out retryAtNs);
        ulong wantedBytes = inFlightBytes + ChunkBytes;
        bool mayStart = inFlightBytes == 0 || wantedBytes <= WindowBytes;
        IsGated = false;
        if (_mode == Mode.Quiet)
            return mayStart;
        _wasFull |= !mayStart;
        if (_isSettling && inFlightBytes <= WindowBytes)
            (_isSettling, _settledNs) = (false, nowNs);
        if (mayStart && _pulse.IsGuestOut)
            mayStart = MayPassGate(inFlightBytes, nowNs, out retryAtNs);
        if (mayStart)
            (_startedNs, _isAlone) = (nowNs, inFlightBytes == 0);
        return mayStart;
    }

    /// <summary>A request of a guest is out: only the share of time that the background always has is left.</summary>
    bool MayPassGate(ulong inFlightBytes, ulong nowNs, out ulong retryAtNs)
    {
        ulong restNs = (ulong)(_aloneNs * (1 - _tuning.FloorShare) / _tuning.FloorShare);
        bool mayPass = inFlightBytes == 0 && nowNs - _doneNs >= restNs;
        retryAtNs = !mayPass && inFlightBytes == 0 ? _doneNs + restNs : 0;
        IsGated = !mayPass;
        _wasFull |= IsGated;
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
        if (_isAlone)
            (_aloneNs, _isAlone) = (nowNs - _startedNs, false);
        _doneNs = nowNs;
        if (_mode != Mode.Busy || _isSettling)
            return;
        // Requests that do not end tell nothing by themselves: their age does.
        if (_pulse.InFlightCount > 0 && OldestTargetNs is > 0 and var targetNs)
            if (_pulse.MeanAgeNs(nowNs) > 2 * targetNs && nowNs - _settledNs > targetNs)
                Cut(CutMuch, nowNs);
        if (_pulse.TryTakeHostMean(HostMeanCount, out ulong meanNs))
            JudgeHostMean(meanNs, nowNs);
    }

    /// <summary>A guest's request has ended.</summary>
    public void OnGuestDone(in GuestSample sample)
    {
        if (_mode != Mode.Busy || _isSettling || sample.ArrivedNs < _settledNs)
            return;
        LatencySketch idle = _pulse.Idle(sample.Class);
        if (!idle.IsKnown)
        {
            _wantsProbe = true;
            return;
        }
        double targetNs = TargetNs(idle);
        ulong totalNs = sample.TotalNs;
        if (sample.Class == GuestClass.HostWrite)
            totalNs += idle.MedianNs; // its own I/O comes after the wait, and is not seen
        if (sample.WaitNs > 0)
            targetNs = Math.Max(targetNs, CopyWaitFactor * (_pulse.WaitBaseNs + idle.MedianNs));
        Judge(totalNs / targetNs, sample.NowNs);
    }

    double TargetNs(LatencySketch idle) => _tuning.TailFactor * idle.TailNs;

    /// <summary>The largest target of a known class; 0 when none is known.</summary>
    ulong OldestTargetNs
    {
        get
        {
            double targetNs = 0;
            for (GuestClass kind = 0; kind < GuestClass.HostWrite; kind++)
                targetNs = Math.Max(targetNs, TargetNs(_pulse.Idle(kind)));
            return (ulong)targetNs;
        }
    }

    void Judge(double ratio, ulong nowNs)
    {
        _meanRatio += (ratio - _meanRatio) / 16;
        _budget = Math.Min(1, _budget + LateShare);
        if (ratio > 1)
            _budget -= ratio > SevereRatio ? 2 : 1;
        if (_budget < 0)
            Cut(ratio > 2 ? CutMuch : CutLittle, nowNs);
        else if (ratio <= 1)
            Grow(nowNs);
    }

    void JudgeHostMean(ulong meanNs, ulong nowNs)
    {
        LatencySketch idle = _pulse.Idle(GuestClass.HostWrite);
        if (!idle.IsKnown)
        {
            _wantsProbe = true;
            return;
        }
        double ratio = meanNs / (_tuning.MeanFactor * idle.MedianNs);
        _meanRatio = ratio;
        if (ratio > 1)
            Cut(ratio > 2 ? CutMuch : CutLittle, nowNs);
        else
            Grow(nowNs);
    }

    void Cut(double factor, ulong nowNs)
    {
        ulong floorBytes = Math.Min(_windowBytesMax, _tuning.FloorChunks * (ulong)_chunkBytesMin);
        // At the floor and still late: perhaps the guests do more now, and would be slower on the idle disk too.
        _wantsProbe |= _busyWindowBytes <= floorBytes;
        _busyWindowBytes = Math.Max(floorBytes, _busyWindowBytes * factor);
        (_hasBeenCut, _budget, _isSettling, _wasFull, _grownNs) = (true, 0, true, false, nowNs);
        _pulse.RestartHostMean();
    }

    /// <summary>One step up, if the window was in the way since the last one.</summary>
    void Grow(ulong nowNs)
    {
        if (!_wasFull || nowNs - _grownNs < GrowNs)
            return;
        double step = GrowMin + GrowByHeadroom * Math.Max(0, HeadroomAt - _meanRatio);
        _busyWindowBytes *= 1 + (_hasBeenCut ? step : GrowFirst);
        _busyWindowBytes = Math.Min(_busyWindowBytes, _search.WindowBytes); // more gives no more rate even alone
        (_wasFull, _grownNs) = (false, nowNs);
    }

    /// <summary>Which of the three it is now.</summary>
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
            (_mode, _isSettling, _wasFull, _budget) = (Mode.Busy, true, false, 0);
            _pulse.RestartHostMean();
            _wantsProbe |= _pulse.IdleCount == 0;
        }
        ulong sinceNs = nowNs - _probedNs;
        if (
            _mode == Mode.Busy
            && (
                sinceNs > (_isProbeSoiled ? ProbeAgainNs : ProbeEveryNs)
                || (_wantsProbe && (_probeCount == 0 || sinceNs > ProbeAgainNs))
            )
        )
            BeginProbe(nowNs);
    }

    void BeginProbe(ulong nowNs)
    {
        (_mode, _probeStartNs, _probeDrainedNs) = (Mode.Probing, nowNs, 0);
        (_wantsProbe, _isProbeSoiled) = (false, false);
        _probeCount++;
        _pulse.FadeIdle();
    }

    /// <summary>Whether the probe goes on; at its end it is busy again.</summary>
    bool IsProbing(ulong inFlightBytes, ulong nowNs, out ulong retryAtNs)
    {
        if (_probeDrainedNs == 0 && (inFlightBytes == 0 || nowNs - _probeStartNs > ProbeNs))
        {
            // Copies for guests may still be in flight: with enough guests they always are.
            _probeDrainedNs = nowNs;
            _probeBaseCount = _pulse.IdleCount;
            _pulse.RestartHostMean();
        }
        _isProbeSoiled |= _probeDrainedNs != 0 && inFlightBytes > 0;
        retryAtNs = nowNs + ProbeLookNs;
        if (_probeDrainedNs == 0)
            return true;
        ulong sinceNs = nowNs - _probeDrainedNs;
        if (sinceNs > ProbeNs && _pulse.TryTakeHostMean(ProbeSamplesMin, out ulong meanNs))
            _pulse.LearnHostMean(meanNs);
        uint sampleCount = _pulse.IdleCount - Math.Min(_pulse.IdleCount, _probeBaseCount);
        bool isOver = sampleCount >= ProbeSamples || sinceNs > (sampleCount >= ProbeSamplesMin ? ProbeNs : ProbeNsMax);
        if (!isOver)
            return true;
        (_mode, _probedNs, _isSettling, _wasFull, _budget) = (Mode.Busy, nowNs, true, false, 0);
        _pulse.RestartHostMean();
        return false;
    }
}
