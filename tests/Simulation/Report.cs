// Tables and the last line.
using System;
using System.Globalization;
using System.Linq;
using FastBackup.Tests.Simulation.World;

namespace FastBackup.Tests.Simulation;

static class Report
{
    /// <summary>Every mishap and branch with its count; those that never happened are returned.</summary>
    public static string[] Counters(Tallies sum)
    {
        Print("mishaps", Enum.GetNames<Mishap>(), sum.Faults);
        Print("branches", Enum.GetNames<Branch>(), sum.Branches);
        return
        [
            .. Enum.GetNames<Mishap>().Where((_, index) => sum.Faults[index] == 0),
            .. Enum.GetNames<Branch>().Where((_, index) => sum.Branches[index] == 0),
        ];
    }

    public static void LastLine(ulong seeds, Tallies sum, uint violations)
    {
        ulong faults = sum.Faults.Aggregate(0ul, (total, count) => total + count);
        int kinds = sum.Faults.Count(count => count > 0);
        Console.WriteLine(
            string.Create(
                CultureInfo.InvariantCulture,
                $"seeds={seeds} ops={sum.GuestOperations} faults={faults} kinds={kinds} violations={violations}"
            )
        );
    }

    static void Print(string title, string[] names, ulong[] counts)
    {
        Console.WriteLine(title);
        for (int i = 0; i < names.Length; i += 3)
            Console.WriteLine(
                "  " + string.Join("  ", Enumerable.Range(i, Math.Min(3, names.Length - i)).Select(Cell))
            );
        string Cell(int index) =>
            string.Create(CultureInfo.InvariantCulture, $"{names[index], -26} {counts[index], 10}");
    }
}
