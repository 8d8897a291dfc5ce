// The sections on small disks, through the real programs: whether each has the figures that it is there for. Not which
// ones: a machine may be busy. What needs a program that is missing says so, and has none of that one's figures.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using FastBackup.Bench.Peers;

namespace FastBackup.Bench.Report;

static class SmokeSections
{
    /// <returns>0, or 1 and what is wrong on stderr.</returns>
    public static int Run(CancellationToken cancel)
    {
        BuiltFiles.Build(cancel);
        string folder = Directory
            .CreateDirectory(Path.Combine(DiskFolder.Default(), $"fb-report-{Guid.NewGuid():n}"))
            .FullName;
        try
        {
            ReportDocument report = new ReportRun(ReportPlan.Smoke, folder, "small disks", only: null, cancel).Run();
            string[] wrong = [.. report.Sections.SelectMany(WrongIn)];
            foreach (string one in wrong)
                Console.Error.WriteLine("report: " + one);
            int figureCount = report.Figures.Count();
            Console.WriteLine(wrong.Length == 0 ? $"smoke: {figureCount} figures" : "smoke: something is off");
            return wrong.Length == 0 ? 0 : 1;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    static IEnumerable<string> WrongIn(Section section)
    {
        if (section.Trouble is { } trouble)
            yield return $"{section.Title}: {trouble}";
        else if (section.Figures.Count == 0 && section.Missing.Count == 0)
            yield return $"{section.Title} has no figures, and nothing is missing";
        foreach (Figure figure in section.Figures.Where(figure => !(figure.Value.Median > 0)))
            yield return $"{section.Title}: {figure.Name} is {figure.Value.Median}";
        foreach (Chart chart in section.Charts.Where(chart => !chart.Lines.TrueForAll(line => line.Up.Count > 0)))
            yield return $"{section.Title}: {chart.Title} has a line without points";
    }
}
