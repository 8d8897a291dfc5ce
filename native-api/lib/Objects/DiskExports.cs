// What NBD clients are shown by a monitor or by a host: a server, while there is one, and the exports.
//
// An export of a disk is the live disk: what its clients write goes a guest's way, past every point in time. One of a
// job is its point in time, read only: what was copied comes from the copy, the rest from the disk.
//
// An export that was taken back stays until the last of its clients has gone, which is told; so a server that was
// stopped may go on ending its sessions while the next one listens.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Net;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Serving;

namespace FastBackup.Native.Objects;

/// <summary>Threads: the reactor's.</summary>
/// <param name="engine">Whose disks they are.</param>
/// <param name="onGone">Told of each that was taken back, when nothing of it is left.</param>
sealed class DiskExports(EngineObject engine, Action<DiskExport> onGone) : IServedDisks
{
    readonly List<DiskExport> _exports = [];
    NbdServer? _server;

    public IEnumerable<ServedDisk> All => Current.Select(export => export.Served);

    /// <summary>Those that clients find.</summary>
    public IEnumerable<DiskExport> Current =>
        _exports.Where(export => !export.IsShuttingDown && ReferenceEquals(export.Server, _server));

    /// <summary>With those that were taken back and have clients.</summary>
    public IReadOnlyList<DiskExport> WithThoseThatGo => _exports;

    public bool IsRunning => _server != null;

    public int ConnectionCount => _server?.ConnectionCount ?? 0;

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
        foreach (DiskExport export in Current)
            export.IsShuttingDown = true;
        _server = null;
        server?.Close(() => { }); // the exports tell when their clients have gone
        DropThoseWithoutClients();
    }

    /// <summary>Shows a disk to clients. A server runs, and no other export has the id or the name.</summary>
    /// <param name="id">Of the export.</param>
    /// <param name="label">What it was asked for as.</param>
    /// <param name="disk">Stays open for it.</param>
    /// <param name="job">Its point in time is meant; null: the disk as it is.</param>
    /// <param name="wanted">Name, description, whether it is read only, bitmaps.</param>
    public void Add(string id, string label, DiskObject disk, JobObject? job, Func<IBlockDevice, ServedDisk> wanted)
    {
        ServedDisk served = wanted(job != null ? new SnapshotFront(job) : new DiskFront(disk.Core));
        disk.ExportCount++;
        _exports.Add(new DiskExport(id, label, _server!, disk, served));
    }

    /// <summary>Takes one back: its clients are let go.</summary>
    public void Remove(DiskExport export)
    {
        export.IsShuttingDown = true;
        export.Server.CloseClientsOf(export.Served);
        DropThoseWithoutClients();
    }

    /// <summary>A bug has stopped the engine: no client is answered any more.</summary>
    public void GiveUp()
    {
        foreach (DiskExport export in _exports)
            export.Disk.ExportCount--;
        _exports.Clear();
        _server = null;
    }

    void DropThoseWithoutClients()
    {
        foreach (DiskExport export in (DiskExport[])[.. _exports])
        {
            if (!export.IsShuttingDown || export.HasClients)
                continue;
            _ = _exports.Remove(export);
            export.Disk.ExportCount--;
            onGone(export);
        }
    }
}
