// The alternation: in every round ours, the ceiling and QEMU copy the same source one after the other, each
// round beginning with another one, so that a machine that slows down does so for all. Each first target of
// ours and of QEMU is compared with the source.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using FastBackup.Bench.Peers;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Qmp;

namespace FastBackup.Bench.Throughput;

/// <summary>Threads: one.</summary>
sealed class Campaign(BenchSettings settings, Workspace workspace, ulong seed, Action<string> say)
{
    readonly List<string> _peers =
    [
        OurCopy.Name,
        .. FioCopy.IsPresent ? new[] { FioCopy.Name } : [],
        .. QemuStorageDaemon.IsPresent ? new[] { QemuBackup.Name } : [],
        .. settings.CommandPath != null ? new[] { CommandCopy.Name } : [],
        // Twice a round, before ours and after it: the faster one is the ceiling.
        .. FioCopy.IsPresent && !settings.IsSmoke ? new[] { FioCopy.Name } : [],
    ];
    readonly HashSet<(TargetState, string)> _compared = [];

    /// <summary>Copies whose target was compared with the source and equal to it.</summary>
    public int ComparedCount => _compared.Count;

    /// <summary>Peers that are not on this machine.</summary>
    public static IEnumerable<string> MissingPrograms =>
        new[] { FioCopy.Program, QemuStorageDaemon.Program }.Where(program => SystemPrograms.Find(program) == null);

    public StateResult Run(TargetState state, CancellationToken cancel)
    {
        StateResult result = new(state, [], []);
        Ceiling ceiling = FindCeiling(state, cancel);
        for (int round = 0; round < settings.RoundCount; round++)
        {
            List<CopyRun> runs = [];
            for (int i = 0; i < _peers.Count; i++)
            {
                cancel.ThrowIfCancellationRequested();
                string peer = _peers[(round + i) % _peers.Count];
                CopyRun run = RunOne(state, peer, ceiling, result.OurReports, cancel);
                runs.Add(run);
                say(Report.RunLine(state, round + 1, run, peer == OurCopy.Name ? result.OurReports[^1] : null));
            }
            result.Runs.Add(runs);
        }
        workspace.RemoveTarget();
        return result;
    }

    CopyRun RunOne(TargetState state, string peer, Ceiling ceiling, List<CopyReport> reports, CancellationToken cancel)
    {
        bool isCompared = peer != FioCopy.Name && !_compared.Contains((state, peer));
        bool isMadeByCopy = peer is OurCopy.Name or CommandCopy.Name;
        workspace.Prepare(state, isMadeByCopy, isCompared, seed + 1, cancel);
        CopyRun run;
        if (peer == OurCopy.Name)
        {
            (run, CopyReport report) = OurCopy.Run(workspace.Plan, state == TargetState.Fresh, cancel);
            reports.Add(report);
        }
        else if (peer == CommandCopy.Name)
            run = CommandCopy.Run(settings.CommandPath!, workspace.Plan, state == TargetState.Fresh, cancel);
        else if (peer == FioCopy.Name)
            run = FioCopy.Run(workspace.Plan, ceiling.Shape, ceiling.Idle, cancel);
        else
            run = QemuBackup.Run(workspace.Plan, cancel);
        if (isCompared)
            Compare(state, peer, cancel);
        return run;
    }

    void Compare(TargetState state, string peer, CancellationToken cancel)
    {
        CopyPlan plan = workspace.Plan;
        if (!DiskContent.AreEqual(plan.SourcePath, plan.TargetPath, plan.SizeBytes, plan.IsDirect, cancel))
            throw new PeerException($"{peer}: the target differs from the source ({Report.Name(state)})");
        _compared.Add((state, peer));
    }

    /// <summary>What is best for the disk differs: the ceiling of all rounds is the best of some shapes.</summary>
    Ceiling FindCeiling(TargetState state, CancellationToken cancel)
    {
        FioShape[] shapes = settings.IsThorough ? FioShape.Thorough : FioShape.Usual;
        if (!FioCopy.IsPresent)
            return new Ceiling(shapes[0], default);
        double bestRate = 0;
        Ceiling best = default;
        // The first is run twice: memory that a virtual machine never touched costs its host time, once.
        foreach ((int index, FioShape shape) in shapes.Prepend(shapes[0]).Index())
        {
            workspace.Prepare(state, isMadeByCopy: false, isPoisoned: false, seed + 1, cancel);
            ProcessUse idle = FioCopy.MeasureIdle(workspace.Plan, shape, cancel);
            if (settings.IsSmoke)
                return new Ceiling(shape, idle);
            CopyRun run = FioCopy.Run(workspace.Plan, shape, idle, cancel);
            if (index == 0)
                continue;
            say($"  {Report.Name(state), -9} ceiling at {shape}: {Report.Number(run.MiBPerSecond, "F0")} MiB/s");
            if (run.MiBPerSecond > bestRate)
                (bestRate, best) = (run.MiBPerSecond, new Ceiling(shape, idle));
        }
        say($"  {Report.Name(state), -9} ceiling in the rounds: {best.Shape}");
        return best;
    }

    /// <param name="Shape">Of fio's requests.</param>
    /// <param name="Idle">What such a fio uses for nothing.</param>
    readonly record struct Ceiling(FioShape Shape, ProcessUse Idle);
}
