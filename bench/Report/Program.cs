// The report: everything that is claimed, measured again on this machine, as a page, as Markdown and as JSON; and two
// reports compared. Installs nothing, uses the peers that are here, and names those that are not.
using System;
using System.Collections.Generic;
using System.CommandLine;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using FastBackup.Base;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Report;

static class Program
{
    static readonly Option<bool> Quick = new("--quick") { Description = "A few minutes: small disks, few rounds." };

    static readonly Option<bool> Full = new("--full") { Description = "An hour: large disks, many rounds." };

    static readonly Option<string?> Folder = new("--dir")
    {
        Description = "Folder for the disks; needs 16 GiB, or 5 with --quick. Default: a temporary one on a disk.",
    };

    static readonly Option<string> Out = new("--out")
    {
        Description = "Folder for report.html, report.md and report.json.",
        DefaultValueFactory = _ => "report",
    };

    static readonly Option<string?> Only = new("--only")
    {
        Description = "Only the sections with this in their titles: Copies, Guests, Images, NBD, Tracking, ...",
        HelpName = "TITLE",
    };

    static readonly Option<bool> Sections = new("--sections")
    {
        Description = "Instead: runs the sections on small disks and checks that they have figures, not which.",
    };

    static Task<int> Main(string[] arguments)
    {
        Command report = new("report", "Measure everything and write report.html, report.md and report.json.")
        {
            Quick,
            Full,
            Folder,
            Out,
            Only,
        };
        report.SetAction(
            (parsed, cancel) => Task.Run(() => Guard(() => Measure(parsed, cancel)), CancellationToken.None)
        );
        Argument<string> before = new("BEFORE") { Description = "report.json of the older report." };
        Argument<string> after = new("AFTER") { Description = "report.json of the newer one." };
        Command compare = new("compare", "What has become worse: exit code 1 when something has.") { before, after };
        compare.SetAction(parsed =>
            Guard(() => Compare(parsed.GetRequiredValue(before), parsed.GetRequiredValue(after)))
        );
        Command smoke = new("smoke", "Checks pages and comparison on made-up figures; measures nothing.") { Sections };
        smoke.SetAction(
            (parsed, cancel) =>
                Task.Run(
                    () => Guard(() => parsed.GetValue(Sections) ? SmokeSections.Run(cancel) : Smoke.Run()),
                    CancellationToken.None
                )
        );
        RootCommand root = new("FastBackup's figures, measured again.") { report, compare, smoke };
        InvocationConfiguration configuration = new() { ProcessTerminationTimeout = TimeSpan.FromSeconds(30) };
        return root.Parse(arguments).InvokeAsync(configuration);
    }

    static int Guard(Func<int> action)
    {
        try
        {
            return action();
        }
        catch (PeerException exception)
        {
            Console.Error.WriteLine("report: " + exception.Message);
            return 2;
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("report: interrupted; the files are removed");
            return 130;
        }
    }

    static int Measure(ParseResult parsed, CancellationToken cancel)
    {
        bool isQuick = !parsed.GetValue(Full);
        if (parsed.GetValue(Full) && parsed.GetValue(Quick))
            throw new PeerException("give one of --quick and --full");
        string folder = parsed.GetValue(Folder) ?? DiskFolder.Default();
        DiskFolder.RequireSpace(folder, (isQuick ? 5ul : 16) * Units.GiB);
        Console.Error.WriteLine("building command and library ahead of time ...");
        BuiltFiles.Build(cancel);
        string own = Directory
            .CreateDirectory(Path.Combine(folder, "fb-report-" + Guid.NewGuid().ToString("n")))
            .FullName;
        try
        {
            ReportPlan plan = isQuick ? ReportPlan.Quick : ReportPlan.Full;
            ReportRun run = new(plan, own, HostLine.Describe(folder), parsed.GetValue(Only), cancel);
            Write(run.Run(), parsed.GetValue(Out)!);
            return 0;
        }
        finally
        {
            Directory.Delete(own, recursive: true);
        }
    }

    static void Write(ReportDocument report, string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "report.json"), report.ToJson());
        File.WriteAllText(Path.Combine(folder, "report.md"), Pages.Markdown(report));
        File.WriteAllText(Path.Combine(folder, "report.html"), Pages.Html(report));
        Console.WriteLine(Pages.Markdown(report));
        Console.Error.WriteLine($"written: {Path.Combine(folder, "report.html")}, report.md, report.json");
    }

    static int Compare(string before, string after)
    {
        List<Comparison.Row> rows = Comparison.Of(ReportDocument.Read(before), ReportDocument.Read(after));
        if (rows.Count == 0)
            throw new PeerException("the two reports have no figure in common");
        foreach (Comparison.Row row in rows)
            Console.WriteLine(
                BenchProgram.Text($"{(row.IsWorse ? "WORSE" : ""), -6}{row.Change * 100, 7:+0.0;-0.0} %  ")
                    + $"{row.Name}: {Pages.Value(row.Before)}, now {Pages.Value(row.After)}"
            );
        return rows.Any(row => row.IsWorse) ? 1 : 0;
    }
}
