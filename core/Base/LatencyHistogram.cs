// How long something took, in powers of two of a microsecond: 40 counters, one add each time, cheap enough to be
// always on. A percentile is the upper edge of its bucket, at most twice the truth.
using System;
using System.Numerics;
using System.Threading;

namespace FastBackup.Base;

/// <summary>Threads: one adds; any reads, each figure by itself exact, the figures among each other nearly.</summary>
public sealed class LatencyHistogram
{
    const int BucketCount = 40;

    readonly ulong[] _counts = new ulong[BucketCount];
    ulong _count;
    ulong _sumNs;
    ulong _maxNs;

    public ulong Count => Volatile.Read(ref _count);

    public ulong SumNs => Volatile.Read(ref _sumNs);

    public ulong MaxNs => Volatile.Read(ref _maxNs);

    public void Add(ulong durationNs)
    {
        ulong us = durationNs / Units.NsPerUs;
        int bucket = Math.Min(BucketCount - 1, 64 - BitOperations.LeadingZeroCount(us));
        Volatile.Write(ref _counts[bucket], _counts[bucket] + 1);
        Volatile.Write(ref _sumNs, _sumNs + durationNs);
        if (durationNs > _maxNs)
            Volatile.Write(ref _maxNs, durationNs);
        Volatile.Write(ref _count, _count + 1);
    }

    /// <summary>A time that the given share of all were at most.</summary>
    /// <param name="perThousand">0..1000: 500 is the median, 990 the 99th percentile.</param>
    /// <returns>Nanoseconds: the upper edge of a bucket, or the maximum where that is less; 0 when nothing was
    /// added.</returns>
    public ulong PercentileNs(uint perThousand)
    {
        Check.That(perThousand <= 1000);
        ulong count = Count;
        ulong wanted = Math.Max(1, Units.DivCeil(count * perThousand, 1000));
        ulong seen = 0;
        for (int bucket = 0; bucket < BucketCount && count > 0; bucket++)
        {
            seen += Volatile.Read(ref _counts[bucket]);
            if (seen >= wanted)
                return Math.Min(MaxNs, (1UL << bucket) * Units.NsPerUs);
        }
        return count == 0 ? 0 : MaxNs;
    }
}
