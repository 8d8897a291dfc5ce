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
        if (Picture().Count(page) != 2)
            yield return $"the page has {Picture().Count(page)} pictures, not 2";
        foreach (string part in (string[])["throughput, ours / QEMU", "a &lt;b&gt;", "class=\"met\"", "rsync"])
            if (!page.Contains(part, StringComparison.Ordinal))
                yield return $"the page lacks '{part}'";
    }

    static ReportDocument Make(double speed, double cpu)
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
        };
        return new ReportDocument("0", "no machine", "smoke", 60, 0, [section]);
    }

    static Spread Around(double value) => new(value, value * 0.97, value * 1.03);

    [GeneratedRegex("(src|href|url\\()\\s*=?\\s*[\"']?https?:[^\"' )>]*")]
    private static partial Regex Elsewhere();

    [GeneratedRegex("<svg ")]
    private static partial Regex Picture();
}
