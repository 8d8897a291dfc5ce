// QEMU as the host: qemu-storage-daemon. Its point in time is a copy-before-write filter slid under the exported node
// while it is in use, and a snapshot-access node beside it. Source: QEMU docs/interop/live-block-operations,
// tests/qemu-iotests/tests/image-fleecing.
using System;
using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Threading;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Qmp;

namespace FastBackup.Tests.Hosts.Served;

sealed class QemuDisk : IServedDisk
{
    const string SnapshotExportId = "snapshot";
    const string SourceFile = "source-file";
    const string Filter = "filter";
    const string Scratch = "scratch";
    const string View = "view";

    static readonly TimeSpan GoneLimit = TimeSpan.FromSeconds(10);

    readonly QemuStorageDaemon _daemon;
    readonly CancellationToken _cancel;

    /// <param name="sourcePath">A raw image.</param>
    /// <param name="folder">Takes the socket.</param>
    /// <param name="cancel">Ends every wait.</param>
    public QemuDisk(string sourcePath, TempFolder folder, CancellationToken cancel)
    {
        Requires.Command(QemuStorageDaemon.Program);
        (SourcePath, _cancel) = (sourcePath, cancel);
        SocketPath = folder["n" + Guid.NewGuid().ToString("N")[..8]];
        _daemon = new QemuStorageDaemon(
            [
                "--blockdev",
                $"driver=file,node-name={SourceFile},filename={Tool.Option(sourcePath)},discard=unmap",
                "--blockdev",
                $"driver=raw,node-name={NodeName},file={SourceFile},discard=unmap",
                "--nbd-server",
                $"addr.type=unix,addr.path={Tool.Option(SocketPath)},max-connections=16",
                "--export",
                $"type=nbd,id=live,node-name={NodeName},name={NbdExports.Disk},writable=on",
            ],
            cancel
        );
    }

    public string SocketPath { get; }

    public string SourcePath { get; }

    public string NodeName => "disk";

    /// <summary>
    /// Before 8.0 a read that begins in a copied cluster and ends in one that is not copied takes both from the live
    /// disk: the traces found it here. Source: QEMU commit "hbitmap: fix hbitmap_status() return value for first dirty
    /// bit case".
    /// </summary>
    public uint ViewBoundaryBytes => 64 << 10;

    public QmpClient Qmp => _daemon.Qmp;

    public void BeginSnapshot(string scratchPath)
    {
        Qmp.AddFile(Scratch, scratchPath);
        JsonObject filter = new()
        {
            ["driver"] = "copy-before-write",
            ["node-name"] = Filter,
            ["file"] = SourceFile,
            ["target"] = Scratch,
        };
        Qmp.Command("blockdev-add", filter);
        Reopen(Filter);
        JsonObject view = new()
        {
            ["driver"] = "snapshot-access",
            ["node-name"] = View,
            ["file"] = Filter,
        };
        Qmp.Command("blockdev-add", view);
        ExportSnapshot(View);
    }

    public void EndSnapshot()
    {
        RemoveSnapshotExport();
        Qmp.RemoveNode(View);
        Reopen(SourceFile);
        Qmp.RemoveNode(Filter);
        Qmp.RemoveNode(Scratch);
    }

    public void Dispose()
    {
        try
        {
            _daemon.Quit(CancellationToken.None);
        }
        catch (PeerException)
        {
            // Then it is killed below.
        }
        _daemon.Dispose();
    }

    /// <summary>Exports a node as the disk as it was.</summary>
    public void ExportSnapshot(string node)
    {
        JsonObject export = new()
        {
            ["type"] = "nbd",
            ["id"] = SnapshotExportId,
            ["node-name"] = node,
            ["name"] = NbdExports.Snapshot,
        };
        Qmp.Command("block-export-add", export);
    }

    /// <summary>A connection that was hung up on is seen by QEMU a little later.</summary>
    public void RemoveSnapshotExport()
    {
        JsonObject export = new() { ["id"] = SnapshotExportId, ["mode"] = "hard" };
        Qmp.Command("block-export-del", export);
        long start = Stopwatch.GetTimestamp();
        while (Qmp.Command("query-block-exports")!.AsArray().Count > 1)
        {
            _cancel.ThrowIfCancellationRequested();
            if (Stopwatch.GetElapsedTime(start) > GoneLimit)
                throw new PeerException("the snapshot's export stays in QEMU");
            Thread.Sleep(1);
        }
    }

    void Reopen(string file)
    {
        JsonObject node = new()
        {
            ["driver"] = "raw",
            ["node-name"] = NodeName,
            ["file"] = file,
            ["discard"] = "unmap",
        };
        Qmp.Command("blockdev-reopen", new JsonObject { ["options"] = new JsonArray(node) });
    }
}
