// The alternation: in every round each row is measured on ours and on QEMU, one right after the other, and who
// comes first changes from round to round, so that a machine that slows down does so for both.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using FastBackup.Base;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Qmp;

namespace FastBackup.Bench.GuestLatency;

/// <summary>Threads: one.</summary>
sealed class Campaign(LatencySettings settings, Workspace workspace, Action<string> say)
{
    const double WarmUpSeconds = 1;
    const ulong SlowBytesPerSecond = 50_000_000;
    const ulong AbsorbBytes = 16 * Units.MiB;
    const uint DirtyPercent = 10;

    readonly List<GuestRun> _runs = [];
    readonly GuestLoad[] _loads =
    [
        .. GuestLoad.All.Where(load => settings.LoadName is not { } name || load.Name == name),
    ];
    readonly bool _hasQemu = !settings.IsOursOnly && QemuStorageDaemon.IsPresent;

    public static IEnumerable<string> MissingPrograms =>
        new[] { FioGuest.Program, QemuStorageDaemon.Program }.Where(program => SystemPrograms.Find(program) == null);

    public List<GuestRun> Run(CancellationToken cancel)
    {
        WarmUp(cancel);
        for (int round = 1; round <= settings.RoundCount; round++)
        {
            foreach (GuestLoad load in _loads)
            foreach (string who in Sides(round))
                RunQuiet(round, load, who, cancel);
            foreach (string who in Sides(round))
                RunAlone(round, who, cancel);
            foreach (GuestLoad load in _loads)
            foreach (string who in Sides(round))
                RunBoth(round, load, who, QemuTuning.Default, cancel);
            if (settings.HasAbsorb)
                foreach (GuestLoad load in _loads)
                    RunAbsorbing(round, load, cancel);
            if (settings.HasIncremental)
                RunIncremental(round, cancel);
            if (settings.HasHardware)
                foreach (GuestLoad load in _loads)
                    RunHardware(round, load, cancel);
            if (settings.HasCopiesOnly)
                foreach (GuestLoad load in _loads)
                    RunCopiesOnly(round, load, cancel);
            if (settings.HasFrontier && _hasQemu)
                foreach (QemuTuning tuning in QemuTuning.Frontier)
                    if (!tuning.IsDefault)
                        RunBoth(round, GuestLoad.Rated, QemuHost.QemuName, tuning, cancel);
            if (settings.HasSlow)
                foreach (string who in Sides(round))
                    RunSlow(round, who, cancel);
            if (settings.HasSlow && settings.HasHardware)
                RunHardware(round, GuestLoad.Rated, cancel, isTargetSlow: true);
            if (settings.HasHung)
                foreach (string who in Sides(round))
                {
                    RunHung(round, who, RowKey.Hung, Goals.HungTimeoutMs, cancel);
                    RunHung(round, who, RowKey.HungCancelled, null, cancel);
                }
            if (settings.HasReads)
            {
                RunReads(round, isTaken: round % 2 == 0, cancel);
                RunReads(round, isTaken: round % 2 != 0, cancel);
            }
        }
        return _runs;
    }

    IEnumerable<string> Sides(int round)
    {
        if (!_hasQemu)
            return [OurHost.OurName];
        string[] sides = [OurHost.OurName, QemuHost.QemuName];
        return round % 2 == 1 ? sides : sides.Reverse();
    }

    /// <summary>Our code is compiled at its first use; a guest of ours must not be the one who waits for it.</summary>
    void WarmUp(CancellationToken cancel)
    {
        say("warming up");
        using IBackupHost host = Open(OurHost.OurName, QemuTuning.Default, workspace.Prepare(), cancel);
        GuestMeasurement.Both(host, GuestLoad.All[1], settings.SizeBytes, WarmUpSeconds, cancel);
    }

    void RunQuiet(int round, GuestLoad load, string who, CancellationToken cancel)
    {
        using IBackupHost host = Open(who, QemuTuning.Default, workspace.Prepare(), cancel);
        GuestFigures guest = GuestMeasurement.Quiet(host, load, settings.SizeBytes, settings.Seconds, cancel);
        Add(new GuestRun(new RowKey(RowKey.Quiet, load.Name, who), round, guest, null));
    }

    void RunAlone(int round, string who, CancellationToken cancel)
    {
        using IBackupHost host = Open(who, QemuTuning.Default, workspace.Prepare(), cancel);
        BackupPace pace = GuestMeasurement.Alone(host, cancel);
        Add(new GuestRun(new RowKey(RowKey.Alone, "-", who), round, null, pace));
    }

    void RunBoth(int round, GuestLoad load, string who, QemuTuning tuning, CancellationToken cancel)
    {
        using IBackupHost host = Open(who, tuning, workspace.Prepare(), cancel);
        string name = tuning.IsDefault ? who : $"{who} {tuning}";
        RunBeside(round, new RowKey(RowKey.Backup, load.Name, name), load, host, SecondsOf(load), cancel);
    }

    /// <summary>A tenth of the disk is copied: by itself, and beside each guest.</summary>
    void RunIncremental(int round, CancellationToken cancel)
    {
        using (IBackupHost host = OpenIncremental(cancel))
        {
            BackupPace alone = GuestMeasurement.Alone(host, cancel);
            Add(new GuestRun(new RowKey(RowKey.IncrementalAlone, "-", OurHost.OurName), round, null, alone));
        }
        foreach (GuestLoad load in _loads)
        {
            using IBackupHost host = OpenIncremental(cancel);
            RunBeside(
                round,
                new RowKey(RowKey.Incremental, load.Name, OurHost.OurName),
                load,
                host,
                SecondsOf(load),
                cancel
            );
        }
    }

