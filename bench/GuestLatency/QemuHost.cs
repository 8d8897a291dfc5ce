// QEMU as a host: qemu-storage-daemon with its own NBD server and blockdev-backup, sync=full, O_DIRECT and io_uring.
using System;
using System.Diagnostics;
using System.IO;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Qmp;

namespace FastBackup.Bench.GuestLatency;

/// <summary>Threads: one.</summary>
sealed class QemuHost : IBackupHost
{
    public const string QemuName = "QEMU";
    const string JobId = "backup";

    static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(20);

    readonly HostPlan _plan;
    readonly QemuTuning _tuning;
    readonly QemuStorageDaemon _daemon;
    LimitedServer? _limited;
    bool _hasStarted;
    long _start;
    double _copiedSeconds;

    public QemuHost(HostPlan plan, QemuTuning tuning, CancellationToken cancel)
    {
        (_plan, _tuning) = (plan, tuning);
        string[] arguments =
        [
            .. QemuStorageDaemon.RawFile("source", plan.SourcePath, plan.IsDirect),
            .. Target(cancel),
            "--nbd-server",
            $"addr.type=unix,addr.path={plan.SocketPath},max-connections=16",
            "--export",
            "type=nbd,id=guest,node-name=source,name=disk,writable=on",
        ];
        try
        {
            _daemon = new QemuStorageDaemon(arguments, cancel);
        }
        catch
        {
            _limited?.Dispose();
            throw;
        }
    }

    public string Name => QemuName;

    public string SocketPath => _plan.SocketPath;

    public void StartBackup(CancellationToken cancel)
    {
        JsonObject arguments = new()
        {
            ["job-id"] = JobId,
            ["device"] = "source",
            ["target"] = "target",
            ["sync"] = "full",
        };
        if (!_tuning.IsDefault)
            arguments["x-perf"] = new JsonObject
            {
                ["max-workers"] = _tuning.WorkerMax,
                ["max-chunk"] = _tuning.ChunkBytesMax,
            };
        _start = Stopwatch.GetTimestamp();
        _hasStarted = true;
        _daemon.Qmp.Command("blockdev-backup", arguments);
    }

    public bool HasCopied()
    {
        while (_copiedSeconds == 0 && _daemon.Qmp.TryNextEvent(TimeSpan.Zero, out JsonObject? happened))
            Note(happened!);
        return _copiedSeconds > 0;
    }

    public BackupPace Pace()
    {
        if (HasCopied())
            return new BackupPace(_plan.SizeBytes, _copiedSeconds, IsWhole: true);
        JsonArray jobs = _daemon.Qmp.Command("query-jobs")!.AsArray();
        double seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
        if (jobs.Count == 0)
            return new BackupPace(_plan.SizeBytes, seconds, IsWhole: true);
        return new BackupPace((ulong)jobs[0]!["current-progress"]!, seconds, IsWhole: false);
    }

    public CancelTimes Cancel(TimeSpan limit)
    {
        long start = Stopwatch.GetTimestamp();
        CancelTimes times = default;
        _daemon.Qmp.Command("job-cancel", new JsonObject { ["id"] = JobId });
        while (times.DetachSeconds == null && Stopwatch.GetElapsedTime(start) < limit)
        {
            if (!_daemon.Qmp.TryNextEvent(TimeSpan.FromMilliseconds(20), out JsonObject? happened))
                continue;
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            string status = Status(happened!);
            if (status == "concluded")
                times = times with { EndSeconds = seconds };
            else if (status == "null")
                times = times with { DetachSeconds = seconds };
        }
        return times;
    }

    public void FreezeTarget() => _limited!.Freeze();

    public void ThawTarget() => _limited?.Thaw();

    public void Dispose()
    {
        try
        {
            // A daemon that is killed keeps its files locked for a while: cancel, quit, and wait.
            if (_hasStarted && !HasCopied())
                Cancel(EndLimit);
            _daemon.Quit(CancellationToken.None);
        }
        catch (PeerException)
        {
            // Then it is killed below.
        }
        finally
        {
            _daemon.Dispose();
            _limited?.Dispose();
            File.Delete(_plan.SocketPath);
        }
    }

    void Note(JsonObject happened)
    {
        if ((string)happened["event"]! != "BLOCK_JOB_COMPLETED")
            return;
        if (happened["data"]?["error"] is JsonNode error)
            throw new PeerException("QEMU's backup job failed: " + error);
        _copiedSeconds = Stopwatch.GetElapsedTime(_start).TotalSeconds;
    }

    string[] Target(CancellationToken cancel)
    {
        if (_plan.LimitBytesPerSecond > 0)
        {
            string path = _plan.SocketPath + "-target";
            _limited = new LimitedServer(path, _plan.SizeBytes, _plan.LimitBytesPerSecond, cancel);
            return ["--blockdev", $"driver=nbd,node-name=target,server.type=unix,server.path={path}"];
        }
        using (FileStream target = new(_plan.TargetPath, FileMode.CreateNew))
            target.SetLength((long)_plan.SizeBytes);
        return QemuStorageDaemon.RawFile("target", _plan.TargetPath, _plan.IsDirect);
    }

    /// <summary>A job's new status; empty for other events.</summary>
    static string Status(JsonObject happened) =>
        (string)happened["event"]! == "JOB_STATUS_CHANGE" ? (string)happened["data"]!["status"]! : "";
}
