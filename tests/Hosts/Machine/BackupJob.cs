// A backup of a served disk, ordered as QEMU's users do.
using System.Text.Json.Nodes;
using FastBackup.Bench.Peers;
using Xunit;

namespace FastBackup.Tests.Hosts.Machine;

/// <summary>Threads: one.</summary>
sealed class BackupJob
{
    const string Target = "target";

    readonly QmpClient _qmp;
    readonly string _id;

    BackupJob(QmpClient qmp, string id) => (_qmp, _id) = (qmp, id);

    /// <summary>Whether it still copies.</summary>
    public bool IsRunning => _qmp.IsRunning(_id);

    /// <summary>A full backup, and from the same moment on a bitmap of what guests write.</summary>
    /// <param name="disk">What is backed up.</param>
    /// <param name="targetPath">A raw image as large as the disk.</param>
    /// <param name="bitmap">The new bitmap's name.</param>
    /// <param name="bytesPerSecond">0 = as fast as it goes.</param>
    public static BackupJob StartFull(IServedDisk disk, string targetPath, string bitmap, ulong bytesPerSecond)
    {
        JsonObject track = new() { ["node"] = disk.NodeName, ["name"] = bitmap };
        JsonObject backup = Arguments(disk, "full", bytesPerSecond);
        disk.Qmp.AddFile(Target, targetPath);
        JsonArray actions = [Action("block-dirty-bitmap-add", track), Action("blockdev-backup", backup)];
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

    /// <summary>Takes the limit away, waits for the end, and closes the target. A failure of the job throws.</summary>
    public void Finish()
    {
        Assert.True(IsRunning, $"the job {_id} was over before the guest had done anything beside it");
        _qmp.SetSpeed(_id, 0);
        _qmp.WaitForJob(_id);
        _qmp.RemoveNode(Target);
    }

    static JsonObject Arguments(IServedDisk disk, string sync, ulong bytesPerSecond) =>
        new()
        {
            ["job-id"] = sync + "-backup",
            ["device"] = disk.NodeName,
            ["target"] = Target,
            ["sync"] = sync,
            ["speed"] = bytesPerSecond,
        };

    static JsonObject Action(string type, JsonObject arguments) => new() { ["type"] = type, ["data"] = arguments };
}
