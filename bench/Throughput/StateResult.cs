// All runs on one state of the target, and what follows from them.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;
using FastBackup.Bench.Peers;

namespace FastBackup.Bench.Throughput;

/// <param name="State">Of the target.</param>
/// <param name="Runs">One by peer in each round.</param>
/// <param name="OurReports">Ours, in the order of the rounds.</param>
sealed record StateResult(TargetState State, List<List<CopyRun>> Runs, List<CopyReport> OurReports)
{
    public IEnumerable<CopyRun> Of(string name) => Runs.SelectMany(round => round.Where(run => run.Name == name));

    /// <param name="isTmpfs">In memory other goals hold.</param>
    public List<Goal> Goals(bool isTmpfs)
    {
        List<Goal> goals = [];
        Ratio(
            goals,
            "throughput, ours / ceiling",
            FioCopy.Name,
            run => run.MiBPerSecond,
            isTmpfs ? null : 0.95,
            null,
            1.1
        );
        Ratio(goals, "throughput, ours / QEMU", QemuBackup.Name, run => run.MiBPerSecond, isTmpfs ? 2 : 1, null);
        Ratio(goals, "CPU during the job, ours / QEMU", QemuBackup.Name, run => run.JobCpuPerGiB, null, 0.2);
        Ratio(
            goals,
            "CPU of the whole process, ours / QEMU",
            QemuBackup.Name,
            run => run.ProcessCpuPerGiB,
            null,
            0.2,
            ours: CommandCopy.Name
        );
        Ratio(goals, "CPU during the job, ours / ceiling", FioCopy.Name, run => run.JobCpuPerGiB, null, null);
        goals.Add(
            OfOurs("our minor faults during the job", report => report.Job.MinorFaultCount, "F0", Limits.FaultsMax)
        );
        goals.Add(
            OfOurs(
                "our peak memory above the pool, MiB",
                report => ((double)report.PeakResidentBytes - report.PoolBytes) / Units.MiB,
                "F1",
                60
            )
        );
        double managedMax = Limits.ManagedBytesMax;
        goals.Add(
            OfOurs(
                "bytes allocated by core in the first job",
                r => Limits.EngineBytes((ulong)r.LoopManagedBytes),
                "F0",
                managedMax
            )
        );
        goals.Add(
            OfOurs(
                "io_uring_enter calls per chunk",
                report => (double)report.EnterCount / report.ReadCount,
                "F2",
                Limits.EntersPerChunkMax
            )
        );
        goals.Add(OfOurs("mean chunk, KiB", report => report.WrittenBytes / report.ReadCount / Units.KiB, "F0", null));
        return goals;
    }

    Goal OfOurs(string name, Func<CopyReport, double> value, string format, double? atMost) =>
        new(name, Spread.Of(OurReports.Select(value)), format, AtMost: atMost);

    /// <summary>Round by round, because the machine is not the same in each.</summary>
    void Ratio(
        List<Goal> goals,
        string name,
        string peer,
        Func<CopyRun, double> value,
        double? atLeast,
        double? atMost,
        double? believable = null,
        string ours = OurCopy.Name
    )
    {
        List<double> ratios = [];
        foreach (List<CopyRun> round in Runs)
        {
            CopyRun? own = round.Find(run => run.Name == ours);
            CopyRun? theirs = round.Where(run => run.Name == peer).MaxBy(run => run.MiBPerSecond);
            if (own != null && theirs != null && value(theirs) > 0)
                ratios.Add(value(own) / value(theirs));
        }
        if (ratios.Count > 0)
            goals.Add(new Goal(name, Spread.Of(ratios), "F3", atLeast, atMost, believable));
    }
}
