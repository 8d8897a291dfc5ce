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
sealed partial class LatencyGovernor
{
    const ulong ProbeEveryNs = 5 * Units.NsPerSecond;
    const ulong ProbeAgainNs = Units.NsPerSecond;
    const ulong ProbeNs = 20 * Units.NsPerMs;
    const ulong ProbeNsMax = 100 * Units.NsPerMs; // for guests so slow that ProbeNs sees too few requests
    const uint ProbeSamples = 32;
    const uint ProbeSamplesMin = 4;
    const uint HostMeanCount = 64;

    const double TransportNs = 50_000; // between the guest and here: a virtio queue or a socket, and a wake-up
    const double LateShare = 0.01;
    const double SevereRatio = 4;
    const double HostTailRatio = 1.75; // of a host's writes only the mean is known: what their tail is taken to be
    const ulong GrowNs = Units.NsPerMs; // at most one step in this time
    const double GrowFirst = 0.125; // per step, until the first cut
    const double GrowFirstHost = 0.5; // per mean: they are rare
    const double GrowWeightHost = 8;
    const uint HostWindowChunks = 8; // of the smallest: a mean does not show what a long queue does to a few
    const double GrowMin = 0.003;
    const double GrowByHeadroom = 0.03;
    const double HeadroomAt = 0.6; // of late: below it growth is faster
    const double CutLittle = 0.8;
    const double CutMuch = 0.5;
    const uint FirstWindowChunks = 4; // of the smallest
    const ulong RestNsMax = 100 * Units.NsPerMs; // however slow the disk, ten chunks a second beside their own time
    const double UnitShrinkAbove = 3;
    const uint UnitVotes = 4;
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
    double _meanFactor = 1;
    bool _hasBeenCut;
    bool _wasFull;
    bool _isSettling;
    ulong _settledNs; // guests that arrived earlier met an older, longer queue
    ulong _grownNs;
    ulong _startedNs;
    ulong _doneNs;
    ulong _drainedNs;
    ulong _aloneNs; // how long a chunk takes with no other in flight
    uint _unitBytes; // the smallest chunk that is worth its while
    int _unitVotes;
    uint _aloneLeft; // so many chunks are to be alone, to see how long they take
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
        _unitBytes = chunkBytesMin;
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
            ulong part = IsGated || _aloneLeft > 0 ? _unitBytes : WindowBytes / BusyChunks;
            return (uint)Math.Clamp(Units.AlignDown(part, _chunkBytesMin), _unitBytes, _chunkBytesMax);
        }
    }

    /// <summary>Something was refused only because a guest's request is out.</summary>
    public bool IsGated { get; private set; }

    /// <summary>The background has let the queue run empty to measure: what guests see now is the idle disk.</summary>
    public bool IsDrained => _mode == Mode.Probing && _probeDrainedNs != 0;

    public GuestPriority Priority
    {
        get => _priority;
        set
        {
            (_priority, _tuning) = (value, GovernorTuning.Of(value));
            _unitBytes = _chunkBytesMin;
        }
    }

    /// <summary>The background may begin: guests that are there already are known from before.</summary>
    public void Start(ulong nowNs)
    {
        _pulse.LookAtHosts(nowNs);
        (_probedNs, _aloneLeft) = (nowNs, UnitVotes);
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
        mayStart &= _aloneLeft == 0 || inFlightBytes == 0;
        if (_isSettling && inFlightBytes <= WindowBytes)
            (_isSettling, _settledNs) = (false, nowNs);
        if (mayStart && _pulse.IsGuestOut)
            mayStart = MayPassGate(inFlightBytes, _doneNs, nowNs, out retryAtNs);
        if (mayStart)
            (_startedNs, _isAlone) = (nowNs, inFlightBytes == 0);
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
            return !IsProbing(inFlightBytes, nowNs, out retryAtNs);
        bool mayStart = inFlightBytes == 0 || inFlightBytes + lengthBytes <= WindowBytes;
        if (_mode == Mode.Busy && mayStart && _pulse.IsGuestOut)
            return MayPassGate(inFlightBytes, Math.Max(_doneNs, _drainedNs), nowNs, out retryAtNs);
        return mayStart;
    }

    /// <summary>Captured data has reached the target.</summary>
    public void OnDrained(ulong nowNs) => _drainedNs = nowNs;

    /// <summary>A request of a guest is out: only the share of time that the background always has is left.</summary>
    bool MayPassGate(ulong inFlightBytes, ulong lastNs, ulong nowNs, out ulong retryAtNs)
    {
        ulong restNs = Math.Min(RestNsMax, (ulong)(_aloneNs * (1 - _tuning.FloorShare) / _tuning.FloorShare));
        bool mayPass = inFlightBytes == 0 && nowNs - lastNs >= restNs;
        retryAtNs = !mayPass && inFlightBytes == 0 ? lastNs + restNs : 0;
        IsGated = true;
        _wasFull |= !mayPass;
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
            SeeAlone(lengthBytes, nowNs - _startedNs);
        _isAlone = false;
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

    /// <summary>
    /// A chunk was alone in flight. Its read and its write should each take about twice as long as a small request:
    /// below that, a larger one costs a guest hardly more and brings much more (a seek costs 1 MiB of transfer).
    /// </summary>
    void SeeAlone(ulong lengthBytes, ulong durationNs)
    {
        _aloneNs = durationNs;
        _aloneLeft -= Math.Min(1, _aloneLeft);
        double smallNs = SmallNs;
        if (smallNs <= 0 || _pulse.IsHostMode)
            return;
        double ratio = durationNs / 2.0 / smallNs;
        if (ratio < _tuning.UnitGrowBelow && lengthBytes >= _unitBytes && _unitBytes * 2 <= _chunkBytesMax)
            _unitVotes = Math.Max(1, _unitVotes + 1);
        else if (ratio > UnitShrinkAbove && lengthBytes <= _unitBytes && _unitBytes / 2 >= _chunkBytesMin)
            _unitVotes = Math.Min(-1, _unitVotes - 1);
        else
            _unitVotes = 0;
        if (Math.Abs(_unitVotes) < UnitVotes)
            return;
        _unitBytes = _unitVotes > 0 ? _unitBytes * 2 : _unitBytes / 2;
        (_unitVotes, _aloneLeft) = (0, UnitVotes);
    }

    /// <summary>A small request on the idle disk; 0 = not known.</summary>
    double SmallNs => Math.Max(_pulse.Idle(GuestClass.SmallRead).MedianNs, _pulse.Idle(GuestClass.SmallWrite).MedianNs);
}
