// The host's side of a live backup: nodes and jobs, by commands of QMP. Whatever it makes has the disk's own id
// (LiveDisk.JobId), so that a run which was killed leaves nothing that the next one could not find.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Devices.Targets;
using FastBackup.Jobs;

namespace FastBackup.Cli;

/// <summary>Threads: one.</summary>
sealed class LiveJobs(MonitorLink link)
{
    const int IntervalMs = 500; // when nobody watches
    const int CancelLimitMs = 20_000;

    bool _hasNoStatistics;
    string? _bitmap; // that the transaction has added

    /// <summary>Takes away what a run that was killed has left.</summary>
    /// <returns>Null, or a sentence: another run is at work.</returns>
    public string? TryClear(List<LiveDisk> disks)
    {
        JsonArray nodes = List("query-named-block-nodes");
        foreach (LiveDisk disk in disks)
        {
            if (nodes.All(node => (string?)node!["node-name"] != disk.JobId))
                continue;
            if (Find(disk.JobId) is { } job && (string?)job["status"] != "concluded")
                return $"another live-backup copies disk '{disk.Name}' now: wait, or cancel its job '{disk.JobId}'";
            _ = Refused("job-dismiss", new() { ["id"] = disk.JobId });
            if (Refused("blockdev-del", new() { ["node-name"] = disk.JobId }) is { } refusal)
                return $"what an earlier run has left in the host cannot be closed: {refusal}";
        }
        return null;
    }

    /// <returns>Null, or why the host does not open a target, a sentence.</returns>
    public string? TryAddNodes(List<LiveDisk> disks)
    {
        foreach (LiveDisk disk in disks)
        {
            TargetPlace place = disk.Place!;
            JsonObject file = new()
            {
                ["driver"] = place.PartialPath == null ? "host_device" : "file",
                ["filename"] = place.PartialPath ?? place.Path,
                ["discard"] = "unmap",
            };
            JsonObject node = new()
            {
                ["driver"] = "raw",
                ["node-name"] = disk.JobId,
                ["discard"] = "unmap",
                ["detect-zeroes"] = "unmap", // QEMU's: it would fill holes; ours keeps them anyway
                ["file"] = file,
            };
            if (Refused("blockdev-add", node) is { } refusal)
                return $"the host cannot open '{place.PartialPath ?? place.Path}' for disk '{disk.Name}': {refusal}; "
                    + "its process needs the right to";
            disk.IsNode = true;
        }
        return null;
    }

    /// <summary>One transaction: the instant is the same for all.</summary>
    /// <returns>Null, or why nothing was begun, a sentence.</returns>
    public string? TryStart(List<LiveDisk> disks, LiveBackupRequest request, Action onStep)
    {
        JsonArray actions = [];
        foreach (LiveDisk disk in disks)
        {
            JsonObject backup = new()
            {
                ["job-id"] = disk.JobId,
                ["device"] = disk.Name,
                ["target"] = disk.JobId,
                ["sync"] = BackupWords.Sync.Of(BackupSync.Full),
                ["auto-dismiss"] = false,
            };
            if (request.SpeedBytesPerSecond > 0)
                backup["speed"] = request.SpeedBytesPerSecond;
            if (request.WarmMs != null)
                backup["x-warm-ms"] = request.WarmMs;
            if (request.Bitmap != null)
                actions.Add(
                    (JsonNode)Action(
                        "block-dirty-bitmap-add",
                        new() { ["node"] = disk.Name, ["name"] = request.Bitmap }
                    )
                );
            actions.Add((JsonNode)Action("blockdev-backup", backup));
        }
        JsonObject transaction = new() { ["actions"] = actions };
        if (request.Bitmap == null) // QEMU's actions on bitmaps cannot be grouped
            transaction["properties"] = new JsonObject { ["completion-mode"] = "grouped" };
        JsonNode? answer = link.Ask("transaction", transaction, onStep);
        if (answer?["return"] == null)
            return "the backup was not begun: " + Words(answer);
        foreach (LiveDisk disk in disks)
            disk.IsStarted = true;
        _bitmap = request.Bitmap;
        return null;
    }

