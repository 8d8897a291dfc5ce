// A host that is wrong on purpose: what it gives out as the disk as it was is the live disk.
using FastBackup.Tests.Hosts.Served;
using FastBackup.Tests.Qmp;

namespace FastBackup.Tests.Hosts.Traces;

sealed class LiveViewDisk(QemuDisk disk) : IServedDisk
{
    public string SocketPath => disk.SocketPath;

    public string SourcePath => disk.SourcePath;

    public string NodeName => disk.NodeName;

    public uint ViewBoundaryBytes => 0;

    public QmpClient Qmp => disk.Qmp;

    public void BeginSnapshot(string scratchPath) => disk.ExportSnapshot(NodeName);

    public void EndSnapshot() => disk.RemoveSnapshotExport();

    public void Dispose() => disk.Dispose();
}
