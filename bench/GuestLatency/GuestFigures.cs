// What the guest felt in one stretch of time, from its own record of every write.
using System;
using System.Collections.Generic;
using System.Linq;

namespace FastBackup.Bench.GuestLatency;

/// <param name="Count">Writes that ended in that time.</param>
/// <param name="Seconds">Its length.</param>
/// <param name="P50Us">Median latency.</param>
/// <param name="P99Us">99 in a hundred were at most so long; of reads and writes apart, the longer.</param>
/// <param name="MaxUs">The longest.</param>
/// <param name="Shares">0.01 to 1: of which latencies are told; empty where it is no guest by NBD.</param>
/// <param name="LatenciesUs">So long at most took that share of all requests; 0 without any.</param>
/// <param name="ErrorCount">Writes that failed, in the guest's whole life.</param>
sealed record GuestFigures(
    int Count,
    double Seconds,
    double P50Us,
    double P99Us,
    double MaxUs,
    double[] Shares,
    double[] LatenciesUs,
    int ErrorCount
)
{
    static readonly double[] s_shares = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1];

    public double Iops => Seconds > 0 ? Count / Seconds : 0;

    static double P99(IEnumerable<GuestWrite> writes)
    {
        double[] latenciesUs = [.. writes.Select(write => write.LatencyNs / 1e3).Order()];
        return latenciesUs.Length == 0
            ? 0
            : latenciesUs[Math.Min(latenciesUs.Length - 1, (int)(latenciesUs.Length * 0.99))];
    }

    /// <summary>
    /// Rates count what ended in the time. Latencies are also those of writes that were still under way at its end:
    /// one that hangs is not left out because it has not ended.
    /// </summary>
    public static GuestFigures Of(IEnumerable<GuestWrite> writes, double startMs, double endMs, int errorCount)
    {
        GuestWrite[] felt = [.. writes.Where(write => write.EndMs >= startMs && write.StartMs <= endMs)];
        double[] latenciesUs = [.. felt.Select(write => write.LatencyNs / 1e3).Order()];
        double At(double share) =>
            latenciesUs.Length == 0
                ? 0
                : latenciesUs[Math.Min(latenciesUs.Length - 1, (int)(latenciesUs.Length * share))];
        return new GuestFigures(
            felt.Count(write => write.EndMs <= endMs),
            (endMs - startMs) / 1000,
            At(0.5),
            Math.Max(P99(felt.Where(one => one.IsRead)), P99(felt.Where(one => !one.IsRead))),
            latenciesUs.Length == 0 ? 0 : latenciesUs[^1],
            s_shares,
            [.. s_shares.Select(At)],
            errorCount
        );
    }
}
