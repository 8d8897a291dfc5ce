// The text of a run: one line a copy, then a table and the goals for each state of the target.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using FastBackup.Base;
using FastBackup.Bench.Peers;

namespace FastBackup.Bench.Throughput;

static class Report
{
    public static string Name(TargetState state) => state == TargetState.Fresh ? "fresh" : "overwrite";

    public static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    /// <param name="state">Of the target.</param>
    /// <param name="round">From 1.</param>
    /// <param name="run">Who and how fast.</param>
    /// <param name="ours">What only our copy tells, or null.</param>
    public static string RunLine(TargetState state, int round, CopyRun run, CopyReport? ours)
    {
        string line = string.Create(
            CultureInfo.InvariantCulture,
            $"  {Name(state), -9} round {round} {run.Name, -8} {run.WallSeconds, 7:F3} s {run.MiBPerSecond, 7:F0} MiB/s"
                + $"  cpu {run.Job.UserSeconds, 6:F3} + {run.Job.SystemSeconds, 6:F3} s"
                + $"  faults {run.Job.MinorFaultCount, 8}"
        );
        if (run.PeakResidentBytes > 0)
            line += string.Create(CultureInfo.InvariantCulture, $"  rss {run.PeakResidentBytes / Units.MiB} MiB");
        if (ours != null)
            line += string.Create(
                CultureInfo.InvariantCulture,
                $"  enters {ours.EnterCount}, window {ours.WindowBytes / (double)Units.MiB:F1} MiB, open "
                    + $"{ours.OpenSeconds * 1000:F0} ms, managed {ours.LoopManagedBytes} B ({ours.ManagedBytes} B)"
            );
        return line;
    }

    public static IEnumerable<string> StateLines(StateResult result, bool isTmpfs)
    {
        yield return "";
        yield return $"{Name(result.State)}: medians of {result.Runs.Count} rounds (min..max)";
        yield return Row("", "MiB/s", "CPU-s/GiB job", "process", "faults job", "process", "RSS MiB");
        foreach (string name in result.Runs[0].Select(run => run.Name).Order(StringComparer.Ordinal))
            yield return PeerRow(name, [.. result.Of(name)]);
        foreach (Goal goal in result.Goals(isTmpfs))
            yield return $"  {goal.Name, -40} {goal.Value.ToText(goal.Format), -26} {goal.Verdict}".TrimEnd();
    }

    public static IEnumerable<string> MachineryLines(IEnumerable<MachineryRow> rows)
    {
        yield return "";
        yield return "the machinery alone: bitmap, window, engine, reactor; no kernel";
        foreach (MachineryRow row in rows)
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"  {row.Name, -16} {row.BufferBytes / Units.KiB, 5} KiB chunks  {row.NsPerChunk, 10:F0} ns per chunk"
                    + $"  {row.GiBPerSecond, 9:F2} GiB/s  {row.LoopManagedBytes} B allocated"
            );
    }

    static string PeerRow(string name, CopyRun[] runs)
    {
        ulong peakBytes = runs.Max(run => run.PeakResidentBytes);
        return Row(
            name,
            Spread.Of(runs.Select(run => run.MiBPerSecond)).ToText("F0"),
            Spread.Of(runs.Select(run => run.JobCpuPerGiB)).ToText("F3"),
            Number(Spread.Of(runs.Select(run => run.ProcessCpuPerGiB)).Median, "F3"),
            Number(Spread.Of(runs.Select(run => (double)run.Job.MinorFaultCount)).Median, "F0"),
            Number(Spread.Of(runs.Select(run => (double)run.Process.MinorFaultCount)).Median, "F0"),
            peakBytes == 0 ? "-" : Number(peakBytes / (double)Units.MiB, "F0")
        );
    }

    static string Row(params string[] cells) =>
        $"  {cells[0], -8} {cells[1], -18} {cells[2], -22} {cells[3], 7} {cells[4], 11} {cells[5], 9} {cells[6], 8}";
}
