// How the governor's busy window follows the guests: what is late, and the steps down and up.
using System;
using FastBackup.Base;

namespace FastBackup.Copy;

sealed partial class LatencyGovernor
{
    /// <summary>A guest's request has ended.</summary>
    public void OnGuestDone(in GuestSample sample)
    {
        if (_mode != Mode.Busy || _isSettling || sample.ArrivedNs < _settledNs)
            return;
        bool isHost = sample.Class == GuestClass.HostWrite;
        // A host's own I/O comes after the wait, and is not seen one by one: the wait may take what a mean one leaves.
        double targetNs = isHost
            ? (_tuning.TailFactor * HostTailRatio - 1) * _pulse.HostIdleMeanNs
            : Allowed(_tuning.TailFactor, _pulse.Idle(sample.Class).TailNs);
        if (targetNs <= 0)
        {
            _wantsProbe = true;
            return;
        }
        if (sample.WaitNs > 0)
            targetNs = Math.Max(targetNs, CopiedTargetNs);
        else if (!isHost && sample.TotalNs > _pulse.GapNs / 2)
            JudgeMean(sample.TotalNs / Allowed(1, _pulse.Idle(sample.Class).MeanNs), sample.NowNs);
        if (!_isSettling)
            Judge(sample.TotalNs / targetNs, mayGrow: !isHost, sample.NowNs);
    }

    /// <summary>The largest target of a known class; 0 when none is known.</summary>
    ulong OldestTargetNs
    {
        get
        {
            double targetNs = 0;
            for (GuestClass kind = 0; kind < GuestClass.HostWrite; kind++)
                targetNs = Math.Max(targetNs, Allowed(_tuning.TailFactor, _pulse.Idle(kind).TailNs));
            return (ulong)Math.Max(targetNs, CopiedTargetNs);
        }
    }

    double CopiedTargetNs => Allowed(_tuning.CopiedFactor, _pulse.Idle(GuestClass.CopiedWrite).MedianNs);

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
        if (_meanFactor <= _tuning.MeanFactor)
            return;
        _meanFactor = 1;
        Cut(CutLittle, nowNs);
    }

    void JudgeHostMean(ulong meanNs, ulong nowNs)
    {
        double idleNs = _pulse.HostIdleMeanNs;
        if (idleNs <= 0)
        {
            _wantsProbe = true;
            return;
        }
        double ratio = meanNs / Allowed(_tuning.MeanFactor, idleNs);
        _meanRatio = ratio;
        if (ratio > 1)
            Cut(ratio > 2 ? CutMuch : CutLittle, nowNs);
        else
            Grow(GrowFirstHost, GrowWeightHost, nowNs);
    }

    void Cut(double factor, ulong nowNs)
    {
        ulong floorBytes = Math.Min(_windowBytesMax, _tuning.FloorChunks * (ulong)_unitBytes);
        // At the floor and still late: perhaps the guests do more now, and would be slower on the idle disk too.
        _wantsProbe |= _busyWindowBytes <= floorBytes;
        _busyWindowBytes = Math.Max(floorBytes, _busyWindowBytes * factor);
        (_hasBeenCut, _budget, _isSettling, _wasFull, _grownNs) = (true, 0, true, false, nowNs);
        _pulse.RestartHostMean();
    }

    /// <summary>One step up, if the window was in the way since the last one.</summary>
    void Grow(double firstStep, double weight, ulong nowNs)
    {
        if (!_wasFull || nowNs - _grownNs < GrowNs)
            return;
        double step = GrowMin + GrowByHeadroom * Math.Max(0, HeadroomAt - _meanRatio);
        _busyWindowBytes *= 1 + (_hasBeenCut ? step * weight : firstStep);
        _busyWindowBytes = Math.Min(_busyWindowBytes, _search.WindowBytes); // more gives no more rate even alone
        if (_pulse.IsHostMode)
            _busyWindowBytes = Math.Min(_busyWindowBytes, HostWindowChunks * (double)_chunkBytesMin);
        (_wasFull, _grownNs) = (false, nowNs);
    }
}
