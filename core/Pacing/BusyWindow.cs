// The window while guests are there: what is late, and the steps down and up.
//
// A request is late when it takes TailFactor times the idle 99th percentile (or, where copy-before-write alone
// costs more, some of that). One in a hundred may be late: each request adds a hundredth to a budget, a late one
// takes one, and when the budget is gone the window is cut, in proportion to how late. Otherwise it grows, the
// faster the further the mean is from late. After a cut only requests that arrived when the queue had shrunk count.
// Cost: O(1) per guest request and per chunk.
using System;
using FastBackup.Base;

namespace FastBackup.Pacing;

/// <summary>Threads: the reactor's.</summary>
sealed class BusyWindow
{
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

    readonly uint _chunkBytesMin;
    readonly ulong _windowBytesMax;
    readonly GuestPulse _pulse;
    readonly RateSearch _search;
    readonly ChunkUnit _unit;
    readonly UsefulWindow _useful;

    double _windowBytes;
    double _budget;
    double _meanRatio;
    double _meanFactor = 1;
    bool _hasBeenCut;
    bool _wasFull;
    bool _isSettling;
    ulong _settledNs; // guests that arrived earlier met an older, longer queue
    ulong _grownNs;

    /// <param name="chunkBytesMin">At least one cluster.</param>
    /// <param name="windowBytesMax">The memory that the background may use.</param>
    /// <param name="pulse">The guests of the source.</param>
    /// <param name="search">Knows the window with the full rate: more is of no use.</param>
    /// <param name="unit">The smallest chunk: the floor is some of them.</param>
    public BusyWindow(uint chunkBytesMin, ulong windowBytesMax, GuestPulse pulse, RateSearch search, ChunkUnit unit)
    {
        (_chunkBytesMin, _windowBytesMax, _pulse, _search, _unit) = (
            chunkBytesMin,
            windowBytesMax,
            pulse,
            search,
            unit
        );
        _windowBytes = Math.Min(windowBytesMax, FirstWindowChunks * (ulong)chunkBytesMin);
        _useful = new UsefulWindow(_windowBytes);
    }

    public GovernorTuning Tuning { get; set; }

    public ulong Bytes => (ulong)Math.Min(_windowBytes, _useful.LimitBytes);

    /// <summary>Of which a chunk is a part: at most the window.</summary>
    public ulong ChunkWindowBytes => (ulong)Math.Min(_windowBytes, _useful.ChunkLimitBytes);

    /// <summary>What is usual on the idle disk is not known, or not any more.</summary>
    public bool WantsProbe { get; set; }

    /// <summary>The queue is another one from now on: until it has shrunk to the window nobody is judged.</summary>
    public void Settle() => (_isSettling, _wasFull, _budget) = (true, false, 0);

    /// <summary>The copy stood still.</summary>
    public void Resume()
    {
        Settle();
        _useful.BeginAnew();
    }

    /// <summary>It was in the way of a chunk: so it may grow.</summary>
    public void OnRefused() => _wasFull = true;

    /// <summary>So much is in flight now.</summary>
    public void See(ulong inFlightBytes, ulong nowNs)
    {
        if (_isSettling && inFlightBytes <= Bytes)
            (_isSettling, _settledNs) = (false, nowNs);
    }

    /// <summary>A guest's request has ended.</summary>
    public void OnGuestDone(in GuestSample sample)
    {
        if (_isSettling || sample.ArrivedNs < _settledNs)
            return;
        if (sample.Class == GuestClass.LandedWrite)
        {
            Judge(sample.TotalNs / (double)GuestPulse.LandNsWanted, mayGrow: true, sample.NowNs);
            return;
        }
        bool isAnswered = sample.Class == GuestClass.AnsweredWrite;
        bool isHost = sample.Class == GuestClass.HostWrite;
        // A host's own I/O comes after the wait, and is not seen one by one: the wait may take what a mean one leaves.
        double targetNs = isHost ? HostWaitTargetNs : Allowed(Tuning.TailFactor, IdleOf(sample.Class).TailNs);
        if (isAnswered && sample.TotalNs <= targetNs)
            return; // it did not meet the device: no part in the hundredth that may be late
        if (targetNs <= 0)
        {
            WantsProbe = true;
            return;
        }
        if (sample.WaitNs > 0 && !isAnswered) // it waits for room, not for a copy
            targetNs = Math.Max(targetNs, CopiedTargetNs);
        else if (!isHost && sample.TotalNs > _pulse.GapNs / 2)
            JudgeMean(sample.TotalNs / Allowed(1, _pulse.Idle(sample.Class).MeanNs), sample.NowNs);
        if (!_isSettling)
            Judge(sample.TotalNs / targetNs, mayGrow: !isHost, sample.NowNs);
    }

    double HostWaitTargetNs
    {
        get
        {
            if (!_pulse.HasReports)
                return (Tuning.TailFactor * HostTailRatio - 1) * _pulse.HostIdleMeanNs;
            LatencySketch idle = _pulse.Idle(GuestClass.SmallWrite);
            return Math.Max(0, Allowed(Tuning.TailFactor, idle.TailNs) - idle.MeanNs);
        }
    }

