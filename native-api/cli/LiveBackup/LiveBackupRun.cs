// Backups of all disks of a running host at one instant, through its monitor: this program makes the files under their
// partial names, the host opens them, copies and closes them, and when all are whole each gets its name.
//
//   plan -> make files -> blockdev-add each -> freeze -> one transaction -> thaw -> watch jobs -> blockdev-del -> names
//
// The jobs are one group: when one fails or a signal comes the others are cancelled. From the first file on every way
// out passes the end of Execute, which ends jobs, closes nodes and thaws; files stay, under their partial names, once
// copying has begun. If this program is killed, the jobs go on, the files keep their partial names, and the next run
// takes away what is left of it in the host.
// Only QMP's own commands are used, so the host may be QEMU as well.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Text.Json.Nodes;
using FastBackup.Devices.Opening;
using FastBackup.Devices.Targets;
using FastBackup.Ports.Linux;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class LiveBackupRun(LiveBackupRequest request, Output output, Interruption interruption) : IDisposable
{
    MonitorLink? _link;
    LiveJobs? _jobs;
    FreezeHooks? _hooks;
    List<LiveDisk> _disks = [];
    long _start = Stopwatch.GetTimestamp();

    public LiveBackupResult Execute()
    {
        string? sentence = MonitorLink.TryConnect(request.Socket, interruption, out _link);
        if (sentence != null)
            return Result(interruption.IsRequested ? RunStatus.Interrupted : RunStatus.Refused, sentence);
        _link!.OutlastsSignals = true;
        _jobs = new LiveJobs(_link);
        sentence = TryPlan() ?? TryMake() ?? _jobs.TryAddNodes(_disks) ?? TryStart();
        if (sentence != null)
        {
            _jobs.End(_disks);
            foreach (LiveDisk disk in _disks)
                disk.Place?.Undo(); // nothing was copied, or nothing of use
            return Result(interruption.IsRequested ? RunStatus.Interrupted : RunStatus.Refused, sentence);
        }
        Watch();
        _jobs.End(_disks);
        return Judge();
    }

    public void Dispose()
    {
        _hooks?.Dispose();
        foreach (LiveDisk disk in _disks)
            disk.Place?.Dispose();
        _link?.Dispose();
    }

    string? TryPlan()
    {
        string? sentence = LiveTargets.TryAsk(_link!, out List<LiveDisk> all);
        sentence ??= LiveTargets.TryChoose(all, request.Targets, out _disks);
        sentence ??= _jobs!.TryClear(_disks);
        foreach (LiveDisk disk in _disks)
        {
            if (sentence != null)
                return sentence;
            TargetOptions wanted = new()
            {
                Path = disk.Target,
                SizeBytes = disk.SizeBytes,
                MayReplace = request.IsForced,
                IsLockIgnored = request.IsLockIgnored,
                Format = request.Format,
            };
            OpenRefusal refusal = TargetPlace.TryPlan(NameCalls.Kernel, wanted, out TargetPlace? place);
            disk.Place = place;
            sentence = refusal.IsNone ? null : $"disk '{disk.Name}': {refusal.Sentence}";
        }
        return sentence;
    }

    string? TryMake()
    {
        foreach (LiveDisk disk in _disks)
        {
            OpenRefusal refusal = disk.Place!.TryMake();
            if (!refusal.IsNone)
                return $"disk '{disk.Name}': {refusal.Sentence}";
        }
        return null;
    }

    string? TryStart()
    {
        if (interruption.IsRequested)
            return "interrupted before anything was copied";
        if (request.Freeze != null)
        {
            string? refused = FreezeHooks.TryFreeze(request.Freeze, request.Thaw!, out _hooks);
            if (refused != null)
                return refused;
        }
        // A signal thaws at once, whatever the monitor does.
        void OnStep()
        {
            if (interruption.IsRequested)
                _hooks?.Thaw();
        }
        string? sentence = _jobs!.TryStart(_disks, request, OnStep);
        _start = Stopwatch.GetTimestamp();
        _hooks?.Thaw();
        if (_hooks?.Trouble is { } trouble)
            output.Error(trouble);
        if (sentence != null || _hooks is not { IsLate: true } || interruption.IsRequested)
            return sentence;
        return "the instant was not taken within 9 s: guests were thawed before it";
    }

    void Watch()
    {
        output.Event(
            new LiveBackupStartEvent("start", "live-backup", Picture(), Total(disk => disk.SizeBytes), _hooks?.Seconds),
            JsonEvents.Readable.LiveBackupStartEvent
        );
        IProgressView view = output.CreateView();
        view.Run("live-backup", Total(disk => disk.SizeBytes), show => _jobs!.Watch(_disks, interruption, view, show));
    }

    LiveBackupResult Judge()
    {
        LiveDisk? failed = _disks.Find(disk =>
            disk is { IsConcluded: true, Error: not null } && !LiveJobs.IsCancel(disk)
        );
        failed ??= _disks.Find(disk => !disk.IsConcluded || disk.Error != null);
        if (failed == null)
            return Publish();
        bool isInterrupted = interruption.IsRequested && (!failed.IsConcluded || LiveJobs.IsCancel(failed));
        string why =
            isInterrupted ? "interrupted"
            : failed.IsConcluded ? $"the backup of disk '{failed.Name}' failed: {failed.Error}"
            : $"the monitor has closed the connection before the backup of disk '{failed.Name}' ended";
        return Result(isInterrupted ? RunStatus.Interrupted : RunStatus.Failed, $"{why}{Kept()}");
    }

    LiveBackupResult Publish()
    {
        foreach (LiveDisk disk in _disks)
        {
            OpenRefusal refusal = disk.Place!.TryPublish();
            foreach (string word in disk.Place.Words)
                output.Warning(word);
            if (!refusal.IsNone)
                return Result(RunStatus.Failed, $"disk '{disk.Name}': {refusal.Sentence}{Kept()}");
            disk.IsPublished = true;
        }
        return Result(RunStatus.Done, null);
    }

    /// <summary>Which unfinished copies there are, as the end of a sentence.</summary>
    string Kept()
    {
        string[] kept = [.. _disks.Select(disk => disk.PartialPath).OfType<string>().Select(path => $"'{path}'")];
        return kept.Length == 0 ? "" : $"; kept: {string.Join(", ", kept)}; run again with --force to start anew";
    }

    LiveBackupResult Result(RunStatus status, string? sentence) =>
        new(status, sentence, _disks, Stopwatch.GetElapsedTime(_start).TotalSeconds, _hooks?.Seconds);

    ulong Total(Func<LiveDisk, ulong> of) => _disks.Aggregate(0ul, (sum, disk) => sum + of(disk));

    LiveBackupDisk[] Picture() => [.. _disks.Select(disk => disk.Picture())];
}
