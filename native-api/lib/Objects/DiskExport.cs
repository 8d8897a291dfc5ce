// One disk, or one point in time of it, that NBD clients are shown: of its server, until it was taken back and the last
// of its clients has gone.
using FastBackup.Serving;

namespace FastBackup.Native.Objects;

/// <summary>Threads: the reactor's.</summary>
/// <param name="id">Among all of its exports.</param>
/// <param name="label">What it was asked for as.</param>
/// <param name="server">Its clients are among this one's.</param>
/// <param name="disk">Stays open for it.</param>
/// <param name="served">What its clients see.</param>
sealed class DiskExport(string id, string label, NbdServer server, DiskObject disk, ServedDisk served)
{
    public string Id => id;

    public string Label => label;

    public NbdServer Server => server;

    public DiskObject Disk => disk;

    public ServedDisk Served => served;

    /// <summary>Nobody new finds it.</summary>
    public bool IsShuttingDown { get; set; }

    public bool HasClients => server.ClientCountOf(served) > 0;
}
