// Which disks which client may see: all, or with a list those that stand beside the name in its certificate. To others
// a disk that is not theirs is one that there is not, in lists as by name; the log tells who has asked for it.
using System;
using System.Collections.Generic;
using System.Linq;
using FastBackup.Ports;
using FastBackup.Serving;

namespace FastBackup.Native.Tls;

/// <summary>Threads: the loop's.</summary>
/// <param name="all">What there is.</param>
/// <param name="allowed">Exports by the name of a client, with duplicates; null: everybody may have all.</param>
/// <param name="onRefused">For the log.</param>
sealed class ClientExports(IServedDisks all, ILookup<string, string>? allowed, Action<string> onRefused) : IServedDisks
{
    sealed class Own(ClientExports exports, TlsStream client) : IServedDisks
    {
        public IEnumerable<ServedDisk> All => exports.All.Where(IsOwn);

        public ServedDisk? Find(string name)
        {
            ServedDisk? found = exports.Find(name);
            if (found == null || IsOwn(found))
                return found;
            string who = client.Identity is { } identity ? $"'{identity}' ({client.Peer})" : client.Peer;
            exports._onRefused($"{who} asked for '{found.Name}', which is not its own");
            return null;
        }

        bool IsOwn(ServedDisk disk) => client.Identity is { } name && exports._allowed![name].Contains(disk.Name);
    }

    readonly ILookup<string, string>? _allowed = allowed;
    readonly Action<string> _onRefused = onRefused;

    public IEnumerable<ServedDisk> All => all.All;

    public ServedDisk? Find(string name) => all.Find(name);

    public IServedDisks For(StreamHandle client) => _allowed == null ? this : new Own(this, (TlsStream)client);
}
