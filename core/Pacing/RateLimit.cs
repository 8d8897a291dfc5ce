// A token bucket: how many bytes may start now, and when the next may. Changeable while in use.
// Tokens accumulate for at most BurstNs, so that a pause is not followed by a flood.
using System;
using FastBackup.Base;

namespace FastBackup.Pacing;

/// <summary>Threads: the reactor's.</summary>
sealed class RateLimit
{
    const ulong BurstNs = 100 * Units.NsPerMs;

    ulong _bytesPerSecond; // 0 = unlimited
    ulong _freeAtNs; // when everything taken so far is paid for

    /// <summary>0 = unlimited.</summary>
    public ulong BytesPerSecond => _bytesPerSecond;

    /// <param name="bytesPerSecond">0 = unlimited.</param>
    /// <param name="nowNs">What was taken before is forgiven.</param>
    public void Set(ulong bytesPerSecond, ulong nowNs)
    {
        _bytesPerSecond = bytesPerSecond;
        _freeAtNs = nowNs;
    }

    /// <summary>Whether something may start now, or when to ask again.</summary>
    public bool IsFree(ulong nowNs, out ulong retryAtNs)
    {
        retryAtNs = _freeAtNs;
        return _bytesPerSecond == 0 || _freeAtNs <= nowNs;
    }

    /// <summary>Pays for what starts now.</summary>
    /// <param name="lengthBytes">Any; a chunk larger than the burst makes the next wait longer.</param>
    /// <param name="nowNs">Time on the reactor's clock.</param>
    public void Take(ulong lengthBytes, ulong nowNs)
    {
        if (_bytesPerSecond == 0)
            return;
        ulong start = Math.Max(_freeAtNs, nowNs - Math.Min(nowNs, BurstNs));
        UInt128 costNs = (UInt128)lengthBytes * Units.NsPerSecond / _bytesPerSecond;
        _freeAtNs = costNs > ulong.MaxValue - start ? ulong.MaxValue : start + (ulong)costNs;
    }
}
