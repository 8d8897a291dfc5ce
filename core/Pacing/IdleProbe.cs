// The probe: nothing is started until the queue is empty and enough requests of guests have shown what they take
// without it. A probe costs 20 to 100 ms in 5 s, and nothing when no guest is there.
using System;
using FastBackup.Base;

namespace FastBackup.Pacing;

/// <summary>Threads: the reactor's.</summary>
/// <param name="pulse">Where what guests show is learnt.</param>
sealed class IdleProbe(GuestPulse pulse)
{
    const ulong EveryNs = 5 * Units.NsPerSecond;
    const ulong AgainNs = Units.NsPerSecond;
    const ulong ProbeNs = 20 * Units.NsPerMs;
    const ulong ProbeNsMax = 100 * Units.NsPerMs; // for guests so slow that ProbeNs sees too few requests
    const uint SamplesWanted = 32;
    const uint SamplesMin = 4;

    ulong _startNs;
    ulong _drainedNs; // 0 = not yet
    ulong _probedNs;
    uint _count;
    uint _baseCount;
    bool _isSoiled; // copies for guests were in flight meanwhile: what was learnt is too much

    /// <summary>The queue has run empty: what guests see now is the idle disk.</summary>
    public bool IsDrained => _drainedNs != 0;

    /// <summary>As if one had just ended.</summary>
    public void Start(ulong nowNs) => _probedNs = nowNs;

    /// <summary>Whether it is time for the next.</summary>
    /// <param name="isWanted">What is usual is not known, or not any more.</param>
    /// <param name="nowNs">Now.</param>
    public bool IsDue(bool isWanted, ulong nowNs)
    {
        ulong sinceNs = nowNs - _probedNs;
        return sinceNs > (_isSoiled ? AgainNs : EveryNs) || (isWanted && (_count == 0 || sinceNs > AgainNs));
    }

    public void Begin(ulong nowNs)
    {
        (_startNs, _drainedNs, _isSoiled) = (nowNs, 0, false);
        _count++;
        pulse.FadeIdle();
    }

    /// <summary>Whether the probe goes on.</summary>
    /// <param name="inFlightBytes">Of this copy, whomever for.</param>
    /// <param name="nowNs">Now.</param>
    /// <param name="retryAtNs">When to ask again.</param>
    /// <returns>False once: it is over, and what was seen is learnt.</returns>
    public bool IsGoingOn(ulong inFlightBytes, ulong nowNs, out ulong retryAtNs)
    {
        if (_drainedNs == 0 && (inFlightBytes == 0 || nowNs - _startNs > ProbeNs))
        {
            // Copies for guests may still be in flight: with enough guests they always are.
            _drainedNs = nowNs;
            _baseCount = pulse.IdleCount;
            pulse.RestartHostMean();
        }
        _isSoiled |= _drainedNs != 0 && inFlightBytes > 0;
        retryAtNs = Math.Max(nowNs + 1, pulse.NextLookNs);
        if (_drainedNs == 0)
            return true;
        ulong sinceNs = nowNs - _drainedNs;
        ulong sampleCount = pulse.IdleCount - Math.Min(pulse.IdleCount, _baseCount);
        sampleCount += pulse.HostCount / 4; // one alone says little: they are known by a mean only
        bool isOver = sampleCount >= SamplesWanted || sinceNs > (sampleCount >= SamplesMin ? ProbeNs : ProbeNsMax);
        if (!isOver)
            return true;
        pulse.LearnHostMean();
        _probedNs = nowNs;
        return false;
    }
}
