// How much of the busy window is of use. Where the copy is held up by something else, a slow target or a limit of
// speed, a longer queue gives no more rate, and only makes the chunks larger that a guest's request meets.
//
// In spans long enough to count the rate is measured. Now and then a quarter of the window is tried for one span: if
// that loses nothing, it is the limit, and a quarter of that is tried next. A disk that the queue keeps busy loses much
// more than chance by that, so one look a second costs it a hundredth. While there is a limit, four times as much is
// tried instead, as more chunks and not as longer ones: the target may have become faster. If it seems so, a quarter
// is tried again right afterwards, in case it was chance.
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
    const uint SpanChunksMin = 24;
    const double Step = 4;
    const double LossAllowed = 0.97;
    const double GainWanted = 1.1;
    const uint RestSpans = 20;

    enum Phase
    {
        Measure,
        Less,
        More,
        Rest,
    }

    Phase _phase = Phase.Measure;
    double _baseRate;
    double _keptBytes = double.MaxValue;
    ulong _startNs; // 0: no span has begun
    ulong _copiedBytes;
    uint _chunkCount;
    uint _restCount;

    /// <summary>The window need not be larger.</summary>
    public double LimitBytes { get; private set; } = double.MaxValue;

    /// <summary>The window that says how long a chunk may be: more is tried without longer ones.</summary>
    public double ChunkLimitBytes => _phase == Phase.More ? _keptBytes : LimitBytes;

    /// <summary>The copy stood still: what was measured of this span says nothing.</summary>
    public void BeginAnew() => _startNs = 0;

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
        Decide(_copiedBytes / (double)(nowNs - _startNs), Math.Min(windowBytes, LimitBytes));
        BeginSpan(nowNs);
    }

    void Decide(double rate, double windowBytes)
    {
        switch (_phase)
        {
            case Phase.Measure when Math.Max(floorBytes, windowBytes / Step) is var less && less < windowBytes:
                (_phase, _baseRate, _keptBytes, LimitBytes) = (Phase.Less, rate, LimitBytes, less);
                return;
            case Phase.Less when rate >= _baseRate * LossAllowed:
                _phase = Phase.Measure;
                return;
            case Phase.Rest when _restCount > 0:
                _restCount--;
                return;
            case Phase.Rest when LimitBytes < double.MaxValue:
                (_phase, _baseRate, _keptBytes, LimitBytes) = (Phase.More, rate, LimitBytes, LimitBytes * Step);
                return;
            case Phase.Rest:
                _phase = Phase.Measure;
                return;
            case Phase.More when rate > _baseRate * GainWanted:
                // As much as guests allow from here on: they say when it is too much.
                (_phase, LimitBytes) = (Phase.Measure, double.MaxValue);
                return;
            case Phase.Less or Phase.More:
                LimitBytes = _keptBytes;
                break;
            default:
                break; // nothing less to try
        }
        (_phase, _restCount) = (Phase.Rest, RestSpans);
    }

    void BeginSpan(ulong nowNs) => (_startNs, _copiedBytes, _chunkCount) = (nowNs, 0, 0);
}
