// A stretch of time on a bench: how a guest and a copy fared.
using System;
using System.Collections.Generic;
using FastBackup.Base;

namespace FastBackup.Tests.Unit.Jobs;

/// <summary>How a guest and a copy fared for a while. Latencies in microseconds.</summary>
sealed record Stretch(int Count, double PerSecond, double P50, double P99, double Mean, double MiBPerSecond)
{
    public static Stretch Of(List<ulong> latencies, double seconds, ulong bytes)
    {
        double sum = 0;
        foreach (ulong latency in latencies)
            sum += latency;
        int count = latencies.Count;
        return new Stretch(
            count,
            count / seconds,
            count == 0 ? 0 : latencies[count / 2] / 1e3,
            count == 0 ? 0 : latencies[Math.Min(count - 1, count * 99 / 100)] / 1e3,
            count == 0 ? 0 : sum / count / 1e3,
            bytes / seconds / Units.MiB
        );
    }

    public override string ToString() =>
        FormattableString.Invariant(
            $"{PerSecond:0} IOPS, p50 {P50:0} p99 {P99:0} mean {Mean:0} us, copy {MiBPerSecond:0} MiB/s"
        );
}
