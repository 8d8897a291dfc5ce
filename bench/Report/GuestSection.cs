// What a guest feels of a backup, against itself without one and against QEMU: bench/GuestLatency.
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using System.Threading;
using FastBackup.Bench.Peers;

namespace FastBackup.Bench.Report;

static class GuestSection
{
    const string Program = "GuestLatency";

    /// <param name="size">Of the guest's disk.</param>
    /// <param name="roundCount">At least 1.</param>
    /// <param name="seconds">That a guest is watched.</param>
    /// <param name="folder">On a disk; null: a temporary one.</param>
    /// <param name="cancel">Ends what runs.</param>
    public static Section Run(string size, int roundCount, int seconds, string? folder, CancellationToken cancel)
    {
        string[] place = folder == null ? [] : ["--dir", folder];
        string[] arguments =
        [
            .. (string[])["--size", size, "--absorb", "--hardware"],
            .. (string[])["--rounds", BenchProgram.Text($"{roundCount}")],
            .. (string[])["--seconds", BenchProgram.Text($"{seconds}")],
            .. place,
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
                row.Key.Load,
                row.Key.Who,
                Median(row.Select(run => BenchProgram.Number(run.GetProperty("Pace"), "MiBPerSecond"))),
                Median(row.Select(run => BenchProgram.Number(run.GetProperty("Guest"), "P99Us")))
            );
    }

    static string WhoOf(JsonElement run)
    {
        string scenario = RowText(run, "Scenario");
        return RowText(run, "Who") + (scenario == "absorbing" ? ", absorbing" : "");
    }

    static string RowText(JsonElement run, string name) => run.GetProperty("Row").GetProperty(name).GetString()!;

    static bool IsThere(JsonElement run, string name) => run.GetProperty(name).ValueKind == JsonValueKind.Object;

    static double Median(IEnumerable<double?> values) => Spread.Of(values.Select(value => value ?? 0)).Median;
}
