// The mean latency of writes that nobody times: Little's law. Hosts that do their own I/O begin and end writes on any
// thread in a few nanoseconds, without a clock. But the mean number in flight is the rate of arrival times the mean
// latency, and both can be had from two counts, looked at now and then by the reactor.
using System;

namespace FastBackup.Pacing;

/// <summary>Where the counts come from. Threads: the reactor's.</summary>
public interface IWriteCounts
{
    /// <summary>Writes that began and writes that ended, since the start.</summary>
    void Read(out ulong begunCount, out ulong endedCount);
}

/// <summary>Threads: the reactor's. Cost: what the counts cost to read.</summary>
sealed class WriteMeter(IWriteCounts counts)
{
    const uint LookMin = 16;
    const double IdleBegunMin = 3;

    ulong _lookedNs;
    ulong _lastBegunCount;
    double _areaNs;
    double _idleAreaNs;
    double _idleBegunCount;
    ulong _begunCount;
    uint _lookCount;

    /// <summary>Writes under way at the last look.</summary>
    public ulong InFlightCount { get; private set; }

    /// <summary>Looks at the counts; says how many writes began since the last look.</summary>
    /// <returns>Whether a write began or was under way since the last look.</returns>
    public bool Look(ulong nowNs, out ulong newCount)
    {
        counts.Read(out ulong begunCount, out ulong endedCount);
        // A write that has to wait counts itself, and takes that back: the count may have been one too high before.
        newCount = begunCount - Math.Min(begunCount, _lastBegunCount);
        _begunCount += newCount;
        _areaNs += (double)InFlightCount * (nowNs - Math.Min(nowNs, _lookedNs));
        _lookCount++;
        (_lookedNs, _lastBegunCount) = (nowNs, Math.Max(begunCount, _lastBegunCount));
        InFlightCount = begunCount - Math.Min(begunCount, endedCount);
        return newCount > 0 || InFlightCount > 0;
    }

    /// <summary>The mean since the last one, once enough writes and looks stand behind it.</summary>
    public bool TryTake(uint countMin, out ulong meanNs)
    {
        meanNs = 0;
        if (_begunCount < countMin || _lookCount < LookMin)
            return false;
        meanNs = (ulong)(_areaNs / _begunCount);
        Restart();
        return true;
    }

    /// <summary>The mean on the idle disk; 0 = not known.</summary>
    public double IdleMeanNs => _idleBegunCount >= IdleBegunMin ? _idleAreaNs / _idleBegunCount : 0;

    /// <summary>What was counted since the restart was on the idle disk; what is older counts half.</summary>
    public void LearnIdle()
    {
        _idleAreaNs = _idleAreaNs / 2 + _areaNs;
        _idleBegunCount = _idleBegunCount / 2 + _begunCount;
        Restart();
    }

    /// <summary>Writes that began since the restart.</summary>
    public ulong BegunCount => _begunCount;

    /// <summary>Forgets what was counted for the next mean.</summary>
    public void Restart() => (_areaNs, _begunCount, _lookCount) = (0, 0, 0);
}
