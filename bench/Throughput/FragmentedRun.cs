// A backup of fragments: every second 64 KiB, ours and QEMU's by turns into an old target; each target's fragments are
// compared with the source.
using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;

namespace FastBackup.Bench.Throughput;

static class FragmentedRun
{
    static readonly JsonSerializerOptions s_options = new() { WriteIndented = true };

    sealed record Document(string Host, BenchSettings Settings, IEnumerable<string> MissingPrograms, List<Goal> Goals);

    /// <param name="settings">What to do.</param>
    /// <param name="isJson">Prints one JSON document on standard output; the lines go to standard error.</param>
    /// <param name="cancel">Ends what runs; the files are removed all the same.</param>
    public static int Run(BenchSettings settings, bool isJson, CancellationToken cancel)
    {
        using Workspace workspace = new(settings);
        workspace.MakeSource((ulong)Random.Shared.NextInt64(), cancel);
        List<(CopyRun Ours, CopyRun? Theirs)> rounds = Rounds(workspace, settings, cancel);
        List<Goal> goals = [];
        Ratio(goals, rounds, "speed of a backup of fragments, ours / QEMU", run => run.MiBPerSecond);
        Ratio(goals, rounds, "CPU of a backup of fragments, ours / QEMU", run => run.JobCpuPerGiB);
        TextWriter lines = isJson ? Console.Error : Console.Out;
        foreach (Goal goal in goals)
            lines.WriteLine($"  {goal.Name}: {goal.Value.ToText(goal.Format)}");
        if (isJson)
        {
            string host = HostLine.Describe(workspace.Folder);
            Document document = new(host, settings, Campaign.MissingPrograms, goals);
            Console.WriteLine(JsonSerializer.Serialize(document, s_options));
        }
        return 0;
    }

    /// <param name="workspace">Has a source.</param>
    /// <param name="settings">How many rounds.</param>
    /// <param name="cancel">Ends what runs.</param>
    /// <returns>Of each round; theirs is null where QEMU or fio is missing.</returns>
    public static List<(CopyRun Ours, CopyRun? Theirs)> Rounds(
        Workspace workspace,
        BenchSettings settings,
        CancellationToken cancel
    )
    {
        List<(CopyRun, CopyRun?)> rounds = [];
        for (int round = 0; round < settings.RoundCount; round++)
        {
            CopyRun? ours = null;
            CopyRun? theirs = null;
            for (int turn = 0; turn < 2; turn++)
            {
                workspace.Prepare(TargetState.Overwrite, false, isPoisoned: true, 2, cancel);
                if (turn == round % 2)
                    ours = OurCopy.Run(workspace.Plan, FragmentedCopy.OurOption, cancel).Run;
                else if (FragmentedCopy.IsPresent)
                    theirs = FragmentedCopy.RunQemu(workspace.Plan, cancel);
                else
                    continue;
                Compare(workspace.Plan, cancel);
            }
            rounds.Add((ours! with { SizeBytes = ours.SizeBytes / 2 }, theirs));
        }
        workspace.RemoveTarget();
        return rounds;
    }

    static void Compare(CopyPlan plan, CancellationToken cancel)
    {
        (string source, string target) = (plan.SourcePath, plan.TargetPath);
        if (!DiskContent.IsEverySecondEqual(source, target, plan.SizeBytes, FragmentedCopy.GranuleBytes, cancel))
            throw new PeerException("a backup of fragments differs from the source");
        if (DiskContent.AreEqual(source, target, plan.SizeBytes, plan.IsDirect, cancel))
            throw new PeerException("a backup of fragments has copied more than these");
    }

    static void Ratio(
        List<Goal> goals,
        List<(CopyRun Ours, CopyRun? Theirs)> rounds,
        string name,
        Func<CopyRun, double> value
    )
    {
        double[] ratios =
        [
            .. rounds.Where(one => one.Theirs != null).Select(one => value(one.Ours) / value(one.Theirs!)),
        ];
        if (ratios.Length > 0)
            goals.Add(new Goal(name, Spread.Of(ratios), "F3"));
    }
}
