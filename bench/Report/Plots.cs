// The pictures of a report, as SVG that stands in the page: on no background of its own, in colours that can be read on
// white and on black.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using ScottPlot;

namespace FastBackup.Bench.Report;

static class Plots
{
    const int WidthPx = 640;
    const int HeightPx = 400;
    const string Ink = "#808890";

    static readonly string[] s_colours = ["#2a78d6", "#d65f2a", "#2a9d6a", "#9b59b6", "#b8902a", "#c0392b"];

    /// <summary>Backup speed against a guest's slowest hundredth: to the right and down is better.</summary>
    /// <param name="points">At least one.</param>
    public static string Frontier(IReadOnlyList<FrontierPoint> points)
    {
        Plot plot = New("backup, MiB/s", "guest p99, us");
        string[] whos = [.. points.Select(point => point.Who).Distinct()];
        for (int i = 0; i < whos.Length; i++)
        {
            FrontierPoint[] own = [.. points.Where(point => point.Who == whos[i] && point.GuestP99Us > 0)];
            if (own.Length == 0)
                continue;
            var markers = plot.Add.ScatterPoints(
                own.Select(point => point.BackupMiBPerSecond).ToArray(),
                own.Select(point => Math.Log10(point.GuestP99Us)).ToArray()
            );
            markers.Color = Color.FromHex(s_colours[i % s_colours.Length]);
            markers.MarkerSize = 9;
            markers.LegendText = whos[i];
            foreach (FrontierPoint point in own)
            {
                var label = plot.Add.Text(point.Load, point.BackupMiBPerSecond, Math.Log10(point.GuestP99Us));
                label.LabelFontColor = Color.FromHex(Ink);
                label.OffsetX = 6;
            }
        }
        plot.Axes.Left.TickGenerator = PowersOfTen();
        plot.ShowLegend(Alignment.UpperRight);
        Style(plot.Legend);
        return Svg(plot);
    }

    /// <summary>Lines with a marker at each point.</summary>
    public static string Lines(Chart chart)
    {
        Plot plot = New(chart.Across, chart.Up);
        for (int i = 0; i < chart.Lines.Count; i++)
        {
            (double Across, double Up)[] points =
            [
                .. chart
                    .Lines[i]
                    .Across.Zip(chart.Lines[i].Up)
                    .Where(point => !(chart.IsAcrossLog && point.First <= 0) && !(chart.IsUpLog && point.Second <= 0)),
            ];
            if (points.Length == 0)
                continue;
            var line = plot.Add.Scatter(
                points.Select(point => chart.IsAcrossLog ? Math.Log10(point.Across) : point.Across).ToArray(),
                points.Select(point => chart.IsUpLog ? Math.Log10(point.Up) : point.Up).ToArray()
            );
            line.Color = Color.FromHex(s_colours[i % s_colours.Length]);
            line.LinePattern = i < s_colours.Length ? LinePattern.Solid : LinePattern.Dashed;
            line.MarkerSize = 5;
            line.LegendText = chart.Lines[i].Name;
        }
        if (chart.IsAcrossLog)
            plot.Axes.Bottom.TickGenerator = PowersOfTen();
        if (chart.IsUpLog)
            plot.Axes.Left.TickGenerator = PowersOfTen();
        plot.ShowLegend(Edge.Bottom);
        Style(plot.Legend);
        return Svg(plot);
    }

    static ScottPlot.TickGenerators.NumericAutomatic PowersOfTen() =>
        new()
        {
            IntegerTicksOnly = true,
            LabelFormatter = value => Math.Pow(10, value).ToString("0.######", CultureInfo.InvariantCulture),
        };

    /// <summary>Ratios beside their goals: a bar that reaches the line has met it.</summary>
    /// <param name="figures">With goals.</param>
    public static string Goals(IReadOnlyList<Figure> figures)
    {
        Plot plot = New("how far towards its goal (1 = met)", "");
        List<Bar> bars = [];
        List<Tick> names = [];
        for (int i = 0; i < figures.Count; i++)
        {
            int place = figures.Count - i;
            bars.Add(
                new Bar
                {
                    Position = place,
                    Value = Math.Min(Share(figures[i]), 3),
                    FillColor = Color.FromHex(figures[i].IsMet == true ? s_colours[2] : s_colours[1]),
                    LineWidth = 0,
                    Orientation = Orientation.Horizontal,
                    Size = 0.7,
                }
            );
            names.Add(new Tick(place, figures[i].Name));
        }
        plot.Add.Bars(bars).Horizontal = true;
        var goal = plot.Add.VerticalLine(1);
        goal.Color = Color.FromHex(Ink);
        plot.Axes.Left.TickGenerator = new ScottPlot.TickGenerators.NumericManual([.. names]);
        plot.Axes.Margins(left: 0);
        return Svg(plot, WidthPx + 240, Math.Max(HeightPx, 40 + 20 * figures.Count));
    }

    /// <summary>1 where the goal is just met, more where it is passed, whichever way it goes.</summary>
    static double Share(Figure figure)
    {
        double value = figure.Value.Median;
        if (figure.AtLeast is { } low)
            return low > 0 ? value / low : 1;
        double high = figure.AtMost ?? 0;
        return value > 0 ? high / value : 3;
    }

    static Plot New(string across, string up)
    {
        Plot plot = new();
        plot.XLabel(across);
        plot.YLabel(up);
        plot.FigureBackground.Color = Colors.Transparent;
        plot.DataBackground.Color = Colors.Transparent;
        plot.Axes.Color(Color.FromHex(Ink));
        plot.Grid.MajorLineColor = Color.FromHex(Ink).WithAlpha(0.25);
        return plot;
    }

    static void Style(Legend legend)
    {
        legend.BackgroundColor = Colors.Transparent;
        legend.OutlineColor = Colors.Transparent;
        legend.ShadowColor = Colors.Transparent;
        legend.FontColor = Color.FromHex(Ink);
    }

    /// <summary>It grows and shrinks with the page.</summary>
    static string Svg(Plot plot, int widthPx = WidthPx, int heightPx = HeightPx)
    {
        string svg = plot.GetSvgXml(widthPx, heightPx);
        int start = svg.IndexOf("<svg", StringComparison.Ordinal);
        int end = svg.IndexOf('>', start);
        string size = string.Create(CultureInfo.InvariantCulture, $"viewBox=\"0 0 {widthPx} {heightPx}\"");
        return $"<svg xmlns=\"http://www.w3.org/2000/svg\" {size} role=\"img\">" + svg[(end + 1)..];
    }
}
