// One node that NBD clients are shown: of its server, until it was taken back and the last of its clients has gone.
using FastBackup.Native.Monitor.Json;
using FastBackup.Native.Objects;
using FastBackup.Serving;

namespace FastBackup.Native.Monitor.Nbd;

/// <summary>Threads: the reactor's.</summary>
/// <param name="id">Of the export.</param>
/// <param name="node">As it was asked for.</param>
/// <param name="server">Its clients are among this one's.</param>
/// <param name="disk">Stays open for it.</param>
/// <param name="served">What its clients see.</param>
sealed class MonitorExport(string id, string node, NbdServer server, DiskObject disk, ServedDisk served)
{
    public string Id => id;

    public NbdServer Server => server;

    public DiskObject Disk => disk;

    public ServedDisk Served => served;

    /// <summary>Nobody new finds it.</summary>
    public bool IsShuttingDown { get; set; }

    public bool HasClients => server.ClientCountOf(served) > 0;

    /// <summary>BlockExportInfo.</summary>
    public JsonValue ToJson() =>
        JsonValue.Object(
            ("node-name", JsonValue.Of(node)),
            ("shutting-down", JsonValue.Of(IsShuttingDown)),
            ("type", JsonValue.Of("nbd")),
            ("id", JsonValue.Of(id))
        );
}
