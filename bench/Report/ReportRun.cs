// The sections, one after the other, each with the time that is meant for it. One that fails says why, and the others
// go on: a report with a hole tells more than none. What others use of the machine is looked at before and after.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Reflection;
using System.Threading;
using FastBackup.Base;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Report;

/// <summary>Threads: one.</summary>
/// <param name="plan">How much.</param>
/// <param name="folder">Empty, with room.</param>
/// <param name="host">For people.</param>
/// <param name="only">Null, or a part of the titles of the sections to run.</param>
/// <param name="cancel">Ends what runs.</param>
sealed class ReportRun(ReportPlan plan, string folder, string host, string? only, CancellationToken cancel)
{
    readonly long _start = Stopwatch.GetTimestamp();
    readonly List<Section> _sections = [];

    public ReportDocument Run()
    {
        double others = OtherLoad.Measure();
        string size = BenchProgram.Text($"{plan.DiskBytes / Units.MiB}MiB");
        string memorySize = BenchProgram.Text($"{plan.MemoryDiskBytes / Units.MiB}MiB");
        if (!plan.IsSmoke)
            Do("Copies", 75, () => CopySection.Run(size, memorySize, plan.RoundCount, folder, cancel));
        Do("Content", 45, () => new ContentSection(folder, plan.DiskBytes, plan.RoundCount, cancel).Run());
        if (!plan.IsSmoke)
            Do("Guests", 120, () => GuestSection.Run(plan, folder, cancel));
        ReportDisk.MakeMixed(System.IO.Path.Combine(folder, "disk.img"), plan.DiskBytes, cancel);
        Do("Commands", 40, () => new CommandSection(folder, plan.RoundCount, cancel).Run());
        Do("Images", 60, () => new ImageSection(folder, plan.RoundCount, plan.GuestSeconds, cancel).Run());
        Do("NBD", 80, () => new ServerSection(folder, plan.RoundCount, plan.GuestSeconds, cancel).Run());
        uint calls = plan.IsSmoke ? 100_000u : 4_000_000;
        Do("Calls of the library", 5, () => CallSection.Run(folder, plan.RoundCount, calls, cancel));
        Do("Tracking", 30, () => new TrackingSection(folder, plan, cancel).Run());
        Do("Bitmap", 55, () => BitmapSection.Run(plan, cancel));
        Do("Growth", 30, () => GrowthSection.Run(plan, folder, cancel));
        if (_sections.Count == 0)
            throw new PeerException($"no section has '{only}' in its title");
        others = Math.Max(others, OtherLoad.Measure());
        double seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        return new ReportDocument(Version(), host, plan.Mode, seconds, others, _sections);
    }

    void Do(string title, double budgetSeconds, Func<Section> measure)
    {
        if (only != null && !title.Contains(only, StringComparison.OrdinalIgnoreCase))
            return;
        double startSeconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        Console.Error.WriteLine(BenchProgram.Text($"{startSeconds, 6:F0} s  {title}"));
        Section section;
        try
        {
            section = measure();
        }
        catch (PeerException exception)
        {
            Console.Error.WriteLine("report: " + exception.Message);
            section = new Section(title, "") { Trouble = exception.Message };
        }
        double seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds - startSeconds;
        _sections.Add(section with { Seconds = seconds, BudgetSeconds = budgetSeconds * plan.Factor });
    }

    static string Version() =>
        typeof(ReportRun).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
}
