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

    /// <param name="Kept">Of the guest's rate without a backup.</param>
    /// <param name="P99">Times that without a backup.</param>
    /// <param name="Pace">Of the backup's without a guest.</param>
    readonly record struct Bounds(double Kept, double P99, double Pace);

    static readonly Dictionary<string, Bounds> ByDefault = new()
    {
        ["500/s"] = new(KeptRate, 3, 0.75),
        ["mixed"] = new(KeptRate, 3, 0.7),
        ["qd1"] = new(0.4, 3.5, 0.4),
        ["qd16"] = new(0.5, 3, 0.25),
        ["flush"] = new(0.5, 3, 0.5),
        ["zipf"] = new(0.8, 2, 0.4),
    };

    static readonly Dictionary<string, Bounds> Absorbing = new()
    {
        ["500/s"] = new(KeptRate, 1.5, 0.85),
        ["qd1"] = new(0.9, 1.5, 0.5),
        ["qd16"] = new(0.6, 3, 0.25),
        ["flush"] = new(0.5, 3, 0.5),
    };

    const double SlowP99Growth = 2;
    const double HardwareFactor = 1.3;

    /// <summary>Given to our job when its target is going to hang.</summary>
    public const uint HungTimeoutMs = 1000;
    const double HungSlackMs = 50;
    const double CancelMs = 100;

    readonly List<Goal> _goals = [];

    public List<Goal> All()
    {
        foreach (GuestLoad load in GuestLoad.All)
        {
            Add(RowKey.Backup, load, ByDefault);
            Add(RowKey.Absorb, load, Absorbing);
        }
        foreach (GuestLoad load in GuestLoad.All)
            AddHardware(load);
        AddBesideQemu(GuestLoad.Rated);
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
        Ratio($"{name}: p99 / without a backup", slow, Ours(RowKey.Quiet, load), P99, null, SlowP99Growth);
        Of($"{name}: rate kept", slow, run => run.Iops / load.RatePerSecond, KeptRate, null);
        RowKey allowed = new(RowKey.SlowHardware, load.Name, FioHardware.Name);
        Ratio($"{name}: p99 / what the disk allows", slow, allowed, P99, atMost: HardwareFactor);
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

    /// <summary>The guest against itself without a backup, the backup against itself without a guest.</summary>
    void Add(string scenario, GuestLoad load, Dictionary<string, Bounds> bounds)
    {
        if (!bounds.TryGetValue(load.Name, out Bounds bound))
            return;
        RowKey ours = Ours(scenario, load);
        RowKey quiet = Ours(RowKey.Quiet, load);
        RowKey alone = new(RowKey.Alone, "-", OurHost.OurName);
        string name = $"{scenario}, {load.Name}";
        Ratio($"{name}: IOPS / without a backup", ours, quiet, Iops, atLeast: bound.Kept);
        Ratio($"{name}: p99 / without a backup", ours, quiet, P99, atMost: bound.P99);
        Ratio($"{name}: backup's MiB/s / without a guest", ours, alone, Pace, atLeast: bound.Pace);
    }

    /// <summary>Where the disk gives less than the goals above ask for, this one decides.</summary>
    void AddHardware(GuestLoad load)
    {
        RowKey ours = Ours(RowKey.Backup, load);
        RowKey allowed = new(RowKey.Hardware, load.Name, FioHardware.Name);
        Ratio($"{load.Name}: IOPS / what the disk allows", ours, allowed, Iops, atLeast: 1 / HardwareFactor);
        Ratio($"{load.Name}: p99 / what the disk allows", ours, allowed, P99, atMost: HardwareFactor);
    }

    void AddBesideQemu(GuestLoad load)
    {
        RowKey ours = Ours(RowKey.Backup, load);
        RowKey qemu = new(RowKey.Backup, load.Name, QemuHost.QemuName);
        string name = load.Name;
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
