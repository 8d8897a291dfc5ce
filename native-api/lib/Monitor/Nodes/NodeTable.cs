// What a monitor's clients may name as a node: the host's disks, by their names, and what blockdev-add opened. A host's
// disk comes first: its name cannot be taken by a node.
//
// A node may be the source of a backup as well: then a disk is made over it, which nobody writes to.
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Native.Errors;
using FastBackup.Native.Handles;
using FastBackup.Native.Monitor.Commands;
using FastBackup.Native.Objects;

namespace FastBackup.Native.Monitor.Nodes;

/// <summary>Threads: nodes are added and removed by the monitor's; what touches disks is the reactor's.</summary>
sealed class NodeTable(EngineObject engine)
{
    ulong _number; // the monitor's thread

    readonly Lock _lock = new();
    readonly Dictionary<string, MonitorNode> _nodes = [];

    public IReadOnlyCollection<MonitorNode> Nodes
    {
        get
        {
            lock (_lock)
                return [.. _nodes.Values];
        }
    }

    public MonitorNode? Find(string name)
    {
        lock (_lock)
            return _nodes.GetValueOrDefault(name);
    }

    public void Add(MonitorNode node)
    {
        lock (_lock)
            _nodes.Add(node.Name, node);
    }

    public void Remove(MonitorNode node)
    {
        lock (_lock)
            _ = _nodes.Remove(node.Name);
    }

    /// <summary>A name for a node that was given none. The monitor's thread.</summary>
    public string NextName() => string.Create(CultureInfo.InvariantCulture, $"#block{++_number:000}");

    /// <summary>The host's disk of a name, or null. On the reactor's thread.</summary>
    public DiskObject? FindHostDisk(string name)
    {
        foreach (DiskObject disk in engine.Disks.OfType<DiskObject>())
            if (disk.Core.Name == name && !disk.IsOfMonitor)
                return disk;
        return null;
    }

    /// <summary>A disk to back up or to watch. On the reactor's thread.</summary>
    /// <returns>Null, or why there is none.</returns>
    public QmpError? FindSource(string name, out DiskObject? disk)
    {
        disk = FindHostDisk(name);
        if (disk != null)
            return null;
        if (Find(name) is not { } node)
            return Missing(name);
        disk = node.Disk;
        return disk != null ? null : CheckFormat(node) ?? MakeDisk(node, out disk);
    }

    /// <summary>Whether a target of this name is there at all. On the reactor's thread.</summary>
    public QmpError? HasTarget(string name) => FindHostDisk(name) != null || Find(name) != null ? null : Missing(name);

    /// <summary>A device to write to. On the reactor's thread.</summary>
    /// <param name="name">Of a node, or of a disk, which the engine will refuse.</param>
    /// <param name="source">May be named: then it is the source's own device that is found.</param>
    /// <param name="device">Null when it is not found.</param>
    /// <returns>Null, or why there is none.</returns>
    public QmpError? FindTarget(string name, DiskObject source, out DeviceObject? device)
    {
        device = FindHostDisk(name)?.Device;
        if (device != null)
            return null;
        if (Find(name) is not { } node)
            return Missing(name);
        if (CheckFormat(node) is { } foreign)
            return foreign;
        device = node.Device;
        if (!ReferenceEquals(node.Disk, source))
            _ = TryDropDisk(node); // it was a source once, and is not any more
        return null;
    }

    /// <summary>A file is raw when driver raw says so, or when nothing speaks against it.</summary>
    static QmpError? CheckFormat(MonitorNode node) =>
        node.Driver != "raw" && node.Device.Device is FileDevice { ForeignFormat: { } format }
            ? QmpError.Generic(
                $"'{node.FileName}' is an image of format {format}; with driver 'raw' over node '{node.Name}' it is raw"
            )
            : null;

    /// <summary>Takes the disk off a node that no job and no bitmap needs. On the reactor's thread.</summary>
    public static Answer TryDropDisk(MonitorNode node)
    {
        if (node.Disk == null)
            return Answer.Ok;
        if (node.Disk.Bitmaps.Count > 0)
            return Answer.State("it has bitmaps");
        return CloseDisk(node);
    }

    /// <summary>The same, bitmaps or not.</summary>
    public static Answer CloseDisk(MonitorNode node)
    {
        if (node.Disk == null)
            return Answer.Ok;
        Answer answer = node.Disk.CloseIfIdle();
        if (answer.IsOk)
            node.Disk = null;
        return answer;
    }

    QmpError? MakeDisk(MonitorNode node, out DiskObject? disk)
    {
        Answer answer = DiskObject.TryMake(
            engine,
            node.Device,
            node.Name,
            DiskObject.WaitingDefault,
            absorbBytes: 0,
            isOfMonitor: true,
            out disk
        );
        node.Disk = disk;
        return disk == null ? QmpError.Of(answer) : null;
    }

    static QmpError Missing(string name) => QmpError.Generic($"Cannot find device='{name}' nor node-name='{name}'");
}
