// What the monitor shows to NBD clients: its server, while it has one, and the exports.
//
// An export of a disk is the live disk: what its clients write goes a guest's way, past every point in time. One of a
// node that a job writes to is the job's point in time, read only, as QEMU's is that of a fleecing overlay: what was
// copied comes from the copy, the rest from the disk.
//
// An export that was taken back stays until the last of its clients has gone, which is told as an event; so a server
// that was stopped may go on ending its sessions while the next one listens.
// Source of order and words of the refusals: QEMU 7.2 block/export/export.c, blockdev-nbd.c, nbd/server.c.
using System.Collections.Generic;
using System.Linq;
using System.Net;
using FastBackup.Base;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Monitor.Json;
using FastBackup.Native.Monitor.Nodes;
using FastBackup.Native.Monitor.Plans;
using FastBackup.Native.Objects;
using FastBackup.Serving;

namespace FastBackup.Native.Monitor.Nbd;

/// <summary>Threads: the reactor's.</summary>
sealed class MonitorExports(EngineObject engine, NodeTable nodes, MonitorInbox inbox) : IServedDisks
{
    const int NameCharactersMax = 4096; // NBD's limit of a string

    readonly List<MonitorExport> _exports = [];
    NbdServer? _server;

    public IEnumerable<ServedDisk> All => Current.Select(export => export.Served);

    IEnumerable<MonitorExport> Current =>
        _exports.Where(export => !export.IsShuttingDown && ReferenceEquals(export.Server, _server));

    public bool IsRunning => _server != null;

    /// <summary>The id of an export whose clients have not gone; null: all have.</summary>
    public string? FirstLeft => _exports.FirstOrDefault()?.Id;

    public ServedDisk? Find(string name) => All.FirstOrDefault(disk => disk.Name == name);

    /// <summary>Listens from now on.</summary>
    /// <param name="address">Of a socket that does not exist yet, or of TCP.</param>
    /// <param name="options">Bounds.</param>
    /// <returns>None, or why it cannot listen.</returns>
    public Fault Start(EndPoint address, NbdServerOptions options)
    {
        Fault fault = NbdServer.TryStart(engine.Reactor, address, this, options, null, out _server);
        if (_server != null)
            _server.OnClientGone = DropThoseWithoutClients;
        return fault;
    }

    /// <summary>Takes all exports back, and lets the server's clients go.</summary>
    public void Stop()
    {
        NbdServer? server = _server;
        foreach (MonitorExport export in Current)
            export.IsShuttingDown = true;
        _server = null;
        server?.Close(() => { }); // the exports tell when their clients have gone
        DropThoseWithoutClients();
    }

    public QmpError? Add(ExportRequest request)
    {
        if (!QmpName.IsWellFormed(request.Id))
            return QmpError.Generic("Invalid block export id");
        if (_exports.Any(export => export.Id == request.Id))
            return QmpError.Generic($"Block export id '{request.Id}' is already in use");
        if (FindNode(request, out JobObject? job, out bool isReadOnly) is { } missing)
            return missing;
        if (request.IsWritable && isReadOnly && !request.IsDowngraded)
            return QmpError.Generic("Cannot export read-only node as writable");
        if (_server == null)
            return QmpError.Generic("NBD server not running");
        if (request.Name.Length > NameCharactersMax)
            return QmpError.Generic($"export name '{request.Name}' too long");
        if (request.Description.Length > NameCharactersMax)
            return QmpError.Generic($"description '{request.Description}' too long");
        if (Find(request.Name) != null)
            return QmpError.Generic($"NBD server already has export named '{request.Name}'");
        DiskObject? disk = job?.Disk;
        if (disk == null && nodes.FindSource(request.Node, out disk) is { } refusal)
            return refusal;
        bool isWritable = request.IsWritable && !isReadOnly;
        if (CheckBitmaps(request, disk!, isWritable) is { } problem)
            return problem;
        ServedDisk served = new(request.Name, job != null ? new SnapshotFront(job) : new DiskFront(disk!.Core))
        {
            Description = request.Description,
            IsReadOnly = !isWritable,
            Bitmaps =
                request.Bitmaps.Count == 0
                    ? null
                    : new ExportedBitmaps(disk!, request.Bitmaps.Select(bitmap => bitmap.Name).ToHashSet()),
        };
        disk!.ExportCount++;
        _exports.Add(new MonitorExport(request.Id, request.Node, _server, disk, served));
        return null;
    }

