// Which class of native-api/lib carries out a function of fastbackup.h, and what its method is called: the rest of the
// function's name behind the longest prefix that fits, in C#'s letters: fb_disk_bitmap_add is DiskBitmapCalls.Add. The
// few whose name would be that of a type which the class itself uses have one of their own.
using System.Collections.Generic;
using System.Linq;

namespace FastBackup.Interop.Generator;

static class ExportTable
{
    static readonly (string Prefix, string Class)[] Classes =
    [
        ("fb_", "ProcessCalls"),
        ("fb_engine_", "EngineCalls"),
        ("fb_queue_", "QueueCalls"),
        ("fb_device_", "DeviceCalls"),
        ("fb_repository_", "RepositoryCalls"),
        ("fb_bitmap_", "BitmapCalls"),
        ("fb_disk_", "DiskCalls"),
        ("fb_disk_bitmap_", "DiskBitmapCalls"),
        ("fb_disk_tracker_", "TrackerCalls"),
        ("fb_tracker_", "TrackerCalls"),
        ("fb_checkpoint_", "CheckpointCalls"),
        ("fb_backup_", "BackupCalls"),
        ("fb_transaction_", "TransactionCalls"),
        ("fb_job_", "JobCalls"),
        ("fb_snapshot_", "SnapshotCalls"),
        ("fb_monitor_", "MonitorCalls"),
        ("fb_server_", "ServerCalls"),
        ("fb_path_", "PathCalls"),
    ];

    static readonly Dictionary<string, string> Renamed = new()
    {
        ["fb_bitmap_status"] = "StatusOf",
        ["fb_last_error"] = "LastErrorOf",
        ["fb_queue_event_fd"] = "EventFdOf",
        ["fb_disk_snapshot"] = "SnapshotOf",
    };

    /// <summary>
    /// Carried out in C: it must not enter the runtime.
    /// </summary>
    public const string InC = "fb_is_forked_child";

    /// <returns>Class and method, as C# calls them.</returns>
    public static string CalleeOf(string function)
    {
        (string prefix, string name) = Classes
            .Where(row => function.StartsWith(row.Prefix, System.StringComparison.Ordinal))
            .MaxBy(row => row.Prefix.Length);
        string method = Renamed.GetValueOrDefault(function) ?? CodeText.Pascal(function[prefix.Length..]);
        return $"{name}.{method}";
    }
}
