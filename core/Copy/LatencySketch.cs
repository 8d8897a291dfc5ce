// Percentiles of recent latencies, fine enough to steer by: a logarithmic histogram with eight steps to the octave
// (an error of at most 9 %), in which old samples fade: when there are many, all counts are halved.
//
// The 99th percentile needs hundreds of samples and the median a few. So the ratio of the two is learnt while there
// are many, and the tail is told as median times ratio: after a few new samples it has moved with the median.
// Cost: adding is O(1); the two percentiles are found again after each 64 samples, O(buckets).
using System;
using System.Numerics;

namespace FastBackup.Copy;

/// <summary>Threads: one.</summary>
sealed class LatencySketch
{
    const int StepsPerOctaveLog = 3;
    const int BucketCount = 40 << StepsPerOctaveLog;
    const uint CountMax = 4096;
    const uint CountMin = 3;
    const uint TailCountMin = 200;
    const uint LookEvery = 64;
    const double TailRatioMin = 1.5;
    const double TailRatioMax = 3;

    readonly uint[] _counts = new uint[BucketCount];
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
        _counts[Bucket(durationNs)]++;
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
        for (int i = 0; i < BucketCount; i++)
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
        for (int i = 0; i < BucketCount; i++)
        {
            seen += _counts[i];
            if (seen >= wanted)
                return MiddleNs(i);
        }
        return 0;
    }

    static int Bucket(ulong durationNs)
    {
        ulong value = Math.Max(durationNs, 1UL << StepsPerOctaveLog);
        int octave = BitOperations.Log2(value);
        int step = (int)(value >> (octave - StepsPerOctaveLog)) & ((1 << StepsPerOctaveLog) - 1);
        return Math.Min(BucketCount - 1, ((octave - StepsPerOctaveLog) << StepsPerOctaveLog) + step);
    }

    static ulong MiddleNs(int bucket)
    {
        int octave = (bucket >> StepsPerOctaveLog) + StepsPerOctaveLog;
        ulong step = (ulong)bucket & ((1 << StepsPerOctaveLog) - 1);
        ulong width = 1UL << (octave - StepsPerOctaveLog);
        return (1UL << octave) + step * width + width / 2;
    }
}
