// Percentiles of recent latencies, fine enough to steer by: counts in LogBuckets, told by their middles (an error of at
// most 9 %), in which old samples fade: when there are many, all counts are halved.
//
// The 99th percentile needs hundreds of samples and the median a few. So the ratio of the two is learnt while there
// are many, and the tail is told as median times ratio: after a few new samples it has moved with the median.
// Cost: adding is O(1); the two percentiles are found again after each 64 samples, O(buckets).
using System;
using FastBackup.Base;

namespace FastBackup.Pacing;

/// <summary>Threads: one.</summary>
sealed class LatencySketch
{
    const int DurationBits = 43; // what takes longer than two hours counts as two hours
    const uint CountMax = 4096;
    const uint CountMin = 3;
    const uint TailCountMin = 200;
    const uint LookEvery = 64;
    const double TailRatioMin = 1.5;
    const double TailRatioMax = 3;

    readonly uint[] _counts = new uint[LogBuckets.CountFor(DurationBits)];
    double _sumNs;
    uint _count;
    uint _addedSinceLook;
    double _tailRatio = 2;
    ulong _medianNs;
    bool _mustFade;

    /// <summary>Enough samples for a median.</summary>
    public bool IsKnown => _count >= CountMin;

    /// <summary>Samples so far, old ones fading.</summary>
    public uint Count => _count;

    /// <summary>0 while nothing is known.</summary>
    public ulong MedianNs
    {
        get
        {
            Look();
            return _medianNs;
        }
    }

    /// <summary>0 while nothing is known; at most two medians, since others may have disturbed a few.</summary>
    public double MeanNs => _count == 0 ? 0 : Math.Min(_sumNs / _count, 2.0 * MedianNs);

    /// <summary>The 99th percentile, at least 1.5 and at most 3 medians.</summary>
    public ulong TailNs => (ulong)(MedianNs * _tailRatio);

    public void Add(ulong durationNs)
    {
        if (_mustFade)
            Fade(2);
        _mustFade = false;
        _sumNs += durationNs;
        _counts[Math.Min(_counts.Length - 1, LogBuckets.Of(Math.Max(durationNs, LogBuckets.Steps)))]++;
        _addedSinceLook++;
        if (++_count >= CountMax)
            Fade(1);
    }

    /// <summary>What is known counts a quarter as soon as something newer is known.</summary>
    public void FadeAtNext() => _mustFade = true;

    void Fade(int shift)
    {
        Look();
        uint oldCount = _count;
        _count = 0;
        for (int i = 0; i < _counts.Length; i++)
            _count += _counts[i] >>= shift;
        _sumNs *= (double)_count / Math.Max(1, oldCount);
    }

    void Look()
    {
        if (_addedSinceLook == 0 || (_addedSinceLook < LookEvery && _count > LookEvery))
            return;
        _addedSinceLook = 0;
        _medianNs = Percentile(50);
        if (_count >= TailCountMin)
            _tailRatio = Math.Clamp(Percentile(99) / (double)Math.Max(1, _medianNs), TailRatioMin, TailRatioMax);
    }

    ulong Percentile(uint percent)
    {
        ulong wanted = Math.Max(1, (ulong)_count * percent / 100);
        ulong seen = 0;
        for (int i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= wanted)
                return MiddleNs(i);
        }
        return 0;
    }

    static ulong MiddleNs(int bucket) => LogBuckets.First(bucket) + LogBuckets.Width(bucket) / 2;
}
