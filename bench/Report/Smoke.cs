// A report of made-up figures, through all that makes pages of one: so that they cannot rot between two real ones.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Bench.Peers;

namespace FastBackup.Bench.Report;

static partial class Smoke
{
    /// <returns>0, or 1 and what is wrong on stderr.</returns>
    public static int Run()
    {
        ReportDocument good = Make(speed: 1.5, cpu: 0.1);
        List<string> wrong =
        [
            .. WrongIn(Pages.Html(good)),
            .. Says(Pages.Markdown(good).Contains("2 of 2 goals are met"), "the goals are not counted"),
            .. Says(Pages.Markdown(good).Contains("| 65536 | 15 | 16 |"), "a chart's points are not in the text"),
            .. Says(Pages.Markdown(good).Contains("| 99 | 20 | 70 |"), "a spread's points are not in the text"),
            .. Says(!Pages.Html(good).Contains("noisy\">"), "a quiet run is called noisy"),
            .. Says(Pages.Html(Make(1, 1, otherLoad: 1)).Contains("noisy\">"), "a noisy run is not called so"),
            .. Says(Pages.Markdown(Make(1, 1, otherLoad: 1)).Contains("is noisy"), "a noisy text is not called so"),
            .. Says(Comparison.Of(good, good).TrueForAll(row => !row.IsWorse), "a report is worse than itself"),
            .. Says(WorseOf(good, Make(speed: 1.2, cpu: 0.1)) == "throughput, ours / QEMU", "a slow copy is not seen"),
            .. Says(
                WorseOf(good, Make(speed: 1.5, cpu: 0.14)) == "CPU of the whole process, ours / QEMU",
                "a busy copy is not seen"
            ),
            .. Says(WorseOf(good, Make(speed: 1.45, cpu: 0.105)) == "", "noise is taken for a change"),
        ];
        foreach (string one in wrong)
            Console.Error.WriteLine("report: " + one);
        Console.WriteLine(wrong.Count == 0 ? "smoke: all as it should be" : "smoke: something is off");
        return wrong.Count == 0 ? 0 : 1;
    }

    static string WorseOf(ReportDocument before, ReportDocument after) =>
        string.Join(", ", Comparison.Of(before, after).Where(row => row.IsWorse).Select(row => row.Name));

    static IEnumerable<string> Says(bool isRight, string otherwise) => isRight ? [] : [otherwise];

    /// <summary>Nothing of the page is somewhere else, all figures are in it, and both pictures.</summary>
    static IEnumerable<string> WrongIn(string page)
    {
        if (Elsewhere().IsMatch(page))
            yield return "the page loads something from elsewhere: " + Elsewhere().Match(page).Value;
        if (page.Contains("<script", StringComparison.OrdinalIgnoreCase))
            yield return "the page has a script";
        if (Picture().Count(page) != 4)
            yield return $"the page has {Picture().Count(page)} pictures, not 4";
        string[] parts =
        [
            .. (string[])["throughput, ours / QEMU", "a &lt;b&gt;", "class=\"met\"", "rsync", "Took 12 s"],
            .. (string[])["<td class=\"number\">65536", "fio gave up"],
        ];
        foreach (string part in parts)
            if (!page.Contains(part, StringComparison.Ordinal))
                yield return $"the page lacks '{part}'";
    }

    static ReportDocument Make(double speed, double cpu, double otherLoad = 0)
    {
        Section section = new("Copies", "a <b>")
        {
            Figures =
            [
                GoalBook.Judge("throughput, ours / QEMU", Around(speed), isSmallerBetter: null),
                GoalBook.Judge("CPU of the whole process, ours / QEMU", Around(cpu), isSmallerBetter: null),
                GoalBook.Judge("mean chunk, KiB", Around(512), isSmallerBetter: null),
            ],
            Missing = ["rsync"],
            Commands = ["copy a b"],
            Frontier = [new("qd1", "ours", 1000, 300), new("qd1", "QEMU", 200, 300_000)],
            Charts = [Growth, Spread],
            Seconds = 12,
            BudgetSeconds = 10,
        };
        Section failed = new("Guests", "") { Trouble = "fio gave up" };
        return new ReportDocument("0", "no machine", "smoke", 60, otherLoad, [section, failed]);
    }

    static Chart Growth =>
        new(
            "Start",
            "disk, GiB",
            "us",
            true,
            true,
            [new("1 %", [1, 1024, 65_536], [3, 0, 15]), new("50 %", [1, 1024, 65_536], [3, 4, 16])]
        );

    static Chart Spread =>
        new(
            "Guest",
            "us",
            "%",
            true,
            false,
            [new("ours", [10, 20, 400], [50, 99, 100]), new("QEMU", [15, 70, 900], [50, 99, 100])]
        );

    static Spread Around(double value) => new(value, value * 0.97, value * 1.03);

    [GeneratedRegex("(src|href|url\\()\\s*=?\\s*[\"']?https?:[^\"' )>]*")]
    private static partial Regex Elsewhere();

    [GeneratedRegex("<svg ")]
    private static partial Regex Picture();
}
