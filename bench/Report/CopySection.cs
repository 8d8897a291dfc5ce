// Full copies against fio and QEMU, on a disk and in memory: bench/Throughput.
using System.Collections.Generic;
using System.Text.Json;
using System.Threading;

namespace FastBackup.Bench.Report;

static class CopySection
{
    const string Program = "Throughput";

    /// <param name="size">Of the disk.</param>
    /// <param name="memorySize">Of the one in memory.</param>
    /// <param name="roundCount">At least 1.</param>
    /// <param name="folder">On a disk.</param>
    /// <param name="cancel">Ends what runs.</param>
    public static Section Run(string size, string memorySize, int roundCount, string folder, CancellationToken cancel)
    {
        string rounds = BenchProgram.Text($"{roundCount}");
        Section section = new(
            "Copies",
            "A full backup of random data, raw to raw, into a new target and over an old one; CPU is that of the job."
        );
        Add(
            section,
            "",
            ["--size", size, "--rounds", rounds, "--command", BuiltFiles.Command, "--dir", folder],
            cancel
        );
        Add(
            section,
            "in memory, ",
            ["--size", memorySize, "--rounds", rounds, "--tmpfs", "--command", BuiltFiles.Command],
            cancel
        );
        return section;
    }

    static void Add(Section section, string where, string[] arguments, CancellationToken cancel)
    {
        section.Commands.Add(BenchProgram.Line(Program, arguments));
        using JsonDocument document = BenchProgram.Run(Program, arguments, cancel);
        foreach (string missing in BenchProgram.Missing(document.RootElement))
            if (!section.Missing.Contains(missing))
                section.Missing.Add(missing);
        foreach (JsonElement state in document.RootElement.GetProperty("States").EnumerateArray())
        {
            string target = state.GetProperty("Result").GetProperty("State").GetString() == "Fresh" ? "new" : "old";
            IEnumerable<Figure> figures = BenchProgram.Figures(state.GetProperty("Goals"), "");
            foreach (Figure figure in figures)
                section.Figures.Add(Named(figure, where, target));
        }
    }

    /// <summary>The goals of the book are of both targets.</summary>
    static Figure Named(Figure figure, string where, string target)
    {
        string inMemory = figure.Name.Replace("throughput,", "throughput in memory,", System.StringComparison.Ordinal);
        Figure judged =
            where.Length == 0
                ? figure
                : GoalBook.Judge(inMemory, figure.Value, figure.AtLeast, figure.AtMost, figure.IsSmallerBetter);
        return judged with { Name = $"{where}{target} target: {figure.Name}" };
    }
}
