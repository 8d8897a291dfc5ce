// How much the background copy keeps in flight while no guest is there: a search for the smallest window that keeps
// the rate.
//
// Beyond the bandwidth-delay product a longer queue adds latency, not throughput, and latency is what a
// guest on the same disk feels. So each epoch (long enough to count) tries one step on a ladder of windows
// and compares the rates: growing must gain a few per cent to be kept; shrinking is kept unless it loses a
// few. After a settled answer it waits some epochs before it asks again. Vegas and BBR ask the same question
// of a network path. Chunks shrink only when the window is smaller than four full ones.
// Cost: O(1) per chunk.
using System;
using FastBackup.Base;

namespace FastBackup.Pacing;

/// <summary>Threads: the reactor's.</summary>
sealed class RateSearch
{
    const ulong EpochNsMin = 40 * Units.NsPerMs;
    const uint EpochChunksMin = 24;
    const double GainToGrow = 1.04;
    const double LossToKeep = 0.98;
    const uint RestEpochs = 12;

    enum Phase
    {
        Measure,
        Grow,
        Shrink,
        Rest,
    }

    readonly uint _chunkBytesMin;
    readonly uint _chunkBytesMax;
    readonly ulong _windowBytesMin;
    readonly ulong _windowBytesMax;

    Phase _phase = Phase.Measure;
    double _baseRate;
    ulong _baseWindowBytes;
    ulong _epochStartNs;
    ulong _epochBytes;
    uint _epochChunks;
    uint _restCount;

    /// <param name="chunkBytesMin">At least one cluster.</param>
    /// <param name="chunkBytesMax">One buffer.</param>
    /// <param name="windowBytesMax">The memory that the background may use, at least one buffer.</param>
    public RateSearch(uint chunkBytesMin, uint chunkBytesMax, ulong windowBytesMax)
    {
        Check.That(chunkBytesMin <= chunkBytesMax);
        Check.That(windowBytesMax >= chunkBytesMax);
        _chunkBytesMin = chunkBytesMin;
        _chunkBytesMax = chunkBytesMax;
        _windowBytesMax = windowBytesMax;
        _windowBytesMin = Math.Min(windowBytesMax, 4UL * chunkBytesMax); // below it chunks would shrink as well
        WindowBytes = Math.Min(windowBytesMax, 8UL * chunkBytesMax);
    }

    /// <summary>Bytes that may be in flight now, reads and writes together.</summary>
    public ulong WindowBytes { get; private set; }

    /// <summary>Longest chunk to start now: a power-of-two part of the buffer.</summary>
    public uint ChunkBytes
    {
        get
        {
            uint chunk = _chunkBytesMax;
            while (chunk > _chunkBytesMin && chunk * 4UL > WindowBytes)
                chunk /= 2;
            return Math.Max(chunk, _chunkBytesMin);
        }
    }

    /// <summary>Restarts the measurement: after a pause or a rate limit the rate says nothing.</summary>
    public void Forget(ulong nowNs) => StartEpoch(nowNs);

    public void OnChunkDone(ulong lengthBytes, ulong nowNs)
    {
        if (_epochStartNs == 0)
            StartEpoch(nowNs);
        _epochBytes += lengthBytes;
        _epochChunks++;
        if (_epochChunks < EpochChunksMin || nowNs - _epochStartNs < EpochNsMin)
            return;
        double rate = (double)_epochBytes / (nowNs - _epochStartNs);
        Decide(rate);
        StartEpoch(nowNs);
    }

    void Decide(double rate)
    {
        switch (_phase)
        {
            case Phase.Measure:
                _baseRate = rate;
                _baseWindowBytes = WindowBytes;
                Try(Phase.Grow, WindowBytes * 2);
                break;
            case Phase.Grow when rate > _baseRate * GainToGrow:
                _baseRate = rate;
                _baseWindowBytes = WindowBytes;
                Try(Phase.Grow, WindowBytes * 2);
                break;
            case Phase.Grow:
                Try(Phase.Shrink, _baseWindowBytes * 3 / 4);
                break;
            case Phase.Shrink when rate >= _baseRate * LossToKeep:
                _baseRate = Math.Max(rate, _baseRate);
                _baseWindowBytes = WindowBytes;
                Try(Phase.Shrink, WindowBytes * 3 / 4);
                break;
            case Phase.Shrink:
                Rest();
                break;
            default:
                if (--_restCount == 0)
                    _phase = Phase.Measure;
                break;
        }
    }

    /// <summary>Takes the next step on the ladder; at either end there is nothing to try.</summary>
    void Try(Phase phase, ulong windowBytes)
    {
        ulong clamped = Math.Clamp(Units.AlignDown(windowBytes, _chunkBytesMin), _windowBytesMin, _windowBytesMax);
        _phase = phase;
        if (clamped != _baseWindowBytes)
            WindowBytes = clamped;
        else if (phase == Phase.Grow)
            Try(Phase.Shrink, _baseWindowBytes * 3 / 4);
        else
            Rest();
    }

    void Rest()
    {
        WindowBytes = _baseWindowBytes;
        _phase = Phase.Rest;
        _restCount = RestEpochs;
    }

    void StartEpoch(ulong nowNs)
    {
        _epochStartNs = nowNs;
        _epochBytes = 0;
        _epochChunks = 0;
    }
}
