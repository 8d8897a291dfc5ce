// Two reports held against each other: what has become worse by more than it varies from round to round.
using System;
using System.Collections.Generic;
using System.Linq;

namespace FastBackup.Bench.Report;

static class Comparison
{
    /// <summary>A median that moves by less says nothing, however calm the rounds were.</summary>
    const double Tolerance = 0.1;

    /// <param name="Name">Of the figure.</param>
    /// <param name="Before">Of the older report.</param>
    /// <param name="After">Of the newer one.</param>
    /// <param name="Change">+0.25: a quarter more.</param>
    /// <param name="IsWorse">For certain.</param>
    public sealed record Row(string Name, Figure Before, Figure After, double Change, bool IsWorse);

    /// <returns>Figures that both have, the worst first.</returns>
    public static List<Row> Of(ReportDocument before, ReportDocument after)
    {
        Dictionary<string, Figure> old = before.Figures.DistinctBy(one => one.Name).ToDictionary(one => one.Name);
        return
        [
            .. after
                .Figures.DistinctBy(one => one.Name)
                .Where(one => old.ContainsKey(one.Name))
                .Select(one => Compare(old[one.Name], one))
                .OrderByDescending(row => row.IsWorse)
                .ThenByDescending(row => Math.Abs(row.Change)),
        ];
    }

    static Row Compare(Figure before, Figure after)
    {
        double change = before.Value.Median == 0 ? 0 : after.Value.Median / before.Value.Median - 1;
        bool isApart = after.IsSmallerBetter switch
        {
            true => change > Tolerance && after.Value.Min > before.Value.Max,
            false => change < -Tolerance && after.Value.Max < before.Value.Min,
            null => false,
        };
        return new Row(after.Name, before, after, change, isApart);
    }
}
