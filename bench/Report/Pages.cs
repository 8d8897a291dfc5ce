// A report for people: Markdown, and one HTML page that needs nothing else, dark or light as its reader has it.
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Net;
using System.Text;

namespace FastBackup.Bench.Report;

static class Pages
{
    const string Style = """
        :root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --rule: #d5dae0; --ok: #1d7a46;
                --no: #b3441a; }
        @media (prefers-color-scheme: dark) {
          :root { --ink: #e2e6ea; --paper: #14171a; --rule: #363c44; --ok: #58c88a; --no: #f08a5d; }
        }
        body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
               max-width: 64rem; padding: 1rem; overflow-wrap: anywhere; }
        h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
        .wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
        th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--rule); vertical-align: top; }
        td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
        .wide > * { min-width: 36rem; } .wide > svg { min-width: 48rem; } td { overflow-wrap: normal; }
        .met { color: var(--ok); } .missed { color: var(--no); } svg { width: 100%; height: auto; }
        pre { overflow-x: auto; padding: .6rem; border: 1px solid var(--rule); font-size: .85rem; }
        .noisy { border: 2px solid var(--no); padding: .6rem; }
        """;

    public static string Markdown(ReportDocument report)
    {
        StringBuilder page = new();
        page.AppendLine("# FastBackup: measured").AppendLine();
        foreach (string line in Head(report))
            page.AppendLine(line).AppendLine();
        foreach (Section section in report.Sections)
        {
            page.AppendLine($"## {section.Title}").AppendLine().AppendLine(section.About).AppendLine();
            page.AppendLine("| figure | median (min..max) | goal | |").AppendLine("|---|---|---|---|");
            foreach (Figure figure in section.Figures)
                page.AppendLine($"| {figure.Name} | {Value(figure)} | {Goal(figure)} | {Verdict(figure)} |");
            page.AppendLine();
            foreach (Chart chart in section.Charts)
                AddTable(page, chart);
            foreach (string line in Notes(section))
                page.AppendLine(line).AppendLine();
            foreach (string command in section.Commands)
                page.AppendLine("    " + command);
            page.AppendLine();
        }
        return page.ToString();
    }

    public static string Html(ReportDocument report)
    {
        StringBuilder page = new();
        page.AppendLine("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
        page.AppendLine("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
        page.AppendLine("<title>FastBackup: measured</title>");
        page.AppendLine($"<style>{Style}</style></head><body><h1>FastBackup: measured</h1>");
        foreach (string line in Head(report))
            page.AppendLine($"<p{(line == Noisy ? " class=\"noisy\"" : "")}>{Escape(line)}</p>");
        Figure[] judged = [.. report.Figures.Where(figure => figure.IsMet != null)];
        if (judged.Length > 0)
            page.AppendLine("<h2>Goals</h2><div class=\"wide\">" + Plots.Goals(judged) + "</div>");
        foreach (Section section in report.Sections)
            AddSection(page, section);
        return page.AppendLine("</body></html>").ToString();
    }

    static void AddSection(StringBuilder page, Section section)
    {
        page.AppendLine($"<h2>{Escape(section.Title)}</h2><p>{Escape(section.About)}</p>");
        if (section.Frontier.Count > 0)
            page.AppendLine("<div class=\"wide\">" + Plots.Frontier(section.Frontier) + "</div>");
        page.AppendLine("<div class=\"wide\"><table><tr><th>figure<th>median (min..max)<th>goal<th></tr>");
        foreach (Figure figure in section.Figures)
        {
            string kind =
                figure.IsMet is not { } isMet ? ""
                : isMet ? " class=\"met\""
                : " class=\"missed\"";
            page.AppendLine(
                $"<tr><td>{Escape(figure.Name)}<td class=\"number\">{Value(figure)}"
                    + $"<td class=\"number\">{Escape(Goal(figure))}<td{kind}>{Verdict(figure)}</tr>"
            );
        }
        page.AppendLine("</table></div>");
        foreach (Chart chart in section.Charts)
            AddChart(page, chart);
        foreach (string line in Notes(section))
            page.AppendLine($"<p>{Escape(line)}</p>");
        page.AppendLine($"<pre>{Escape(string.Join('\n', section.Commands))}</pre>");
    }

    static void AddTable(StringBuilder page, Chart chart)
    {
        page.AppendLine(ChartTable.Caption(chart) + ":").AppendLine();
        foreach ((int index, string[] row) in ChartTable.Of(chart).Index())
        {
            page.AppendLine($"| {string.Join(" | ", row)} |");
            if (index == 0)
                page.AppendLine("|" + string.Concat(Enumerable.Repeat("---|", row.Length)));
        }
        page.AppendLine();
    }

    static void AddChart(StringBuilder page, Chart chart)
    {
        page.AppendLine($"<h3>{Escape(chart.Title)}</h3><div class=\"wide\">{Plots.Lines(chart)}</div>");
        page.AppendLine($"<details><summary>{Escape(ChartTable.Caption(chart))}</summary><div class=\"wide\"><table>");
        foreach ((int index, string[] row) in ChartTable.Of(chart).Index())
        {
            string tag = index == 0 ? "<th>" : "<td class=\"number\">";
            page.AppendLine($"<tr>{string.Concat(row.Select(cell => tag + Escape(cell)))}</tr>");
        }
        page.AppendLine("</table></div></details>");
    }

    const string Noisy = "This run is noisy: others used the machine while it went on. Do not believe its figures.";

    static IEnumerable<string> Head(ReportDocument report)
    {
        yield return BenchProgram.Text($"Version {report.Version}, {report.Mode}, {report.Seconds / 60:F1} minutes.");
        yield return report.Host;
        if (report.IsNoisy)
            yield return Noisy;
        int metCount = report.Figures.Count(figure => figure.IsMet == true);
        int count = report.Figures.Count(figure => figure.IsMet != null);
        yield return BenchProgram.Text($"{metCount} of {count} goals are met. Ratios are taken within each round.");
    }

    static IEnumerable<string> Notes(Section section)
    {
        if (section.Trouble is { } trouble)
            yield return "Not measured: " + trouble;
        if (section.Missing.Count > 0)
            yield return $"Not installed, so not compared with: {string.Join(", ", section.Missing)}.";
        yield return BenchProgram.Text($"Took {section.Seconds:F0} s; {section.BudgetSeconds:F0} s are meant for it.");
    }

    public static string Value(Figure figure) => figure.Value.ToText("G4");

    static string Goal(Figure figure) =>
        figure.AtLeast is { } low ? ">= " + low.ToString(CultureInfo.InvariantCulture)
        : figure.AtMost is { } high ? "<= " + high.ToString(CultureInfo.InvariantCulture)
        : "";

    static string Verdict(Figure figure) =>
        figure.IsMet is not { } isMet ? ""
        : isMet ? "met"
        : "not met";

    static string Escape(string text) => WebUtility.HtmlEncode(text);
}
