// Calls of QMP that several tests make, in the words that QEMU and our monitor share.
using System.Linq;
using System.Text.Json.Nodes;
using FastBackup.Tests.Qmp;

namespace FastBackup.Tests.Hosts.Served;

static class QmpCalls
{
    /// <summary>Opens a raw image as a node.</summary>
    public static void AddFile(this QmpClient qmp, string node, string path)
    {
        JsonObject file = new()
        {
            ["driver"] = "file",
            ["node-name"] = node,
            ["filename"] = path,
        };
        qmp.Command("blockdev-add", file);
    }

    public static void RemoveNode(this QmpClient qmp, string node) =>
        qmp.Command("blockdev-del", new JsonObject { ["node-name"] = node });

    public static void CancelJob(this QmpClient qmp, string jobId) =>
        qmp.Command("job-cancel", new JsonObject { ["id"] = jobId });

    /// <param name="qmp">The host's monitor.</param>
    /// <param name="jobId">The job.</param>
    /// <param name="bytesPerSecond">0 = as fast as it goes.</param>
    public static void SetSpeed(this QmpClient qmp, string jobId, ulong bytesPerSecond) =>
        qmp.Command("block-job-set-speed", new JsonObject { ["device"] = jobId, ["speed"] = bytesPerSecond });

    public static bool IsRunning(this QmpClient qmp, string jobId) =>
        qmp.Command("query-jobs")!
            .AsArray()
            .Any(job => (string?)job!["id"] == jobId && (string?)job["status"] == "running");
}