    /// <summary>An answer from memory is compared with what the device would have taken.</summary>
    LatencySketch IdleOf(GuestClass kind) =>
        _pulse.Idle(kind == GuestClass.AnsweredWrite ? GuestClass.SmallWrite : kind);

    /// <summary>A chunk was copied: what guests tell without a request that ends.</summary>
    /// <param name="lengthBytes">Of the chunk.</param>
    /// <param name="nowNs">Now.</param>
    public void OnChunkDone(ulong lengthBytes, ulong nowNs)
    {
        _useful.OnChunkDone(lengthBytes, _windowBytes, nowNs);
        if (_isSettling)
            return;
        // Requests that do not end tell nothing by themselves: their age does.
        if (_pulse.InFlightCount > 0 && OldestTargetNs is > 0 and var targetNs)
            if (_pulse.MeanAgeNs(nowNs) > 2 * targetNs && nowNs - _settledNs > targetNs)
                Cut(CutMuch, nowNs);
        if (_pulse.TryTakeHostMean(HostMeanCount, out ulong meanNs))
            JudgeHostMean(meanNs, nowNs);
    }

    /// <summary>A chunk was started in spite of guests' requests.</summary>
    public void OnGated() => _useful.OnGated();

    /// <summary>Captured data has reached the target: a part of what it can take.</summary>
    public void OnDrained(ulong lengthBytes) => _useful.OnDrained(lengthBytes);

    /// <summary>The largest target of a known class; 0 when none is known.</summary>
    ulong OldestTargetNs
    {
        get
        {
            double targetNs = 0;
            for (GuestClass kind = 0; kind < GuestClass.HostWrite; kind++)
                targetNs = Math.Max(targetNs, Allowed(Tuning.TailFactor, _pulse.Idle(kind).TailNs));
            return (ulong)Math.Max(targetNs, CopiedTargetNs);
        }
    }

    double CopiedTargetNs => Allowed(Tuning.CopiedFactor, _pulse.Idle(GuestClass.CopiedWrite).MedianNs);

    /// <summary>
    /// What a request may take here so that it takes so many times its idle latency where the guest is: there every
    /// request takes TransportNs more, with or without a backup.
    /// </summary>
    static double Allowed(double factor, double idleNs) =>
        idleNs <= 0 ? 0 : factor * (idleNs + TransportNs) - TransportNs;

    void Judge(double ratio, bool mayGrow, ulong nowNs)
    {
        _meanRatio += (ratio - _meanRatio) / 16;
        _budget = Math.Min(1, _budget + LateShare);
        if (ratio > 1)
            _budget -= ratio > SevereRatio ? 2 : 1;
        if (_budget < 0)
            Cut(ratio > 2 ? CutMuch : CutLittle, nowNs);
        else if (ratio <= 1 && mayGrow)
            Grow(GrowFirst, 1, nowNs);
    }

    /// <summary>
    /// Requests that needed no copy, of guests that always have some out: their rate is what the mean allows.
    /// </summary>
    void JudgeMean(double ratio, ulong nowNs)
    {
        _meanFactor += (ratio - _meanFactor) / 32;
        if (_meanFactor <= Tuning.MeanFactor)
            return;
        _meanFactor = 1;
        Cut(CutLittle, nowNs);
    }

    void JudgeHostMean(ulong meanNs, ulong nowNs)
    {
        double idleNs = _pulse.HostIdleMeanNs;
        if (idleNs <= 0)
        {
            WantsProbe = true;
            return;
        }
        double ratio = meanNs / Allowed(Tuning.MeanFactor, idleNs);
        _meanRatio = ratio;
        if (ratio > 1)
            Cut(ratio > 2 ? CutMuch : CutLittle, nowNs);
        else
            Grow(GrowFirstHost, GrowWeightHost, nowNs);
    }

    void Cut(double factor, ulong nowNs)
    {
        ulong floorBytes = Math.Min(_windowBytesMax, Tuning.FloorChunks * (ulong)_unit.Bytes);
        // At the floor and still late: perhaps the guests do more now, and would be slower on the idle disk too.
        WantsProbe |= _windowBytes <= floorBytes;
        _windowBytes = Math.Max(floorBytes, Math.Min(_windowBytes, _useful.LimitBytes) * factor);
        (_hasBeenCut, _grownNs) = (true, nowNs);
        Settle();
        _pulse.RestartHostMean();
    }

    /// <summary>One step up, if the window was in the way since the last one.</summary>
    void Grow(double firstStep, double weight, ulong nowNs)
    {
        if (!_wasFull || nowNs - _grownNs < GrowNs)
            return;
        if (_windowBytes > _useful.LimitBytes)
            return; // what guests say of a smaller one tells nothing of a larger
        double step = GrowMin + GrowByHeadroom * Math.Max(0, HeadroomAt - _meanRatio);
        _windowBytes *= 1 + (_hasBeenCut ? step * weight : firstStep);
        _windowBytes = Math.Min(_windowBytes, _search.WindowBytes); // more gives no more rate even alone
        if (_pulse.IsHostMode)
            _windowBytes = Math.Min(_windowBytes, HostWindowChunks * (double)_chunkBytesMin);
        (_wasFull, _grownNs) = (false, nowNs);
    }
}
