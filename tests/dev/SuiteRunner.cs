// Runs one suite. Its tests are taken from the report it writes; whatever else goes wrong (a crash, a hang,
// an exit code that does not fit the report, no test at all) is one more failure under the suite's name.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using FastBackup.Tests;

namespace FastBackup.Dev;

static class SuiteRunner
{
    const int TailLineCount = 40;

    // A runtime that crashes prints stacks of thousands of characters a line; the first part tells enough.
    const int ShownLineMax = 300;
    const int ShownWidthMax = 240;

    /// <param name="suite">What to run; its program is built.</param>
    /// <param name="reportFolder">Takes the report; removed by the caller.</param>
    /// <param name="cancel">Ends the suite.</param>
    public static async Task<Outcome> RunAsync(Suite suite, string reportFolder, CancellationToken cancel)
    {
        if (!File.Exists(suite.AssemblyPath))
            return Outcome.OfFailure($"{Path.GetRelativePath(Repository.Root, suite.AssemblyPath)} was not built");

        string report = Path.Combine(reportFolder, suite.Name + ".xml");
        string[] reporting = suite.HasReport
            ? ["-noColor", "-noLogo", "-reporter", "quiet", "-result-xml", report]
            : [];
        Queue<string> tail = [];
        int shownCount = 0;
        void OnLine(string line)
        {
            tail.Enqueue(line);
            if (tail.Count > TailLineCount)
                tail.Dequeue();
            // The quiet reporter prints failures and skips only.
            if (suite.HasReport && line.Length > 0 && ++shownCount <= ShownLineMax)
                PrintLine(line);
        }
        ChildResult result = await ChildProcess.RunAsync(
            ChildProcess.Dotnet,
            [suite.AssemblyPath, .. suite.Arguments, .. reporting],
            suite.Environment,
            Suite.TimeLimit,
            OnLine,
            cancel
        );
        if (suite.HasReport)
            return Judge(result, XunitReport.TryRead(report));
        if (result.IsSuccess)
            return Outcome.Passed();
        PrintTail(tail);
        return Outcome.OfFailure(result.Describe());
    }

    static Outcome Judge(ChildResult result, Outcome? reported)
    {
        if (reported is null)
            return Outcome.OfFailure($"ended without a report ({result.Describe()})");
        if (reported.TotalCount == 0)
            reported.Failed.Add("ran no test");
        else if (!result.IsSuccess && reported.Failed.Count == 0)
            reported.Failed.Add($"{result.Describe()} although no test failed");
        return reported;
    }

    static void PrintTail(IEnumerable<string> lines)
    {
        foreach (string line in lines.SkipWhile(string.IsNullOrWhiteSpace))
            PrintLine(line);
    }

    static void PrintLine(string line) =>
        Console.WriteLine("    " + (line.Length <= ShownWidthMax ? line : line[..ShownWidthMax] + " ..."));
}
