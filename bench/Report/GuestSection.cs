// What a guest feels of a backup, against itself without one and against QEMU: bench/GuestLatency.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bench.Peers;

namespace FastBackup.Bench.Report;

static class GuestSection
{
    const string Program = "GuestLatency";
    const string NoBackup = "no backup"; // a scenario of it

    /// <param name="plan">How much.</param>
    /// <param name="folder">On a disk.</param>
    /// <param name="cancel">Ends what runs.</param>
    public static Section Run(ReportPlan plan, string folder, CancellationToken cancel)
    {
        string[] arguments =
        [
            .. (string[])["--size", BenchProgram.Text($"{plan.GuestBytes / Units.MiB}MiB"), "--absorb", "--hardware"],
            .. plan.HasFrontier ? ["--frontier"] : (string[])[],
            .. (string[])["--rounds", BenchProgram.Text($"{plan.LongRoundCount}")],
            .. (string[])["--seconds", BenchProgram.Text($"{plan.GuestSeconds}")],
            .. (string[])["--dir", folder],
        ];
        using JsonDocument document = BenchProgram.Run(Program, arguments, cancel);
        Section section = new(
            "Guests",
            "A guest by NBD while its disk is backed up: its rate and its slowest hundredth against itself without a "
                + "backup, the backup against itself without a guest."
        );
        section.Commands.Add(BenchProgram.Line(Program, arguments));
        section.Missing.AddRange(BenchProgram.Missing(document.RootElement));
        section.Figures.AddRange(BenchProgram.Figures(document.RootElement.GetProperty("Goals"), ""));
        section.Frontier.AddRange(Points(document.RootElement.GetProperty("Runs")));
        section.Charts.AddRange(Spreads(document.RootElement.GetProperty("Runs")));
        return section;
    }

    /// <summary>Medians over the rounds of what had a guest and a backup.</summary>
    static IEnumerable<FrontierPoint> Points(JsonElement runs)
    {
        foreach (
            var row in runs.EnumerateArray()
                .Where(run => IsThere(run, "Guest") && IsThere(run, "Pace"))
                .GroupBy(run => (Load: RowText(run, "Load"), Who: WhoOf(run)))
        )
            yield return new FrontierPoint(
                LabelOf(row.Key.Load, row.Key.Who),
                row.Key.Who.Split(' ')[0] == "QEMU" ? "QEMU" : row.Key.Who,
                Median(row.Select(run => BenchProgram.Number(run.GetProperty("Pace"), "MiBPerSecond"))),
                Median(row.Select(run => BenchProgram.Number(run.GetProperty("Guest"), "P99Us")))
            );
    }

    /// <summary>Of each load: how many requests took how long, without a backup and beside each of them.</summary>
    static IEnumerable<Chart> Spreads(JsonElement runs)
    {
        foreach (var load in runs.EnumerateArray().Where(run => IsThere(run, "Guest")).GroupBy(LoadOf))
        {
            List<ChartLine> lines =
            [
                .. load.Where(run => RowText(run, "Scenario") is NoBackup or "backup" or "absorbing")
                    .Where(run => RowText(run, "Who") is "ours" or "QEMU")
                    .GroupBy(run => $"{WhoOf(run)}, {(RowText(run, "Scenario") == NoBackup ? NoBackup : "backup")}")
                    .Select(of => Line(of.Key, [.. of])),
            ];
            if (lines.Count > 0)
                yield return new Chart($"Guest {load.Key}", "latency, us", "% at most so long", true, false, lines);
        }
    }

    /// <summary>Medians over the rounds.</summary>
    static ChartLine Line(string name, JsonElement[] runs)
    {
        double[][] latencies = [.. runs.Select(run => Numbers(run.GetProperty("Guest"), "LatenciesUs"))];
        double[] shares = Numbers(runs[0].GetProperty("Guest"), "Shares");
        return new ChartLine(
            name,
            [.. shares.Select((_, i) => Spread.Of(latencies.Select(of => of[i])).Median)],
            [.. shares.Select(share => share * 100)]
        );
    }

    static double[] Numbers(JsonElement of, string name) =>
        [.. of.GetProperty(name).EnumerateArray().Select(value => value.GetDouble())];

    static string LoadOf(JsonElement run) => RowText(run, "Load");

    /// <summary>QEMU's settings stand at their points.</summary>
    static string LabelOf(string load, string who) =>
        who.StartsWith("QEMU ", StringComparison.Ordinal) ? $"{load}, {who[5..]}" : load;

    static string WhoOf(JsonElement run)
    {
        string scenario = RowText(run, "Scenario");
        return RowText(run, "Who") + (scenario == "absorbing" ? ", absorbing" : "");
    }

    static string RowText(JsonElement run, string name) => run.GetProperty("Row").GetProperty(name).GetString()!;

    static bool IsThere(JsonElement run, string name) => run.GetProperty(name).ValueKind == JsonValueKind.Object;

    static double Median(IEnumerable<double?> values) => Spread.Of(values.Select(value => value ?? 0)).Median;
}