    /// <summary>Until all jobs have ended; cancels all of them when one fails or a signal comes.</summary>
    public void Watch(List<LiveDisk> disks, Interruption interruption, IProgressView view, Action<WorkProgress> show)
    {
        int waitMs = view.IntervalMs == Timeout.Infinite ? IntervalMs : Math.Min(view.IntervalMs, IntervalMs);
        long cancelledMs = 0;
        while (true)
        {
            Look(disks);
            if (disks.TrueForAll(disk => disk.IsConcluded) || link.IsEnded)
                return;
            bool isOver = interruption.IsRequested || disks.Exists(disk => disk.Error != null);
            if (isOver && cancelledMs == 0)
            {
                Cancel(disks);
                cancelledMs = Environment.TickCount64;
            }
            if (isOver && Environment.TickCount64 - cancelledMs > CancelLimitMs)
                return;
            if (view.IntervalMs != Timeout.Infinite)
                show(
                    new WorkProgress(
                        Sum(disks, disk => disk.DoneBytes),
                        Sum(disks, disk => disk.SizeBytes),
                        Sum(disks, disk => disk.SkippedBytes)
                    )
                );
            _ = isOver ? interruption.Event.WaitOne(0) : interruption.Event.WaitOne(waitMs);
            if (isOver)
                Thread.Sleep(20);
        }
    }

    /// <summary>Ends jobs that still run, and closes what was opened.</summary>
    public void End(List<LiveDisk> disks)
    {
        LiveDisk[] running = [.. disks.Where(disk => disk is { IsStarted: true, IsConcluded: false })];
        if (running.Length > 0 && !link.IsEnded)
        {
            Cancel(disks);
            long start = Environment.TickCount64;
            while (
                running.Any(disk => !disk.IsConcluded)
                && !link.IsEnded
                && Environment.TickCount64 - start < CancelLimitMs
            )
            {
                Look(disks);
                Thread.Sleep(20);
            }
        }
        bool isWhole = disks.TrueForAll(disk => disk is { IsConcluded: true, Error: null });
        foreach (LiveDisk disk in disks)
        {
            if (_bitmap != null && !isWhole)
                _ = Refused("block-dirty-bitmap-remove", new() { ["node"] = disk.Name, ["name"] = _bitmap });
            if (disk.IsConcluded)
                _ = Refused("job-dismiss", new() { ["id"] = disk.JobId });
            if (disk.IsNode)
                _ = Refused("blockdev-del", new() { ["node-name"] = disk.JobId });
        }
    }

    /// <summary>Its job was cancelled: by us, or with the one that failed.</summary>
    public static bool IsCancel(LiveDisk disk) => disk.Error is "Operation canceled";

    void Cancel(List<LiveDisk> disks)
    {
        foreach (LiveDisk disk in disks)
            if (disk is { IsStarted: true, IsConcluded: false })
                _ = Refused("job-cancel", new() { ["id"] = disk.JobId });
    }

    void Look(List<LiveDisk> disks)
    {
        JsonArray jobs = List("query-jobs");
        foreach (LiveDisk disk in disks)
        {
            JsonNode? job = jobs.FirstOrDefault(one => (string?)one!["id"] == disk.JobId);
            if (job == null || link.IsEnded)
            {
                if (!link.IsEnded && !disk.IsConcluded)
                    (disk.IsConcluded, disk.Error) = (true, "its job was dismissed by somebody else");
                continue;
            }
            disk.DoneBytes = Math.Min((ulong?)job["current-progress"] ?? 0, disk.SizeBytes);
            if ((string?)job["status"] != "concluded")
                continue;
            (disk.IsConcluded, disk.Error) = (true, (string?)job["error"]);
        }
        LookAtStatistics(disks);
    }

    /// <summary>Ours alone can tell what was skipped.</summary>
    void LookAtStatistics(List<LiveDisk> disks)
    {
        if (_hasNoStatistics || link.Ask("x-query-statistics", []) is not { } answer)
            return;
        _hasNoStatistics = answer["error"] != null;
        foreach (JsonNode? job in answer["return"] as JsonArray ?? [])
            if (disks.Find(disk => disk.JobId == (string?)job!["id"]) is { } disk)
                disk.SkippedBytes =
                    (ulong)job!["progress"]!["skipped-zero-bytes"]! + (ulong)job["progress"]!["written-zero-bytes"]!;
    }

    JsonNode? Find(string id) => List("query-jobs").FirstOrDefault(job => (string?)job!["id"] == id);

    JsonArray List(string command) => link.Ask(command, [])?["return"] as JsonArray ?? [];

    /// <returns>Null, or the refusal's words.</returns>
    string? Refused(string command, JsonObject arguments)
    {
        JsonNode? answer = link.Ask(command, arguments);
        return answer?["return"] != null ? null : Words(answer);
    }

    static string Words(JsonNode? answer) =>
        (string?)answer?["error"]?["desc"] ?? "the monitor has closed the connection";

    static JsonObject Action(string type, JsonObject content) => new() { ["type"] = type, ["data"] = content };

    static ulong Sum(List<LiveDisk> disks, Func<LiveDisk, ulong> of) =>
        disks.Aggregate(0ul, (sum, disk) => sum + of(disk));
}
