// Which mode the governor is in, and the probe: nothing is started until the queue is empty and enough requests of
// guests have shown what they take without it. A probe costs 20 to 100 ms in 5 s, and nothing when no guest is there.
using System;
using FastBackup.Base;

namespace FastBackup.Copy;

sealed partial class LatencyGovernor
{
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
            _wantsProbe |= _pulse.IdleCount == 0 && _pulse.HostIdleMeanNs <= 0;
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
        IsGated = false;
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
        retryAtNs = Math.Max(nowNs + 1, _pulse.NextLookNs);
        if (_probeDrainedNs == 0)
            return true;
        ulong sinceNs = nowNs - _probeDrainedNs;
        ulong sampleCount = _pulse.IdleCount - Math.Min(_pulse.IdleCount, _probeBaseCount);
        sampleCount += _pulse.HostCount / 4; // one alone says little: they are known by a mean only
        bool isOver = sampleCount >= ProbeSamples || sinceNs > (sampleCount >= ProbeSamplesMin ? ProbeNs : ProbeNsMax);
        if (!isOver)
            return true;
        _pulse.LearnHostMean();
        _aloneLeft = UnitVotes;
        (_mode, _probedNs, _isSettling, _wasFull, _budget) = (Mode.Busy, nowNs, true, false, 0);
        _pulse.RestartHostMean();
        return false;
    }
}
