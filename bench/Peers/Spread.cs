// Several readings of one thing: the middle, and how far they lie apart.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace FastBackup.Bench.Peers;

/// <param name="Median">Mean of the two in the middle when their number is even.</param>
/// <param name="Min">Smallest.</param>
/// <param name="Max">Largest.</param>
public readonly record struct Spread(double Median, double Min, double Max)
{
    /// <param name="values">At least one.</param>
    public static Spread Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        double median = (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        return new Spread(median, sorted[0], sorted[^1]);
    }

    /// <param name="format">Of each number.</param>
    public string ToText(string format) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Number(Median, format)} ({Number(Min, format)}..{Number(Max, format)})"
        );

    static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
