// What a client wants to have exported.
// Source of the members: QEMU 7.2 qapi/block-export.json, BlockExportOptions, NbdServerAddOptions.
using System.Collections.Generic;

namespace FastBackup.Native.Monitor.Nbd;

/// <param name="Id">Of the export, among all of the monitor.</param>
/// <param name="Node">A disk of the host or a node.</param>
/// <param name="Name">As NBD clients give it.</param>
/// <param name="Description">For people.</param>
/// <param name="IsWritable">Clients may write.</param>
/// <param name="IsDowngraded">A node that is read only is exported so, and that is no error: nbd-server-add.</param>
/// <param name="Bitmaps">Shown as contexts; Node null: of the exported node.</param>
sealed record ExportRequest(
    string Id,
    string Node,
    string Name,
    string Description,
    bool IsWritable,
    bool IsDowngraded,
    IReadOnlyList<(string? Node, string Name)> Bitmaps
);