    /// <summary>By its id.</summary>
    /// <param name="id">Of the export.</param>
    /// <param name="isHard">Its clients are let go; else it is kept for them.</param>
    public QmpError? Remove(string id, bool isHard)
    {
        if (_exports.FirstOrDefault(one => one.Id == id) is not { } export)
            return QmpError.Generic($"Export '{id}' is not found");
        if (export.IsShuttingDown)
            return QmpError.Generic($"Export '{id}' is already shutting down");
        if (!isHard && export.HasClients)
            return QmpError.Generic($"export '{id}' still in use");
        export.IsShuttingDown = true;
        export.Server.CloseClientsOf(export.Served);
        DropThoseWithoutClients();
        return null;
    }

    /// <summary>The same by the name that NBD clients give.</summary>
    public QmpError? RemoveNamed(string name, bool isHard) =>
        Current.FirstOrDefault(one => one.Served.Name == name) is { } export
            ? Remove(export.Id, isHard)
            : QmpError.Generic($"Export '{name}' is not found");

    public JsonValue ToJson() => JsonValue.Of([.. _exports.Select(export => export.ToJson())]);

    /// <summary>A bug has stopped the engine: no client is answered any more.</summary>
    public void GiveUp()
    {
        foreach (MonitorExport export in _exports)
            export.Disk.ExportCount--;
        _exports.Clear();
        _server = null;
    }

    void DropThoseWithoutClients()
    {
        foreach (MonitorExport export in (MonitorExport[])[.. _exports])
        {
            if (!export.IsShuttingDown || export.HasClients)
                continue;
            _ = _exports.Remove(export);
            export.Disk.ExportCount--;
            inbox.PostEvent(QmpEvent.Of("BLOCK_EXPORT_DELETED", JsonValue.Object(("id", JsonValue.Of(export.Id)))));
        }
    }

    /// <param name="request">Names the node.</param>
    /// <param name="job">Whose point in time is meant; null: the node as it is.</param>
    /// <param name="isReadOnly">Whatever is asked for.</param>
    QmpError? FindNode(ExportRequest request, out JobObject? job, out bool isReadOnly)
    {
        job = null;
        isReadOnly = false;
        if (nodes.FindHostDisk(request.Node) is { } host)
        {
            isReadOnly = host.Core.Device.Limits.IsReadOnly;
            return null;
        }
        if (nodes.Find(request.Node) is not { } node)
            return QmpError.Generic(
                $"Cannot find device='{(request.IsDowngraded ? request.Node : "")}' nor node-name='{request.Node}'"
            );
        isReadOnly = node.IsReadOnly || node.Device.HasJob;
        if (!node.Device.HasJob)
            return null;
        job = JobObject.NewestReadable(engine, to: node.Device);
        return job != null
            ? null
            : QmpError.Generic($"Node '{request.Node}' belongs to a job without a point in time that can be read");
    }

    QmpError? CheckBitmaps(ExportRequest request, DiskObject disk, bool isWritable)
    {
        foreach ((string? node, string name) in request.Bitmaps)
        {
            DiskObject? named = disk;
            if (node != null && nodes.FindSource(node, out named) != null)
                return QmpError.Generic($"Node '{node}' not found");
            if (!ReferenceEquals(named, disk))
                return QmpError.Generic($"Bitmap '{name}' of node '{node}' is not one of the exported disk");
            if (disk.Core.FindBitmap(name) is not { } bitmap)
                return QmpError.Generic(
                    node == null ? $"Bitmap '{name}' is not found" : $"Dirty bitmap '{name}' not found"
                );
            if (bitmap.IsBusy)
                return BitmapAction.Busy(name);
            if (!isWritable && bitmap.IsEnabled && !disk.Core.Device.Limits.IsReadOnly)
                return QmpError.Generic($"Enabled bitmap '{name}' incompatible with readonly export");
        }
        return null;
    }
}
