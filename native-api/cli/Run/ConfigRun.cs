// What a configuration file asks for, once: hooks, one point of all its disks, what is not to be kept, the report.
//
//   before -> freeze -> snapshot -> thaw -> backup -> forget -> after -> report
//
// Guests are frozen while 'snapshot' catches their disks (lvcreate -s, say) and no longer: a watchdog thaws them below
// ten seconds whatever becomes of us (FreezeHooks). Once 'before' was begun, 'after' is run, however it went.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Threading;
using FastBackup.Repositories;
using FastBackup.Runtime;

namespace FastBackup.Cli;

/// <summary>Threads: one. Used once.</summary>
/// <param name="path">Of the configuration.</param>
/// <param name="config">What it says.</param>
/// <param name="output">For people; the last object is the caller's.</param>
/// <param name="interruption">Signals.</param>
sealed class ConfigRun(string path, RunConfig config, Output output, Interruption interruption)
{
    /// <summary>Guests are thawed nine seconds after the freeze began: a snapshot must have ended then.</summary>
    static readonly TimeSpan s_frozenLimit = TimeSpan.FromSeconds(8);

    /// <summary>How long others' locks are waited for before nothing is forgotten this time.</summary>
    static readonly TimeSpan s_forgetLimit = TimeSpan.FromSeconds(20);

    const int ForgetWaitMs = 2000;

    readonly List<HookEntry> _hooks = [];
    double? _frozenSeconds;

    /// <returns>The last object, whole.</returns>
    public RunDoneEvent Execute()
    {
        long start = Stopwatch.GetTimestamp();
        RunDoneEvent done = new("done", "run", path)
        {
            Status = RunStatus.Failed.Word(),
            ExitCode = ExitCode.Failed,
            Repository = config.Place.Address,
            Host = config.Host,
            Disks = [.. config.Disks.Select(disk => new DiskDoneEntry(disk.Disk, disk.Path, RunStatus.Failed.Word()))],
        };
        try
        {
            done =
                !Run("before", config.Before, config.HookLimit) || !TryCatch()
                    ? done with
                    {
                        Error = interruption.IsRequested ? "canceled" : "hook",
                    }
                    : BackUp(done);
        }
        finally
        {
            // Not for a signal: what 'before' has made is to be taken away.
            if (!Run("after", config.After, config.HookLimit, done, mayInterrupt: false) && done.ExitCode == 0)
                done = done with { Status = RunStatus.Failed.Word(), ExitCode = ExitCode.Failed, Error = "hook" };
        }
        if (interruption.IsRequested && done.ExitCode != ExitCode.Done)
            done = done with { Status = RunStatus.Interrupted.Word(), ExitCode = ExitCode.Interrupted };
        return done with
        {
            Hooks = _hooks.Count > 0 ? _hooks : null,
            FrozenSeconds = _frozenSeconds,
            Seconds = Math.Round(Stopwatch.GetElapsedTime(start).TotalSeconds, 6),
        };
    }

    /// <summary>The moment that the point is of.</summary>
    bool TryCatch()
    {
        if (config.Freeze == null)
            return Run("snapshot", config.Snapshot, config.HookLimit);
        if (interruption.IsRequested)
            return false;
        long start = Stopwatch.GetTimestamp();
        string? refused = FreezeHooks.TryFreeze(
            Hook.Quote(config.Freeze),
            Hook.Quote(config.Thaw!),
            out FreezeHooks? freeze
        );
        if (refused != null)
        {
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            _frozenSeconds = Math.Round(seconds, 3); // some may have been, until they were thawed
            End("freeze", refused, seconds);
            return false;
        }
        using (freeze)
        {
            TimeSpan left = s_frozenLimit - Stopwatch.GetElapsedTime(start);
            bool isCaught = Run("snapshot", config.Snapshot, left);
            freeze!.Thaw();
            _frozenSeconds = Math.Round(freeze.Seconds, 3);
            string? wrong = freeze.IsLate
                ? "guests were thawed before the snapshot had ended: no point was made of it"
                : freeze.Trouble;
            End("thaw", wrong, freeze.Seconds);
            output.Line(string.Create(CultureInfo.InvariantCulture, $"guests were frozen for {freeze.Seconds:0.0} s"));
            return isCaught && !freeze.IsLate;
        }
    }

    void End(string name, string? wrong, double seconds)
    {
        _hooks.Add(new HookEntry(name, wrong, Math.Round(seconds, 3)));
        if (wrong != null)
            output.Error(wrong);
    }

    bool Run(string name, string[]? words, TimeSpan limit, RunDoneEvent? done = null, bool mayInterrupt = true)
    {
        if (mayInterrupt && interruption.IsRequested)
            return false;
        if (words == null)
            return true;
        (string, string)[] variables =
        [
            ("FASTBACKUP_HOOK", name),
            ("FASTBACKUP_CONFIG", path),
            ("FASTBACKUP_STATUS", done?.Status ?? ""),
            ("FASTBACKUP_POINT", done?.Point ?? ""),
        ];
        HookEntry entry = new Hook(name, words, limit).Run(variables, mayInterrupt ? interruption : null);
        End(name, entry.Error, entry.Seconds);
        return entry.Error == null;
    }

    RunDoneEvent BackUp(RunDoneEvent done)
    {
        PointBackupRequest request = new()
        {
            Place = config.Place,
            Sources = config.Disks,
            Host = config.Host,
            ChunkBytes = config.ChunkBytes,
            PackBytes = config.PackBytes ?? PointHead.PackBytesUsual,
            Tags = config.Tags,
            MemoryBytes = config.MemoryBytes ?? Engine.BufferBytesDefault(),
            UsualMemoryBytes = config.MemoryBytes == null ? Engine.BufferBytesUsual : null,
        };
        using RepositoryWork work = new(config.Place, output, interruption);
        PointBackupRun backup = new(request, work);
        RepositoryDoneEvent ended = backup.ExecutePart();
        done = done with
        {
            Status = ended.Status,
            ExitCode = ended.ExitCode,
            Error = ended.Error,
            Point = ended.Point,
            StoredBytes = ended.StoredBytes,
            Disks = [.. done.Disks!.Select(disk => backup.Disks.FirstOrDefault(one => one.Disk == disk.Disk) ?? disk)],
        };
        // What is left of a failure must not cost the points that are whole.
        return ended.ExitCode == ExitCode.Done && config.Keep is { } keep ? Forget(done, keep, work) : done;
    }

    RunDoneEvent Forget(RunDoneEvent done, ForgetRequest keep, RepositoryWork work)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return done with { Forgotten = new ForgetRun(keep, work).Forget() };
            }
            catch (RepositoryException exception)
                when (exception.Error == RepositoryError.Locked && Stopwatch.GetElapsedTime(start) < s_forgetLimit)
            {
                if (work.Cancel.WaitHandle.WaitOne(ForgetWaitMs))
                    return done;
            }
            catch (RepositoryException exception)
            {
                // The point is there: others' work or a store that forbids it is no reason to call the night lost.
                output.Warning($"no point was forgotten this time: {exception.Message}");
                return done;
            }
        }
    }
}
