// What the monitor shows to NBD clients, by the room that a host's servers have, too (DiskExports): which node is
// meant, and what is refused in QEMU's words. One of a node that a job writes to is the job's point in time, as QEMU's
// is that of a fleecing overlay. An export that has gone is told as an event.
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
sealed class MonitorExports(EngineObject engine, NodeTable nodes, MonitorInbox inbox)
{
    const int NameCharactersMax = 4096; // NBD's limit of a string

    readonly DiskExports _room = new(engine, export => inbox.PostEvent(Deleted(export)));

    public bool IsRunning => _room.IsRunning;

    /// <summary>The id of an export whose clients have not gone; null: all have.</summary>
    public string? FirstLeft => _room.WithThoseThatGo is [{ } first, ..] ? first.Id : null;

    /// <inheritdoc cref="DiskExports.Start"/>
    public Fault Start(EndPoint address, NbdServerOptions options) => _room.Start(address, options);

    /// <inheritdoc cref="DiskExports.Stop"/>
    public void Stop() => _room.Stop();

    public QmpError? Add(ExportRequest request)
    {
        if (!QmpName.IsWellFormed(request.Id))
            return QmpError.Generic("Invalid block export id");
        if (_room.WithThoseThatGo.Any(export => export.Id == request.Id))
            return QmpError.Generic($"Block export id '{request.Id}' is already in use");
        if (FindNode(request, out JobObject? job, out bool isReadOnly) is { } missing)
            return missing;
        if (request.IsWritable && isReadOnly && !request.IsDowngraded)
            return QmpError.Generic("Cannot export read-only node as writable");
        if (!_room.IsRunning)
            return QmpError.Generic("NBD server not running");
        if (request.Name.Length > NameCharactersMax)
            return QmpError.Generic($"export name '{request.Name}' too long");
        if (request.Description.Length > NameCharactersMax)
            return QmpError.Generic($"description '{request.Description}' too long");
        if (_room.Find(request.Name) != null)
            return QmpError.Generic($"NBD server already has export named '{request.Name}'");
        DiskObject? disk = job?.Disk;
        if (disk == null && nodes.FindSource(request.Node, out disk) is { } refusal)
            return refusal;
        bool isWritable = request.IsWritable && !isReadOnly;
        if (CheckBitmaps(request, disk!, isWritable) is { } problem)
            return problem;
        HashSet<string> bitmaps = request.Bitmaps.Select(bitmap => bitmap.Name).ToHashSet();
        _room.Add(
            request.Id,
            request.Node,
            disk!,
            job,
            device => new ServedDisk(request.Name, device)
            {
                Description = request.Description,
                IsReadOnly = !isWritable,
                Bitmaps = bitmaps.Count == 0 ? null : new ExportedBitmaps(disk!, bitmaps),
            }
        );
        return null;
    }

    /// <summary>By its id.</summary>
    /// <param name="id">Of the export.</param>
    /// <param name="isHard">Its clients are let go; else it is kept for them.</param>
    public QmpError? Remove(string id, bool isHard)
    {
        if (_room.WithThoseThatGo.FirstOrDefault(one => one.Id == id) is not { } export)
            return QmpError.Generic($"Export '{id}' is not found");
        if (export.IsShuttingDown)
            return QmpError.Generic($"Export '{id}' is already shutting down");
        if (!isHard && export.HasClients)
            return QmpError.Generic($"export '{id}' still in use");
        _room.Remove(export);
        return null;
    }

    /// <summary>The same by the name that NBD clients give.</summary>
    public QmpError? RemoveNamed(string name, bool isHard) =>
        _room.Current.FirstOrDefault(one => one.Served.Name == name) is { } export
            ? Remove(export.Id, isHard)
            : QmpError.Generic($"Export '{name}' is not found");

    /// <summary>BlockExportInfo of each.</summary>
    public JsonValue ToJson() =>
        JsonValue.Of(
            [
                .. _room.WithThoseThatGo.Select(export =>
                    JsonValue.Object(
                        ("node-name", JsonValue.Of(export.Label)),
                        ("shutting-down", JsonValue.Of(export.IsShuttingDown)),
                        ("type", JsonValue.Of("nbd")),
                        ("id", JsonValue.Of(export.Id))
                    )
                ),
            ]
        );

    /// <inheritdoc cref="DiskExports.GiveUp"/>
    public void GiveUp() => _room.GiveUp();

    static JsonValue Deleted(DiskExport export) =>
        QmpEvent.Of("BLOCK_EXPORT_DELETED", JsonValue.Object(("id", JsonValue.Of(export.Id))));

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
