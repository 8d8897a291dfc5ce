// The command, compiled ahead of time as people have it, as a peer: the whole of its process counts, start and end
// included.
using System;
using System.Diagnostics;
using System.Threading;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Throughput;

static class CommandCopy
{
    public const string Name = "command";
    static readonly TimeSpan s_limit = TimeSpan.FromMinutes(20);

    /// <param name="path">Of the command.</param>
    /// <param name="plan">What to copy.</param>
    /// <param name="isFresh">Whether it makes the target.</param>
    /// <param name="cancel">Ends it.</param>
    public static CopyRun Run(string path, CopyPlan plan, bool isFresh, CancellationToken cancel)
    {
        string[] more = isFresh ? ["--quiet"] : ["--quiet", "--force"];
        long start = Stopwatch.GetTimestamp();
        using RunningProgram command = RunningProgram.Start(
            path,
            ["backup", plan.SourcePath, plan.TargetPath, .. more]
        );
        ProcessUse whole = command.WaitForSuccess(s_limit, cancel);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return new CopyRun(Name, plan.SizeBytes, seconds, whole, whole, 0);
    }
}
