// What the figures should be: "a backup the guest does not feel". Ratios are taken within each round, because the
// machine is not the same in each.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Bench.Peers;

namespace FastBackup.Bench.GuestLatency;

sealed class Goals(IReadOnlyList<GuestRun> runs)
{
    const double KeptRate = 0.95;
    const double KeptIops = 0.4;
    const double KeptThroughput = 0.9;
    const double P99Growth = 3;

    /// <summary>Given to our job when its target is going to hang.</summary>
    public const uint HungTimeoutMs = 1000;
    const double HungSlackMs = 50;
    const double CancelMs = 100;

    readonly List<Goal> _goals = [];

    public List<Goal> All()
    {
        foreach (GuestLoad load in GuestLoad.All)
            if (load.RatePerSecond > 0)
                AddRated(load);
            else
                Ratio(
                    $"{load.Name}: IOPS / without a backup",
                    Ours(RowKey.Backup, load),
                    Ours(RowKey.Quiet, load),
                    Iops,
                    KeptIops
                );
        foreach (GuestLoad load in GuestLoad.All.Where(load => load.RatePerSecond == 0))
            Ratio(
                $"{load.Name}, no backup: IOPS of our server / QEMU's",
                Ours(RowKey.Quiet, load),
                new RowKey(RowKey.Quiet, load.Name, QemuHost.QemuName),
                Iops,
                1
            );
        AddSlow(GuestLoad.Rated);
        AddHung();
        return _goals;
    }

    void AddSlow(GuestLoad load)
    {
        RowKey slow = Ours(RowKey.Slow, load);
        string name = $"{RowKey.Slow}, {load.Name}";
        Ratio($"{name}: p99 / without a backup", slow, Ours(RowKey.Quiet, load), P99, null, P99Growth);
        Of($"{name}: rate kept", slow, run => run.Iops / load.RatePerSecond, KeptRate, null);
    }

    void AddHung()
    {
        RowKey hung = Ours(RowKey.Hung, GuestLoad.Rated);
        double boundMs = HungTimeoutMs + HungSlackMs;
        Of($"{RowKey.Hung}: a write's longest wait, ms", hung, run => run.Guest!.MaxUs / 1000, null, boundMs);
        RowKey ended = Ours(RowKey.HungCancelled, GuestLoad.Rated);
        Of($"{RowKey.HungCancelled}: job ended after its cancel, ms", ended, run => EndMs(run), null, CancelMs);
        Of($"{RowKey.HungCancelled}: off the disk, ms", ended, run => DetachMs(run), null, CancelMs);
        Of($"{RowKey.Hung}: the guest's errors", hung, run => run.Guest!.ErrorCount, null, 0);
    }

    void AddRated(GuestLoad load)
    {
        RowKey ours = Ours(RowKey.Backup, load);
        RowKey qemu = new(RowKey.Backup, load.Name, QemuHost.QemuName);
        RowKey alone = new(RowKey.Alone, "-", OurHost.OurName);
        string name = load.Name;
        Ratio($"{name}: p99 / without a backup", ours, Ours(RowKey.Quiet, load), P99, atMost: P99Growth);
        Of($"{name}: rate kept", ours, run => run.Iops / load.RatePerSecond, KeptRate, null);
        Ratio($"{name}: backup's MiB/s / without a guest", ours, alone, Pace, KeptThroughput);
        Ratio($"{name}: backup's MiB/s / QEMU's default", ours, qemu, Pace, 1);
        foreach (QemuTuning tuning in QemuTuning.Frontier)
        {
            RowKey point = tuning.IsDefault ? qemu : qemu with { Who = $"{QemuHost.QemuName} {tuning}" };
            Ratio($"{name}: p99 / QEMU's with {tuning}", ours, point, P99, atMost: 1);
            Ratio($"{name}: backup's MiB/s / QEMU's with {tuning}", ours, point, Pace, 1);
        }
    }

    static double EndMs(GuestRun run) => (run.Cancel?.EndSeconds ?? double.PositiveInfinity) * 1000;

    static double DetachMs(GuestRun run) => (run.Cancel?.DetachSeconds ?? double.PositiveInfinity) * 1000;

    static RowKey Ours(string scenario, GuestLoad load) => new(scenario, load.Name, OurHost.OurName);

    static double Iops(GuestRun run) => run.Iops;

    static double P99(GuestRun run) => run.P99Us;

    static double Pace(GuestRun run) => run.MiBPerSecond;

    void Of(string name, RowKey row, Func<GuestRun, double> value, double? atLeast, double? atMost)
    {
        double[] values = [.. runs.Where(run => run.Row == row).Select(value)];
        if (values.Length > 0)
            _goals.Add(new Goal(name, Spread.Of(values), "F3", atLeast, atMost));
    }

    void Ratio(
        string name,
        RowKey row,
        RowKey reference,
        Func<GuestRun, double> value,
        double? atLeast = null,
        double? atMost = null
    )
    {
        double[] ratios =
        [
            .. from run in runs
            where run.Row == row
            from other in runs
            where other.Row == reference && other.Round == run.Round && value(other) > 0
            select value(run) / value(other),
        ];
        if (ratios.Length > 0)
            _goals.Add(new Goal(name, Spread.Of(ratios), "F3", atLeast, atMost));
    }
}
