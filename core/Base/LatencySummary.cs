// The figures of a histogram that people look at.
namespace FastBackup.Base;

/// <param name="Count">Durations.</param>
/// <param name="SumNs">Of all of them.</param>
/// <param name="P50Ns">The median, at most an eighth too much.</param>
/// <param name="P99Ns">The 99th percentile, likewise.</param>
/// <param name="MaxNs">The longest, exact.</param>
public readonly record struct LatencySummary(ulong Count, ulong SumNs, ulong P50Ns, ulong P99Ns, ulong MaxNs);
