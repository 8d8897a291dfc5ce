// A chart's points as rows of text: one a value that all its lines have, with what each of them has there.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace FastBackup.Bench.Report;

static class ChartTable
{
    /// <returns>Rows of cells; the first row has the names.</returns>
    public static IEnumerable<string[]> Of(Chart chart)
    {
        bool isByAcross = chart.Lines.TrueForAll(line => line.Across.SequenceEqual(chart.Lines[0].Across));
        yield return [isByAcross ? chart.Across : chart.Up, .. chart.Lines.Select(line => line.Name)];
        List<double> keys = isByAcross ? chart.Lines[0].Across : chart.Lines[0].Up;
        for (int i = 0; i < keys.Count; i++)
            yield return
            [
                Number(keys[i]),
                .. chart.Lines.Select(line => Number(isByAcross ? line.Up[i] : line.Across[i])),
            ];
    }

    /// <summary>What the numbers of the table are.</summary>
    public static string Caption(Chart chart)
    {
        bool isByAcross = chart.Lines.TrueForAll(line => line.Across.SequenceEqual(chart.Lines[0].Across));
        return $"{chart.Title} ({(isByAcross ? chart.Up : chart.Across)})";
    }

    static string Number(double value) =>
        value.ToString(Math.Abs(value) < 1000 ? "G4" : "F0", CultureInfo.InvariantCulture);
}
