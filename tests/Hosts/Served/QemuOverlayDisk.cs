// QEMU as the host, with its older point in time: a backup job that copies only what guests overwrite, into a qcow2
// overlay of the disk, which is exported. Another mechanism than QemuDisk's, with the same answer.
// Source: QEMU docs/interop/live-block-operations, "live disk backup"; tests/qemu-iotests/222.
using System.IO;
using System.Text.Json.Nodes;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Qmp;

namespace FastBackup.Tests.Hosts.Served;

sealed class QemuOverlayDisk(QemuDisk disk) : IServedDisk
{
    const string Overlay = "overlay";

    string _overlayPath = "";
    string _jobId = "";
    int _count;

    public string SocketPath => disk.SocketPath;

    public string SourcePath => disk.SourcePath;

    public string NodeName => disk.NodeName;

    public uint ViewBoundaryBytes => 0;

    public QmpClient Qmp => disk.Qmp;

    /// <summary>The scratch is a file of its own beside the given one, for it has another format.</summary>
    public void BeginSnapshot(string scratchPath)
    {
        _overlayPath = scratchPath + ".qcow2";
        _jobId = string.Create(null, $"fleecing-{++_count}"); // late events of an earlier job have its id
        string size = new FileInfo(scratchPath).Length.ToString(provider: null);
        Tool.Run("qemu-img", "create", "-q", "-f", "qcow2", _overlayPath, size);
        JsonObject overlay = new()
        {
            ["driver"] = "qcow2",
            ["node-name"] = Overlay,
            ["file"] = new JsonObject { ["driver"] = "file", ["filename"] = _overlayPath },
            ["backing"] = NodeName,
        };
        Qmp.Command("blockdev-add", overlay);
        JsonObject backup = new()
        {
            ["job-id"] = _jobId,
            ["device"] = NodeName,
            ["target"] = Overlay,
            ["sync"] = "none",
        };
        Qmp.Command("blockdev-backup", backup);
        disk.ExportSnapshot(Overlay);
    }

    public void EndSnapshot()
    {
        disk.RemoveSnapshotExport();
        Qmp.CancelJob(_jobId);
        Qmp.WaitForJob(_jobId);
        Qmp.RemoveNode(Overlay);
        File.Delete(_overlayPath);
    }

    public void Dispose() => disk.Dispose();
}
