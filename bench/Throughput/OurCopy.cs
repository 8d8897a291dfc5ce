// Our copy as a peer among peers: this very program once more, as a child, with the hidden verb 'copy'.
using System;
using System.Collections.Generic;
using System.IO;
using System.Text.Json;
using System.Threading;
using FastBackup.Bench.Peers;
using FastBackup.Tests;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Throughput;

static class OurCopy
{
    public const string Name = "ours";
    public const string CopyVerb = "copy";
    public const string MachineryVerb = "machinery";

    static readonly TimeSpan TimeLimit = TimeSpan.FromMinutes(20);

    public static (CopyRun Run, CopyReport Report) Run(CopyPlan plan, bool isFresh, CancellationToken cancel) =>
        Run(plan, isFresh ? "--fresh" : "--overwrite", cancel);

    /// <param name="plan">What to copy.</param>
    /// <param name="how">An option of the hidden verb.</param>
    /// <param name="cancel">Ends it.</param>
    public static (CopyRun Run, CopyReport Report) Run(CopyPlan plan, string how, CancellationToken cancel)
    {
        string[] arguments = [CopyVerb, plan.SourcePath, plan.TargetPath, how];
        (CopyReport report, ProcessUse whole) = RunChild<CopyReport>(arguments, cancel);
        CopyRun run = new(Name, plan.SizeBytes, report.WallSeconds, report.Job, whole, report.PeakResidentBytes);
        return (run, report);
    }

    public static MachineryRow[] RunMachinery(bool isSmoke, CancellationToken cancel)
    {
        string[] arguments = isSmoke ? [MachineryVerb, "--smoke"] : [MachineryVerb];
        return RunChild<MachineryRow[]>(arguments, cancel).Answer;
    }

    static (T Answer, ProcessUse Use) RunChild<T>(string[] arguments, CancellationToken cancel)
    {
        string program = Environment.ProcessPath!;
        List<string> line = [.. arguments];
        // Started as 'dotnet THIS.dll', the process is dotnet and the assembly its first argument.
        if (Path.GetFileNameWithoutExtension(program) == "dotnet")
            line.Insert(0, typeof(OurCopy).Assembly.Location);
        using RunningProgram child = RunningProgram.Start(program, line);
        ProcessUse use = child.WaitForSuccess(TimeLimit, cancel);
        T? answer = JsonSerializer.Deserialize<T>(child.Output);
        return answer != null ? (answer, use) : throw new PeerException("our child printed nothing");
    }
}
