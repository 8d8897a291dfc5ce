// How cost grows with size and number of disks: bench/Growth.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using System.Threading;
using FastBackup.Base;
using FastBackup.Bench.Peers;

namespace FastBackup.Bench.Report;

static class GrowthSection
{
    const string Program = "Growth";

    readonly record struct SizeRow(double GiB, double Density, double StartUs, double ScanMs, double MiB);

    readonly record struct CountRow(string Kind, double Disks, double Engines, double MiBPerSecond, double CpuPerGiB);

    /// <param name="plan">How much.</param>
    /// <param name="folder">On a disk.</param>
    /// <param name="cancel">Ends what runs.</param>
    public static Section Run(ReportPlan plan, string folder, CancellationToken cancel)
    {
        string[] size = plan.IsSmoke ? ["--smoke"] : ["--passes", BenchProgram.Text($"{plan.LongRoundCount}")];
        string[] arguments = [.. size, "--dir", folder];
        using JsonDocument document = BenchProgram.Run(Program, arguments, cancel);
        Section section = new(
            "Growth",
            "An incremental backup before it copies anything (until guests may go on, and until every dirty run is "
                + "found), and full backups of many disks at once; the fastest of some passes."
        );
        section.Commands.Add(BenchProgram.Line(Program, arguments));
        AddSizes(section, [.. document.RootElement.GetProperty("Sizes").EnumerateArray().Select(ReadSize)]);
        AddCounts(section, [.. document.RootElement.GetProperty("Counts").EnumerateArray().Select(ReadCount)]);
        return section;
    }

    static void AddSizes(Section section, SizeRow[] rows)
    {
        double[] sizes = [.. rows.Select(row => row.GiB).Distinct()];
        section.Charts.Add(BySize("Start of an incremental backup", "us until guests may go on", row => row.StartUs));
        section.Charts.Add(BySize("Scan of its dirty bitmap", "ms until every run is found", row => row.ScanMs));
        section.Charts.Add(BySize("Memory of bitmap and job", "MiB resident", row => row.MiB));
        SizeRow largest = rows.Last(row => row.Density < 0.5);
        string size = BenchProgram.Text($"{SizeOf(largest.GiB)}, {largest.Density:P0} dirty");
        Add(section, $"start of an incremental backup of {size}, ms", largest.StartUs / 1000);
        Add(section, $"scan of {size}, ms", largest.ScanMs);
        Add(section, $"memory of bitmap and job, {size}, MiB", largest.MiB);

        Chart BySize(string title, string up, Func<SizeRow, double> value) =>
            new(
                title,
                "disk, GiB",
                up,
                true,
                true,
                [
                    .. rows.GroupBy(row => row.Density)
                        .Select(of => new ChartLine(
                            BenchProgram.Text($"{of.Key:P2} dirty"),
                            [.. sizes],
                            [.. of.Select(value)]
                        )),
                ]
            );
    }

    static void AddCounts(Section section, CountRow[] rows)
    {
        double[] counts = [.. rows.Select(row => row.Disks).Distinct()];
        section.Charts.Add(ByCount("Many disks at once: processor", "ms of CPU per GiB", row => row.CpuPerGiB * 1000));
        section.Charts.Add(ByCount("Many disks at once: speed", "MiB/s of all together", row => row.MiBPerSecond));
        foreach (string kind in rows.Select(row => row.Kind).Distinct())
        {
            CountRow[] one = [.. rows.Where(row => row.Kind == kind && row.Engines == 1)];
            string name = BenchProgram.Text($"{one[^1].Disks:F0} {kind} disks on one engine / one disk");
            Add(section, "CPU per GiB, " + name, one[^1].CpuPerGiB / one[0].CpuPerGiB);
            Add(section, "speed, " + name, one[^1].MiBPerSecond / one[0].MiBPerSecond, isSmallerBetter: false);
        }

        Chart ByCount(string title, string up, Func<CountRow, double> value) =>
            new(
                title,
                "disks at once",
                up,
                true,
                true,
                [
                    .. rows.GroupBy(row => (row.Kind, IsOne: row.Engines == 1))
                        .Select(of => new ChartLine(
                            $"{of.Key.Kind}, {(of.Key.IsOne ? "one engine" : "one engine per processor")}",
                            [.. counts],
                            // One disk has one engine.
                            [
                                .. counts.Select(count =>
                                    value(rows.Last(row => Is(row, of.Key.Kind, count, of.Key.IsOne)))
                                ),
                            ]
                        )),
                ]
            );
    }

    static string SizeOf(double gib) =>
        gib >= 1024 ? BenchProgram.Text($"{gib / 1024:F0} TiB") : BenchProgram.Text($"{gib:F0} GiB");

    static bool Is(CountRow row, string kind, double count, bool isOneEngine) =>
        row.Kind == kind && row.Disks == count && (row.Engines == 1 || !isOneEngine);

    static void Add(Section section, string name, double value, bool isSmallerBetter = true) =>
        section.Figures.Add(GoalBook.Judge(name, new Spread(value, value, value), isSmallerBetter));

    static SizeRow ReadSize(JsonElement row) =>
        new(
            Number(row, "SizeBytes") / Units.GiB,
            Number(row, "Density"),
            Number(row, "StartUs"),
            Number(row, "ScanUs") / 1000,
            Number(row, "MemoryBytes") / Units.MiB
        );

    static CountRow ReadCount(JsonElement row) =>
        new(
            row.GetProperty("Kind").GetString()!,
            Number(row, "DiskCount"),
            Number(row, "EngineCount"),
            Number(row, "MiBPerSecond"),
            Number(row, "CpuPerGiB")
        );

    static double Number(JsonElement row, string name) => BenchProgram.Number(row, name)!.Value;
}
