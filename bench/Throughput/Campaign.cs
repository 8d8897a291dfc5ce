// The alternation: in every round ours, the ceiling and QEMU copy the same source one after the other, each
// round beginning with another one, so that a machine that slows down does so for all. Each first target of
// ours and of QEMU is compared with the source.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using FastBackup.Bench.Peers;

namespace FastBackup.Bench.Throughput;

/// <summary>Threads: one.</summary>
sealed class Campaign(BenchSettings settings, Workspace workspace, ulong seed, Action<string> say)
{
    readonly List<string> _peers =
    [
        OurCopy.Name,
        .. FioCopy.IsPresent ? new[] { FioCopy.Name } : [],
        .. QemuStorageDaemon.IsPresent ? new[] { QemuBackup.Name } : [],
    ];
    readonly HashSet<(TargetState, string)> _compared = [];

    /// <summary>Copies whose target was compared with the source and equal to it.</summary>
    public int ComparedCount => _compared.Count;

    /// <summary>Peers that are not on this machine.</summary>
    public static IEnumerable<string> MissingPrograms =>
        new[] { FioCopy.Program, QemuStorageDaemon.Program }.Where(program => !PeerProcess.IsPresent(program));

    public StateResult Run(TargetState state, CancellationToken cancel)
    {
        StateResult result = new(state, [], []);
        FioShape shape = FindShape(state, cancel);
        for (int round = 0; round < settings.RoundCount; round++)
        {
            List<CopyRun> runs = [];
            for (int i = 0; i < _peers.Count; i++)
            {
                cancel.ThrowIfCancellationRequested();
                string peer = _peers[(round + i) % _peers.Count];
                CopyRun run = RunOne(state, peer, shape, result.OurReports, cancel);
                runs.Add(run);
                say(Report.RunLine(state, round + 1, run, peer == OurCopy.Name ? result.OurReports[^1] : null));
            }
            result.Runs.Add(runs);
        }
        workspace.RemoveTarget();
        return result;
    }

    CopyRun RunOne(TargetState state, string peer, FioShape shape, List<CopyReport> reports, CancellationToken cancel)
    {
        bool isCompared = peer != FioCopy.Name && !_compared.Contains((state, peer));
        bool isMadeByCopy = peer == OurCopy.Name;
        workspace.Prepare(state, isMadeByCopy, isCompared, seed + 1);
        CopyRun run;
        if (peer == OurCopy.Name)
        {
            (run, CopyReport report) = OurCopy.Run(workspace.Plan, state == TargetState.Fresh, cancel);
            reports.Add(report);
        }
        else if (peer == FioCopy.Name)
            run = FioCopy.Run(workspace.Plan, shape, cancel);
        else
            run = QemuBackup.Run(workspace.Plan, cancel);
        if (isCompared)
            Compare(state, peer);
        return run;
    }

    void Compare(TargetState state, string peer)
    {
        CopyPlan plan = workspace.Plan;
        if (!DiskContent.AreEqual(plan.SourcePath, plan.TargetPath, plan.SizeBytes, plan.IsDirect))
            throw new PeerException($"{peer}: the target differs from the source ({Report.Name(state)})");
        _compared.Add((state, peer));
    }

    /// <summary>What is best for the disk differs: the ceiling of all rounds is the best of some shapes.</summary>
    FioShape FindShape(TargetState state, CancellationToken cancel)
    {
        FioShape[] shapes = settings.IsThorough ? FioShape.Thorough : FioShape.Usual;
        if (!FioCopy.IsPresent || settings.IsSmoke)
            return shapes[0];
        (FioShape Shape, double Rate) best = default;
        foreach (FioShape shape in shapes)
        {
            workspace.Prepare(state, isMadeByCopy: false, isPoisoned: false, seed + 1);
            CopyRun run = FioCopy.Run(workspace.Plan, shape, cancel);
            say($"  {Report.Name(state), -9} ceiling at {shape}: {Report.Number(run.MiBPerSecond, "F0")} MiB/s");
            if (run.MiBPerSecond > best.Rate)
                best = (shape, run.MiBPerSecond);
        }
        say($"  {Report.Name(state), -9} ceiling in the rounds: {best.Shape}");
        return best.Shape;
    }
}
