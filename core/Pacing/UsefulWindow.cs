// How much of the busy window is of use. Where the copy is held up by something else, a slow target or a limit of
// speed, a longer queue gives no more rate, and only makes the chunks larger that a guest's request meets.
//
// In spans long enough to count the rate is measured. Now and then a quarter of the window is tried for one span: if
// that loses nothing, it is the limit, and a quarter of that is tried next. If it seems to lose, the whole window is
// measured once more: a target with a cache, or with a limit by tokens, is faster for a while after a rest, and what
// came first then wins by that alone. Not judged are, for the same reason, the span after a stop of the copy, and one
// in which guests were there all the time: then the window is not what held the copy up.
//
// A disk that the queue keeps busy loses much more than chance by a quarter, so one look a second costs it a hundredth.
// While there is a limit, four times as much is tried instead, by turns as more chunks and as longer ones, which guests
// feel: the target may have become faster. If it seems so, a quarter is tried again right afterwards, in case it was
// chance.
//
// Cost: O(1) per chunk. RateSearch asks the same while no guest is there, by small steps of its own; here the guests
// move the window, and this only bounds it.
using System;
using FastBackup.Base;

namespace FastBackup.Pacing;

/// <summary>Threads: the reactor's.</summary>
/// <param name="floorBytes">Less is not tried.</param>
sealed class UsefulWindow(double floorBytes)
{
    const ulong SpanNsMin = 40 * Units.NsPerMs;
    const uint SpanChunksMin = 6;
    const double Step = 4;
    const double LossAllowed = 0.97;
    const double GainWanted = 1.1;
    const ulong RestNs = 800 * Units.NsPerMs;

    enum Phase
    {
        Measure,
        Less,
        Again,
        More,
        Rest,
    }

    Phase _phase = Phase.Measure;
    double _baseRate; // what the span under way is compared with
    double _baseAllRate; // with what was drained
    double _otherBytes = double.MaxValue; // the limit that is not tried now
    ulong _startNs; // 0: no span has begun
    ulong _copiedBytes;
    ulong _drainedBytes;
    uint _chunkCount;
    uint _gatedCount;
    ulong _restedNs; // when it is looked again
    bool _isAfterStop; // of this span
    bool _isLonger; // of the looks for more, each second one is by longer chunks

    /// <summary>The window need not be larger.</summary>
    public double LimitBytes { get; private set; } = double.MaxValue;

    /// <summary>The window that says how long a chunk may be: more is tried without longer ones at first.</summary>
    public double ChunkLimitBytes => _phase == Phase.More && !_isLonger ? _otherBytes : LimitBytes;

    /// <summary>The copy stood still: what was measured of this span says nothing.</summary>
    public void BeginAnew() => (_startNs, _isAfterStop) = (0, true);

    /// <summary>The target has taken so much beside the chunks: more of them is no gain where it takes less of that.
    /// </summary>
    public void OnDrained(ulong lengthBytes) => _drainedBytes += lengthBytes;

    /// <summary>A chunk was started in the share of time that the background has beside guests that are always there.
    /// </summary>
    public void OnGated() => _gatedCount++;

    /// <summary>A chunk was copied.</summary>
    /// <param name="lengthBytes">Its size.</param>
    /// <param name="windowBytes">What guests allow now.</param>
    /// <param name="nowNs">Now.</param>
    public void OnChunkDone(ulong lengthBytes, double windowBytes, ulong nowNs)
    {
        if (_startNs == 0)
        {
            BeginSpan(nowNs);
            return;
        }
        _copiedBytes += lengthBytes;
        _chunkCount++;
        if (_chunkCount < SpanChunksMin || nowNs - _startNs < SpanNsMin)
            return;
        if (!_isAfterStop && _gatedCount <= _chunkCount / 2)
            Decide(_copiedBytes / (double)(nowNs - _startNs), Math.Min(windowBytes, LimitBytes), nowNs);
        _isAfterStop = false;
        BeginSpan(nowNs);
    }

    void Decide(double rate, double windowBytes, ulong nowNs)
    {
        switch (_phase)
        {
            case Phase.Measure when TryLess(rate, windowBytes):
                return;
            case Phase.Less when rate < _baseRate * LossAllowed:
                (_phase, _baseRate, _otherBytes, LimitBytes) = (Phase.Again, rate, LimitBytes, _otherBytes);
                return;
            case Phase.Less when TryLess(rate, windowBytes):
                return;
            case Phase.Again when _baseRate >= rate * LossAllowed:
                (_phase, LimitBytes) = (Phase.Measure, _otherBytes);
                return;
            case Phase.Rest when nowNs < _restedNs:
                return;
            case Phase.Rest when LimitBytes < double.MaxValue:
                (_phase, _otherBytes, LimitBytes) = (Phase.More, LimitBytes, LimitBytes * Step);
                (_baseRate, _baseAllRate) = (rate, AllRate(nowNs));
                return;
            case Phase.Rest:
                _phase = Phase.Measure;
                return;
            case Phase.More when rate > _baseRate * GainWanted && AllRate(nowNs) > _baseAllRate * GainWanted:
                // As much as guests allow from here on: they say when it is too much.
                (_phase, LimitBytes) = (Phase.Measure, double.MaxValue);
                return;
            case Phase.More:
                (LimitBytes, _isLonger) = (_otherBytes, !_isLonger);
                break;
            default:
                break; // nothing less to try, or the whole window is of use
        }
        (_phase, _restedNs) = (Phase.Rest, nowNs + RestNs);
    }

    /// <summary>A quarter is tried, if there is one; the rate of the whole is known.</summary>
    bool TryLess(double rate, double windowBytes)
    {
        double lessBytes = Math.Max(floorBytes, windowBytes / Step);
        if (lessBytes >= windowBytes)
            return false;
        (_phase, _baseRate, _otherBytes, LimitBytes) = (Phase.Less, rate, LimitBytes, lessBytes);
        return true;
    }

    double AllRate(ulong nowNs) => (_copiedBytes + _drainedBytes) / (double)(nowNs - _startNs);

    void BeginSpan(ulong nowNs)
    {
        (_startNs, _copiedBytes, _drainedBytes) = (nowNs, 0, 0);
        (_chunkCount, _gatedCount) = (0, 0);
    }
}
