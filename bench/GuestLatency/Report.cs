// The text of a run: one line a measurement, then a table of medians, then the goals.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using FastBackup.Bench.Peers;

namespace FastBackup.Bench.GuestLatency;

static class Report
{
    public static string RunLine(GuestRun run)
    {
        string line = Text($"  round {run.Round} {run.Row.Scenario, -11} {run.Row.Load, -6} {run.Row.Who, -16}");
        if (run.Guest is { } guest)
        {
            line += Text($" {guest.Iops, 7:F0} IOPS  p50 {guest.P50Us, 7:F0}");
            line += Text($"  p99 {guest.P99Us, 7:F0}  max {guest.MaxUs, 7:F0} us");
        }
        if (run.Pace is { } pace)
            line += Text(
                $"  {pace.MiBPerSecond, 5:F0} MiB/s over {pace.Seconds:F2} s{(pace.IsWhole ? ", whole" : "")}"
            );
        if (run.Cancel is { } cancel)
            line += Text($"  job ended after {Seconds(cancel.EndSeconds)}, off after {Seconds(cancel.DetachSeconds)}");
        if (run.Guest is { ErrorCount: > 0 })
            line += "  THE GUEST HAD ERRORS";
        return line;
    }

    public static IEnumerable<string> Table(IReadOnlyList<GuestRun> runs)
    {
        yield return Text($"medians of {runs.Max(run => run.Round)} rounds (min..max)");
        yield return Row("", "", "", "guest IOPS", "p50 us", "p99 us", "max us", "backup MiB/s");
        foreach (IGrouping<RowKey, GuestRun> row in runs.GroupBy(run => run.Row))
        {
            GuestFigures[] guests = [.. row.Where(run => run.Guest != null).Select(run => run.Guest!)];
            string Of(Func<GuestFigures, double> value) =>
                guests.Length == 0 ? "-" : Spread.Of(guests.Select(value)).ToText("F0");
            bool hasPace = row.First().Pace != null;
            yield return Row(
                row.Key.Scenario,
                row.Key.Load,
                row.Key.Who,
                Of(guest => guest.Iops),
                Of(guest => guest.P50Us),
                Of(guest => guest.P99Us),
                Of(guest => guest.MaxUs),
                hasPace ? Spread.Of(row.Select(run => run.MiBPerSecond)).ToText("F0") : "-"
            );
        }
    }

    /// <summary>What cannot be put into the table: the end of a job whose target hangs.</summary>
    public static IEnumerable<string> CancelLines(IReadOnlyList<GuestRun> runs)
    {
        foreach (GuestRun run in runs)
            if (run.Cancel is { } cancel)
                yield return Text($"  {run.Row.Who, -6} cancelled with a hung target, round {run.Round}: job ended ")
                    + Text($"after {Seconds(cancel.EndSeconds)}, off the disk after {Seconds(cancel.DetachSeconds)}");
    }

    static string Seconds(double? seconds) =>
        seconds is { } value ? Text($"{value:F3} s") : Text($"more than {GuestMeasurement.CancelLimit.TotalSeconds} s");

    public static string GoalLine(Goal goal)
    {
        string bound = goal.AtLeast is { } low ? Text($">= {low}") : Text($"<= {goal.AtMost!.Value}");
        string verdict = goal.IsMet == true ? "MET" : "NOT MET";
        return $"  {verdict, -7} {goal.Name}: {goal.Value.ToText(goal.Format)}, goal {bound}";
    }

    static string Row(params string[] cells)
    {
        int[] widths = [11, 6, 16, 22, 24, 26, 26, 1];
        return ("  " + string.Join(' ', cells.Zip(widths, (cell, width) => cell.PadRight(width)))).TrimEnd();
    }

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