    IBackupHost OpenIncremental(CancellationToken cancel)
    {
        HostPlan plan = workspace.Prepare() with { DirtyPercent = DirtyPercent };
        return Open(OurHost.OurName, QemuTuning.Default, plan, cancel);
    }

    /// <summary>With a volatile write cache beside the backup.</summary>
    void RunAbsorbing(int round, GuestLoad load, CancellationToken cancel)
    {
        HostPlan plan = workspace.Prepare() with { AbsorbBytes = AbsorbBytes };
        using IBackupHost host = Open(OurHost.OurName, QemuTuning.Default, plan, cancel);
        RunBeside(round, new RowKey(RowKey.Absorb, load.Name, OurHost.OurName), load, host, SecondsOf(load), cancel);
    }

    /// <summary>What our backup made the disk do in this round, without us; the slow target is not on it.</summary>
    void RunHardware(int round, GuestLoad load, CancellationToken cancel, bool isTargetSlow = false)
    {
        RowKey ours = new(isTargetSlow ? RowKey.Slow : RowKey.Backup, load.Name, OurHost.OurName);
        GuestFigures guest = FioHardware.Run(
            workspace.Prepare(),
            load,
            _runs.Find(run => run.Round == round && run.Row == ours)!.MiBPerSecond,
            isTargetElsewhere: isTargetSlow,
            SecondsOf(load),
            cancel
        );
        string scenario = isTargetSlow ? RowKey.SlowHardware : RowKey.Hardware;
        Add(new GuestRun(new RowKey(scenario, load.Name, FioHardware.Name), round, guest, null));
    }

    double SecondsOf(GuestLoad load) =>
        load.SecondsMax > 0 ? System.Math.Min(load.SecondsMax, settings.Seconds) : settings.Seconds;

    void RunSlow(int round, string who, CancellationToken cancel)
    {
        HostPlan plan = workspace.Prepare() with { LimitBytesPerSecond = SlowBytesPerSecond };
        using IBackupHost host = Open(who, QemuTuning.Default, plan, cancel);
        RunBeside(
            round,
            new RowKey(RowKey.Slow, GuestLoad.Rated.Name, who),
            GuestLoad.Rated,
            host,
            settings.Seconds,
            cancel
        );
    }

    /// <summary>The ceiling of what a governor of the background can reach.</summary>
    void RunCopiesOnly(int round, GuestLoad load, CancellationToken cancel)
    {
        HostPlan plan = workspace.Prepare() with { IsCopiesOnly = true };
        using IBackupHost host = Open(OurHost.OurName, QemuTuning.Default, plan, cancel);
        RunBeside(
            round,
            new RowKey(RowKey.CopiesOnly, load.Name, OurHost.OurName),
            load,
            host,
            settings.Seconds,
            cancel
        );
    }

    void RunReads(int round, bool isTaken, CancellationToken cancel)
    {
        string scenario = isTaken ? RowKey.ReadTaken : RowKey.Read;
        HostPlan plan = workspace.Prepare() with { TakesGuestReads = isTaken };
        using IBackupHost host = Open(OurHost.OurName, QemuTuning.Default, plan, cancel);
        RunBeside(
            round,
            new RowKey(scenario, GuestLoad.Reader.Name, OurHost.OurName),
            GuestLoad.Reader,
            host,
            settings.Seconds,
            cancel
        );
    }

    /// <summary>
    /// A target that stops answering: until guests' writes have met their limit, or cancelled before any has.
    /// </summary>
    void RunHung(int round, string who, string scenario, uint? timeoutMs, CancellationToken cancel)
    {
        HostPlan plan = workspace.Prepare() with
        {
            LimitBytesPerSecond = SlowBytesPerSecond,
            CbwTimeoutMs = timeoutMs,
            IsFailureExpected = true,
        };
        using IBackupHost host = Open(who, QemuTuning.Default, plan, cancel);
        (GuestFigures guest, BackupPace pace, CancelTimes times) = GuestMeasurement.Hung(
            host,
            GuestLoad.Rated,
            settings.SizeBytes,
            timeoutMs == null ? GuestMeasurement.HungShortSeconds : GuestMeasurement.HungSeconds,
            cancel
        );
        Add(new GuestRun(new RowKey(scenario, GuestLoad.Rated.Name, who), round, guest, pace, times));
    }

    /// <summary>A guest and a backup, both at once.</summary>
    void RunBeside(int round, RowKey row, GuestLoad load, IBackupHost host, double seconds, CancellationToken cancel)
    {
        (GuestFigures guest, BackupPace pace) = GuestMeasurement.Both(host, load, settings.SizeBytes, seconds, cancel);
        Add(new GuestRun(row, round, guest, pace));
    }

    IBackupHost Open(string who, QemuTuning tuning, HostPlan plan, CancellationToken cancel) =>
        who != OurHost.OurName ? new QemuHost(plan, tuning, cancel)
        : settings.IsPlugin ? new PluginHost(plan, cancel)
        : new OurHost(plan with { WarmMs = settings.WarmMs });

    void Add(GuestRun run)
    {
        _runs.Add(run);
        say(Report.RunLine(run));
    }
}
