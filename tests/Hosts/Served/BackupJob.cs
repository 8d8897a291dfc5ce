// A backup of a served disk, ordered as QEMU's users do.
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Qmp;

namespace FastBackup.Tests.Hosts.Served;

/// <summary>Threads: one.</summary>
sealed class BackupJob
{
    const string Target = "target";

    static int _count;

    readonly QmpClient _qmp;
    readonly string _id;

    BackupJob(QmpClient qmp, string id) => (_qmp, _id) = (qmp, id);

    /// <summary>Whether it still copies.</summary>
    public bool IsRunning => _qmp.IsRunning(_id);

    /// <param name="disk">What is backed up.</param>
    /// <param name="targetPath">A raw image as large as the disk.</param>
    /// <param name="bitmap">A new bitmap of what guests write from the same moment on; null for none.</param>
    /// <param name="bytesPerSecond">0 = as fast as it goes.</param>
    public static BackupJob StartFull(IServedDisk disk, string targetPath, string? bitmap, ulong bytesPerSecond)
    {
        JsonObject backup = Arguments(disk, "full", bytesPerSecond);
        JsonArray actions = [];
        if (bitmap != null)
        {
            JsonObject track = new() { ["node"] = disk.NodeName, ["name"] = bitmap };
            actions.Add(Action("block-dirty-bitmap-add", track));
        }
        actions.Add(Action("blockdev-backup", backup));
        disk.Qmp.AddFile(Target, targetPath);
        disk.Qmp.Command("transaction", new JsonObject { ["actions"] = actions });
        return new BackupJob(disk.Qmp, (string)backup["job-id"]!);
    }

    /// <summary>A backup of what the bitmap has, over the target of the last one.</summary>
    public static BackupJob StartIncremental(IServedDisk disk, string targetPath, string bitmap, ulong bytesPerSecond)
    {
        JsonObject backup = Arguments(disk, "incremental", bytesPerSecond);
        backup["bitmap"] = bitmap;
        disk.Qmp.AddFile(Target, targetPath);
        disk.Qmp.Command("blockdev-backup", backup);
        return new BackupJob(disk.Qmp, (string)backup["job-id"]!);
    }

    /// <summary>Lets it copy as fast as it can; nothing if it has ended.</summary>
    public void Unleash()
    {
        try
        {
            _qmp.SetSpeed(_id, 0);
        }
        catch (PeerException) when (!IsRunning)
        {
            // It was done already.
        }
    }

    /// <summary>Waits for the end, and closes the target. A failure of the job throws.</summary>
    public void Finish()
    {
        _qmp.WaitForJob(_id);
        _qmp.RemoveNode(Target);
    }

    static JsonObject Arguments(IServedDisk disk, string sync, ulong bytesPerSecond) =>
        new()
        {
            ["job-id"] = NewId(sync),
            ["device"] = disk.NodeName,
            ["target"] = Target,
            ["sync"] = sync,
            ["speed"] = bytesPerSecond,
        };

    /// <summary>Never used twice: events of a job that has ended may still be on their way.</summary>
    static string NewId(string sync) => string.Create(null, $"{sync}-{Interlocked.Increment(ref _count)}");

    static JsonObject Action(string type, JsonObject arguments) => new() { ["type"] = type, ["data"] = arguments };
}
