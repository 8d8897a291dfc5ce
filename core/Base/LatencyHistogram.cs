// How long something took, in LogBuckets: a percentile is at most an eighth above the truth; one add each time, cheap
// enough to be always on. Durations are cut to 128 ns units: what is measured here takes microseconds.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;

namespace FastBackup.Base;

/// <summary>Threads: one adds; any reads, each figure by itself exact, the figures among each other nearly.</summary>
public sealed class LatencyHistogram
{
    const int UnitShift = 7;

    readonly ulong[] _counts = new ulong[LogBuckets.CountFor(64 - UnitShift)];
    ulong _count;
    ulong _sumNs;
    ulong _maxNs;

    public ulong Count => Volatile.Read(ref _count);

    public ulong SumNs => Volatile.Read(ref _sumNs);

    public ulong MaxNs => Volatile.Read(ref _maxNs);

    public void Add(ulong durationNs)
    {
        ref ulong count = ref _counts[LogBuckets.Of(durationNs >> UnitShift)];
        Volatile.Write(ref count, count + 1);
        Volatile.Write(ref _sumNs, _sumNs + durationNs);
        if (durationNs > _maxNs)
            Volatile.Write(ref _maxNs, durationNs);
        Volatile.Write(ref _count, _count + 1);
    }

    /// <summary>A time that the given share of all were at most.</summary>
    /// <param name="perThousand">0..1000: 500 is the median, 990 the 99th percentile.</param>
    /// <returns>Nanoseconds: the upper edge of a bucket, or the maximum where that is less; 0 when nothing was
    /// added.</returns>
    /// <remarks>Cost: a walk over 440 counters.</remarks>
    public ulong PercentileNs(uint perThousand)
    {
        Check.That(perThousand <= 1000);
        ulong count = Count;
        ulong wanted = Math.Max(1, Units.DivCeil(count * perThousand, 1000));
        ulong seen = 0;
        for (int bucket = 0; bucket < _counts.Length && count > 0; bucket++)
        {
            seen += Volatile.Read(ref _counts[bucket]);
            if (seen >= wanted)
                return Math.Min(MaxNs, UpperEdgeNs(bucket));
        }
        return count == 0 ? 0 : MaxNs;
    }

    /// <summary>Count, sum, median, 99th percentile and maximum in one.</summary>
    public LatencySummary Summarize() => new(Count, SumNs, PercentileNs(500), PercentileNs(990), MaxNs);

    /// <summary>The counts by powers of two, from the shortest that was seen to the longest.</summary>
    /// <returns>Each with its upper edge: durations are below it and not in an earlier bin.</returns>
    /// <remarks>Cost: a walk over 440 counters. Allocates.</remarks>
    public (ulong BelowNs, ulong Count)[] Bins()
    {
        List<(ulong BelowNs, ulong Count)> bins = [];
        int kept = 0;
        for (int first = 0; first < _counts.Length; first += LogBuckets.Steps)
        {
            ulong count = 0;
            for (int bucket = first; bucket < first + LogBuckets.Steps; bucket++)
                count += Volatile.Read(ref _counts[bucket]);
            if (count == 0 && bins.Count == 0)
                continue;
            ulong lastNs = UpperEdgeNs(first + LogBuckets.Steps - 1);
            bins.Add((lastNs == ulong.MaxValue ? lastNs : lastNs + 1, count));
            kept = count > 0 ? bins.Count : kept;
        }
        return [.. bins.Take(kept)];
    }

    /// <summary>The last nanosecond of a bucket.</summary>
    static ulong UpperEdgeNs(int bucket)
    {
        ulong units = LogBuckets.First(bucket) + LogBuckets.Width(bucket);
        return units > ulong.MaxValue >> UnitShift ? ulong.MaxValue : (units << UnitShift) - 1;
    }
}
