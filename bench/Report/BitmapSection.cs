// The dirty bitmap's operations against QEMU's hbitmap, which is built for this run, and CRoaring: bench/Micro bitmap.
using System.Text.Json;
using System.Threading;
using FastBackup.Bench.Peers;

namespace FastBackup.Bench.Report;

static class BitmapSection
{
    const string Program = "Micro";

    /// <param name="plan">How much.</param>
    /// <param name="cancel">Ends what runs.</param>
    public static Section Run(ReportPlan plan, CancellationToken cancel)
    {
        string[] arguments =
        [
            .. (string[])["bitmap", "--peer-roaring"],
            .. plan.IsSmoke ? [] : (string[])["--peer-hbitmap"], // needs a network
            .. plan.IsSmoke ? ["--smoke"] : (string[])["--repetitions", BenchProgram.Text($"{plan.BitmapRepetitions}")],
        ];
        using JsonDocument document = BenchProgram.Run(Program, arguments, cancel);
        Section section = new(
            "Bitmap",
            "Whole operations on 2^28 bits (16 TiB at 64 KiB), the same bits in each; theirs / ours of the time, so "
                + "more is better. hbitmap and Roaring are used by one thread only; ours is while guests may set bits."
        );
        section.Commands.Add(BenchProgram.Line(Program, arguments));
        section.Missing.AddRange(BenchProgram.Missing(document.RootElement));
        foreach (JsonElement row in document.RootElement.GetProperty("Rows").EnumerateArray())
        {
            AddRatio(section, row, "QEMU's hbitmap", "Hbitmap");
            AddRatio(section, row, "CRoaring", "Roaring");
        }
        return section;
    }

    static void AddRatio(Section section, JsonElement row, string peer, string field)
    {
        if (BenchProgram.Number(row, field) is not { } theirs)
            return;
        string operation = row.GetProperty("Operation").GetString()!;
        string name = BenchProgram.Text($"bitmap against {peer}: {operation} at {Number(row, "Density")}");
        double ratio = theirs / Number(row, "Nanoseconds");
        section.Figures.Add(GoalBook.Judge(name, new Spread(ratio, ratio, ratio), isSmallerBetter: false));
    }

    static double Number(JsonElement row, string name) => BenchProgram.Number(row, name)!.Value;
}
