// Where a server finds disks: they may come and go while clients are there.
using System.Collections.Generic;
using FastBackup.Ports;

namespace FastBackup.Serving;

/// <summary>Threads: the loop's.</summary>
public interface IServedDisks
{
    /// <summary>What a client that asks is told of.</summary>
    IEnumerable<ServedDisk> All { get; }

    /// <param name="name">As a client gives it; empty: the one that is meant then.</param>
    /// <returns>Null: there is none of this name now. A client keeps what it got while it is connected.</returns>
    ServedDisk? Find(string name);

    /// <summary>What one client may see of it: where connections bring an identity with them.</summary>
    IServedDisks For(StreamHandle client) => this;
}
